#include "service/storage/jetstream/jetstream_api.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "boost/json/parse.hpp"
#include "boost/json/serialize.hpp"

namespace aulm::gateway {
namespace {

namespace json = boost::json;

constexpr absl::Duration kTryTimeout = absl::Seconds(2);
constexpr absl::Duration kBetweenTries = absl::Milliseconds(100);
// A copy answers its leader every second.
constexpr absl::Duration kSilentCopy = absl::Seconds(5);

// Of nats-server's own error codes, those that are told apart.
constexpr int64_t kWrongLastSequence = 10071;
constexpr int64_t kResourcesExceeded = 10002;
constexpr int64_t kInsufficientResources = 10023;
constexpr int64_t kStorageExceeded = 10047;
constexpr int64_t kStreamStoreFailed = 10077;
constexpr int64_t kMessageIdInProcess = 10158;  // since 2.11; before, a duplicate of sequence 0 says the same

const json::object* ObjectAt(const json::object& object, absl::string_view key) {
  const json::value* const found = object.if_contains({key.data(), key.size()});
  return found == nullptr ? nullptr : found->if_object();
}

uint64_t NumberAt(const json::object& object, absl::string_view key) {
  const json::value* const found = object.if_contains({key.data(), key.size()});
  if (found == nullptr) return 0;
  boost::system::error_code ignored;
  const auto number = found->to_number<uint64_t>(ignored);
  return ignored ? 0 : number;
}

absl::string_view TextAt(const json::object& object, absl::string_view key) {
  const json::value* const found = object.if_contains({key.data(), key.size()});
  if (found == nullptr || !found->is_string()) return {};
  return {found->get_string().data(), found->get_string().size()};
}

// "cluster" of a stream's description: who leads, and of each other copy when it was last heard from, in nanoseconds.
bool HearsFromMost(const json::object& cluster) {
  const json::value* const found = cluster.if_contains("replicas");
  const json::array* const others = found == nullptr ? nullptr : found->if_array();
  if (others == nullptr) return true;
  size_t heard = 1;
  for (const json::value& other : *others) {
    if (!other.is_object()) continue;
    const auto silent = absl::Nanoseconds(static_cast<int64_t>(NumberAt(other.get_object(), "active")));
    heard += silent < kSilentCopy ? 1 : 0;
  }
  return heard * 2 > others->size() + 1;
}

// An answer to STREAM.INFO from whichever copy.
bool IsOfNoLeader(const json::object& answer) {
  const json::object* const cluster = ObjectAt(answer, "cluster");
  return cluster != nullptr && TextAt(*cluster, "leader").empty();
}

absl::StatusOr<json::object> ParseAnswer(const absl::StatusOr<NatsMessage>& answer, absl::string_view what) {
  if (!answer.ok()) return answer.status();
  boost::system::error_code failed;
  json::value value = json::parse({answer->data().data(), answer->data().size()}, failed);
  if (failed || !value.is_object()) return absl::UnavailableError(absl::StrCat("nats: ", what, ": not an answer"));
  json::object& object = value.get_object();
  if (const json::object* error = ObjectAt(object, "error")) return JetStreamError(*error, what);
  if (absl::StartsWith(what, "STREAM.INFO.") && IsOfNoLeader(object)) {
    return absl::UnavailableError(absl::StrCat("jetstream: ", what, ": the stream has no leader"));
  }
  return std::move(object);
}

}  // namespace

absl::string_view StoredMessage::Header(absl::string_view name) const {
  absl::string_view rest = headers;
  while (!rest.empty()) {
    const size_t end = rest.find("\r\n");
    absl::string_view line = rest.substr(0, end);
    rest = end == absl::string_view::npos ? absl::string_view() : rest.substr(end + 2);
    if (!absl::ConsumePrefix(&line, name) || !absl::ConsumePrefix(&line, ":")) continue;
    return absl::StripAsciiWhitespace(line);
  }
  return {};
}

absl::Status JetStreamError(const json::object& error, absl::string_view what) {
  const uint64_t code = NumberAt(error, "code");
  const uint64_t number = NumberAt(error, "err_code");
  const std::string message = absl::StrCat("jetstream: ", what, ": ", TextAt(error, "description"), " (", number, ")");
  switch (number) {
    case kWrongLastSequence:
      return absl::AbortedError(message);
    case kResourcesExceeded:
    case kInsufficientResources:
    case kStorageExceeded:
    case kStreamStoreFailed:
      return absl::ResourceExhaustedError(message);
    case kMessageIdInProcess:
      return absl::AlreadyExistsError(message);
    default:
      break;
  }
  if (code == 404) return absl::NotFoundError(message);
  if (code == 503) return absl::UnavailableError(message);
  return absl::FailedPreconditionError(message);
}

bool IsInProcess(const absl::Status& status) { return absl::IsAlreadyExists(status); }

bool IsTransient(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) || IsInProcess(status) ||
         // Nobody listens to the subject: there is no leader just now.
         (absl::IsNotFound(status) && absl::StartsWith(status.message(), "nats:"));
}

