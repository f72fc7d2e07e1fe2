#include "service/storage/jetstream/jetstream_import.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "service/storage/jetstream/jetstream_state_store.h"
#include "service/storage/jetstream/state_buckets.h"
#include "service/storage/jetstream/state_subject.h"
#include "service/storage/jetstream/store_layout.h"
#include "service/storage/jetstream/stored_event.h"

namespace aulm::gateway {
namespace {

constexpr absl::Duration kConnectLimit = absl::Seconds(15);
constexpr absl::Duration kSetupLimit = absl::Seconds(15);
constexpr absl::Duration kPublishTimeout = absl::Seconds(10);
constexpr size_t kMostOpen = 1024;
constexpr size_t kMostOpenBytes = 16 << 20;

NewEvent Copied(const LoggedEvent& event) {
  NewEvent copy;
  copy.account = std::string(event.attributes.account);
  copy.session_id = std::string(event.attributes.session_id);
  copy.peer = std::string(event.attributes.peer);
  copy.message_id = std::string(event.attributes.message_id);
  copy.type = event.attributes.type;
  copy.status = event.attributes.status;
  copy.test = event.attributes.test;
  copy.delivery_id = std::string(event.delivery_id);
  copy.event = std::string(event.event);
  copy.raw_body = std::string(event.raw_body);
  return copy;
}

}  // namespace

absl::StatusOr<std::unique_ptr<JetStreamImport>> JetStreamImport::Begin(const StoreOptions& options,
                                                                        const LogInfo& source, Clock& clock,
                                                                        Random& random) {
  std::unique_ptr<JetStreamImport> import(new JetStreamImport(options, source, clock));
  if (absl::Status failed = import->Connect(random); !failed.ok()) return failed;
  if (absl::Status failed = import->OpenStreams(); !failed.ok()) return failed;
  return import;
}

JetStreamImport::JetStreamImport(const StoreOptions& options, const LogInfo& source, Clock& clock)
    : options_(options),
      source_(source),
      events_(EventsStream(options)),
      deliveries_(DeliveriesStream(options)),
      clock_(clock) {}

JetStreamImport::~JetStreamImport() {
  if (connection_ != nullptr) connection_->StopTelling();
  requests_.reset();  // tells what is in flight that it failed, while there is still something to tell
}

absl::Status JetStreamImport::Connect(Random& random) {
  NatsConnection::Listeners listeners;
  listeners.on_connected = [] {};
  listeners.on_disconnected = [this](const std::string&) { requests_->FailAll("the connection broke"); };
  listeners.on_closed = [](const absl::Status&) {};
  auto connection = NatsConnection::Connect(options_.nats.servers, kConnectLimit, random, std::move(listeners));
  if (!connection.ok()) return connection.status();
  connection_ = *std::move(connection);
  if (absl::Status bad = CheckMaxPayload(connection_->max_payload(), options_.max_body_bytes); !bad.ok()) return bad;
  auto requests = NatsRequests::Create(*connection_, clock_);
  if (!requests.ok()) return requests.status();
  requests_ = *std::move(requests);
  api_ = std::make_unique<JetStreamApi>(*requests_);
  connection_->StartTelling();
  return absl::OkStatus();
}

absl::Status JetStreamImport::OpenStreams() {
  const uint64_t before = source_.earliest - 1;
  absl::StatusOr<boost::json::object> there =
      api_->CallNow(absl::StrCat("STREAM.INFO.", events_.name), {}, kSetupLimit);
  if (there.ok()) {
    const LogOrigin origin = OriginOf(ParseStreamInfo(*there));
    if (origin.complete || origin.epoch != source_.epoch) {
      return absl::FailedPreconditionError(
          absl::StrCat("the NATS stream ", events_.name,
                       " is there already, and is no unfinished copy of this store: choose another store.nats.prefix, "
                       "or delete the streams whose names begin with ",
                       options_.nats.prefix, "- and KV_", options_.nats.prefix, "-"));
    }
  }
  StreamDefinition unfinished = events_;
  unfinished.description = DescribeOrigin({source_.epoch, /*complete=*/false});
  const absl::StatusOr<StreamInfo> info = OpenStream(*api_, unfinished, kSetupLimit);
  if (!info.ok()) return info.status();
  there_ = info->last;
  if (info->messages == 0 && there_ < before) {
    // Emptied up to there, an empty stream goes on from there.
    const absl::StatusOr<boost::json::object> emptied =
        api_->CallNow(absl::StrCat("STREAM.PURGE.", events_.name), {{"seq", source_.earliest}}, kSetupLimit);
    if (!emptied.ok()) return emptied.status();
    there_ = before;
  }
  if (there_ < before || there_ > source_.head) {
    return absl::FailedPreconditionError(absl::StrCat("the unfinished copy ends at event ", there_,
                                                      " and the store has those from ", source_.earliest, " to ",
                                                      source_.head, ": delete the NATS stream ", events_.name));
  }
  if (info->messages > 0) {
    // One that did not get through puts all that came after it one place lower: the last one tells.
    const absl::StatusOr<boost::json::object> answer =
        api_->CallNow(absl::StrCat("STREAM.MSG.GET.", events_.name), {{"seq", there_}}, kSetupLimit);
    if (!answer.ok()) return answer.status();
    absl::StatusOr<StoredMessage> last = ParseStoredMessage(*answer);
    if (!last.ok()) return last.status();
    resumed_at_ = there_;
    resumed_with_ = std::move(last->data);
  }
  return OpenStream(*api_, deliveries_, kSetupLimit).status();
}

absl::Status JetStreamImport::AddEvent(const LoggedEvent& event) {
  if (event.sequence <= there_) {
    if (event.sequence != resumed_at_ || EncodeCopiedEvent(Copied(event), event.ingested) == resumed_with_) {
      return absl::OkStatus();
    }
    return absl::FailedPreconditionError(absl::StrCat("event ", event.sequence,
                                                      " of the unfinished copy is another one: delete the NATS stream ",
                                                      events_.name, " and begin anew"));
  }
  if (event.sequence != there_ + 1) {
    return absl::DataLossError(absl::StrCat("store: events are missing before ", event.sequence));
  }
  there_ = event.sequence;
  const NewEvent copy = Copied(event);
  // Not under an expected last sequence: of a stream that was purged ahead, servers know it no more.
  NatsConnection::Headers headers;
  // Deliveries that are still on their way again and again are looked for by it. Of older ones two may share an id,
  // where the id was forgotten in between.
  if (!copy.delivery_id.empty() && event.ingested > clock_.Now() - events_.duplicate_window) {
    headers.emplace_back("Nats-Msg-Id", EventMessageId(copy));
  }
  return Publish(EventSubject(options_.nats.prefix, copy), headers, EncodeCopiedEvent(copy, event.ingested),
                 event.sequence);
}

absl::Status JetStreamImport::AddDelivery(absl::string_view key, uint64_t sequence) {
  const absl::string_view bucket = absl::string_view(deliveries_.subject).substr(0, deliveries_.subject.size() - 1);
  return Publish(absl::StrCat(bucket, DeliveryToken(key)), {}, absl::StrCat(sequence), 0);
}

absl::Status JetStreamImport::AddState(absl::string_view bucket, absl::string_view key, absl::string_view value,
                                       absl::Time expires) {
  const StreamDefinition stream = StateBuckets::DefinitionOf(options_.nats.prefix, options_.nats.replicas, bucket);
  if (buckets_.insert(stream.name).second) {
    const absl::StatusOr<StreamInfo> info = OpenStream(*api_, stream, kSetupLimit);
    if (!info.ok()) return info.status();
  }
  NatsConnection::Headers headers;
  if (expires < absl::InfiniteFuture()) {
    headers.emplace_back(JetStreamStateStore::kExpiresHeader, absl::StrCat(absl::ToUnixMillis(expires)));
  }
  const absl::string_view subject = absl::string_view(stream.subject).substr(0, stream.subject.size() - 1);
  return Publish(absl::StrCat(subject, StateSubjectOfKey(key)), headers, value, 0);
}

absl::Status JetStreamImport::Publish(const std::string& subject, const NatsConnection::Headers& headers,
                                      absl::string_view data, uint64_t sequence) {
  const size_t bytes = data.size();
  {
    absl::MutexLock lock(&mutex_);
    const auto fits = [this] {
      mutex_.AssertHeld();
      return open_ < kMostOpen && open_bytes_ < kMostOpenBytes;
    };
    mutex_.Await(absl::Condition(&fits));
    if (!failed_.ok()) return failed_;
    ++open_;
    open_bytes_ += bytes;
  }
  requests_->Send(
      subject, headers, data, kPublishTimeout, [this, bytes, sequence](const absl::StatusOr<NatsMessage>& answer) {
        absl::Status status;
        const absl::StatusOr<PublishAck> ack = ParsePublishAck(answer);
        if (!ack.ok()) {
          status = ack.status();
        } else if (sequence != 0 && ack->sequence != sequence) {
          status = absl::AbortedError(absl::StrCat("jetstream: event ", sequence, " came to stand at ", ack->sequence,
                                                   ": delete the NATS stream, and begin anew"));
        }
        absl::MutexLock lock(&mutex_);
        --open_;
        open_bytes_ -= bytes;
        failed_.Update(status);
      });
  return absl::OkStatus();
}

absl::Status JetStreamImport::AwaitAll() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(+[](size_t* open) { return *open == 0; }, &open_));
  return failed_;
}

absl::Status JetStreamImport::Finish() {
  if (absl::Status failed = AwaitAll(); !failed.ok()) return failed;
  absl::StatusOr<boost::json::object> answer =
      api_->CallNow(absl::StrCat("STREAM.INFO.", events_.name), {}, kSetupLimit);
  if (!answer.ok()) return answer.status();
  const StreamInfo info = ParseStreamInfo(*answer);
  if (info.last != source_.head) {
    return absl::DataLossError(absl::StrCat("store: the copy ends at event ", info.last, " and not at ", source_.head));
  }
  boost::json::object config = info.config;
  config["description"] = DescribeOrigin({source_.epoch, /*complete=*/true});
  return api_->CallNow(absl::StrCat("STREAM.UPDATE.", events_.name), config, kSetupLimit).status();
}

}  // namespace aulm::gateway