absl::StatusOr<PublishAck> ParsePublishAck(const absl::StatusOr<NatsMessage>& answer) {
  absl::StatusOr<json::object> object = ParseAnswer(answer, "publish");
  if (!object.ok()) return object.status();
  PublishAck ack;
  ack.sequence = NumberAt(*object, "seq");
  const json::value* const duplicate = object->if_contains("duplicate");
  ack.duplicate = duplicate != nullptr && duplicate->is_bool() && duplicate->get_bool();
  if (ack.sequence == 0 && ack.duplicate) {
    return absl::AlreadyExistsError("jetstream: publish: the message id is in process");
  }
  if (ack.sequence == 0) return absl::UnavailableError("jetstream: publish: not an acknowledgement");
  return ack;
}

void JetStreamApi::Call(const std::string& verb, const json::object& question, absl::Duration timeout, Callback done) {
  const std::string body = question.empty() ? std::string() : json::serialize(question);
  requests_.Send(absl::StrCat("$JS.API.", verb), {}, body, timeout,
                 [verb, done = std::move(done)](absl::StatusOr<NatsMessage> answer) mutable {
                   std::move(done)(ParseAnswer(answer, verb));
                 });
}

absl::StatusOr<json::object> JetStreamApi::CallNow(const std::string& verb, const json::object& question,
                                                   absl::Duration limit) {
  const std::string body = question.empty() ? std::string() : json::serialize(question);
  const absl::Time deadline = absl::Now() + limit;
  while (true) {
    const absl::Duration timeout = std::min(kTryTimeout, deadline - absl::Now());
    absl::StatusOr<json::object> answer =
        ParseAnswer(requests_.SendNow(absl::StrCat("$JS.API.", verb), {}, body, timeout), verb);
    if (answer.ok() || !IsTransient(answer.status()) || absl::Now() + kBetweenTries >= deadline) return answer;
    absl::SleepFor(kBetweenTries);
  }
}

StreamInfo ParseStreamInfo(const json::object& answer) {
  StreamInfo info;
  if (const json::object* config = ObjectAt(answer, "config")) info.config = *config;
  info.created = std::string(TextAt(answer, "created"));
  if (const json::object* state = ObjectAt(answer, "state")) {
    info.messages = NumberAt(*state, "messages");
    info.bytes = NumberAt(*state, "bytes");
    info.last = NumberAt(*state, "last_seq");
    info.first = info.messages == 0 ? info.last + 1 : NumberAt(*state, "first_seq");
    info.first_time = info.messages == 0 ? absl::UnixEpoch() : ParseNatsTime(TextAt(*state, "first_ts"));
  }
  if (const json::object* cluster = ObjectAt(answer, "cluster")) info.in_touch = HearsFromMost(*cluster);
  return info;
}

absl::StatusOr<StoredMessage> ParseStoredMessage(const json::object& answer) {
  const json::object* const found = ObjectAt(answer, "message");
  StoredMessage message;
  if (found == nullptr || !absl::Base64Unescape(TextAt(*found, "data"), &message.data) ||
      !absl::Base64Unescape(TextAt(*found, "hdrs"), &message.headers)) {
    return absl::UnavailableError("jetstream: a stored message cannot be read");
  }
  message.sequence = NumberAt(*found, "seq");
  message.subject = std::string(TextAt(*found, "subject"));
  message.time = ParseNatsTime(TextAt(*found, "time"));
  return message;
}

absl::Time ParseNatsTime(absl::string_view text) {
  absl::Time time;
  return absl::ParseTime(absl::RFC3339_full, text, &time, nullptr) ? time : absl::UnixEpoch();
}

}  // namespace aulm::gateway
