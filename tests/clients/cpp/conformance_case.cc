#include "tests/clients/cpp/conformance_case.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <csignal>
#include <filesystem>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "aulm/gateway/client/channel.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/time_util.h"
#include "gtest/gtest.h"
#include "tests/clients/cpp/facts.h"

namespace aulm::gateway::conformance {
namespace {

using boost::json::value;
using google::protobuf::util::TimeUtil;
using ::testing::UnorderedElementsAreArray;

constexpr absl::Duration kStopLimit = absl::Seconds(5);

template <typename Enum>
Enum ParseEnum(bool (*parse)(const std::string&, Enum*), const std::string& name) {
  Enum value;
  AULM_TABLE_CHECK(parse(name, &value), "no such value: " + name);
  return value;
}

// The generated parsers take protobuf's own string type.
#define AULM_ENUM(type, prefix, name)                                                                       \
  ParseEnum<v1::type>([](const std::string& text, v1::type* into) { return v1::type##_Parse(text, into); }, \
                      absl::StrCat(prefix, name))

std::string Base64(const std::string& text) {
  std::string bytes;
  AULM_TABLE_CHECK(absl::Base64Unescape(text, &bytes), "no base64: " + text);
  return bytes;
}

std::vector<std::string> Sorted(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  return names;
}

value Field(JsonFields& fields, const char* name) {
  const value* found = fields.Find(name);
  return found == nullptr ? value() : *found;
}

std::vector<std::string> SimulatorArguments(const value& described) {
  std::vector<std::string> arguments;
  if (const value* given = described.as_object().if_contains("simulator")) {
    for (const value& argument : given->as_array()) arguments.emplace_back(argument.as_string());
  }
  return arguments;
}

}  // namespace

ConformanceCase::ConformanceCase(const value& sessions, const value& described)
    : sessions_(sessions), steps_(described.at("steps")), world_(SimulatorArguments(described)) {
  JsonFields fields(described, "a case");
  for (const char* name : {"name", "shows", "simulator", "steps"}) fields.Find(name);
  client::CallTimeouts timeouts;
  if (const value* options = fields.Find("client")) {
    JsonFields client(*options, "client");
    timeouts.send = timeouts.read = absl::Milliseconds(client.Number("timeout_ms"));
  }
  client_.emplace(*client::OpenChannel({.target = world_.grpc_address()}), timeouts);
}

void ConformanceCase::Run() {
  int number = 0;
  for (const value& step : steps_.as_array()) {
    SCOPED_TRACE(absl::StrCat("step ", ++number, ": ", boost::json::serialize(step)));
    TakeStep(step);
    if (testing::Test::HasFailure()) return;
  }
}

void ConformanceCase::TakeStep(const value& step) {
  static const std::map<std::string, Take> kSteps = {
      {"gateway", &ConformanceCase::TakeGateway},
      {"simulator", &ConformanceCase::TakeSimulator},
      {"webhook", &ConformanceCase::TakeWebhook},
      {"inbound", &ConformanceCase::TakeInbound},
      {"requests", &ConformanceCase::CheckRequests},
      {"send_text", &ConformanceCase::SendText},
      {"send_image", &ConformanceCase::SendImage},
      {"await", &ConformanceCase::Await},
      {"session_status", &ConformanceCase::SessionStatus},
      {"subscribe", &ConformanceCase::Subscribe},
      {"handling", &ConformanceCase::AwaitHandling},
      {"handled", &ConformanceCase::AwaitHandled},
      {"release", &ConformanceCase::Release},
      {"notice", &ConformanceCase::AwaitNotice},
      {"stopping", &ConformanceCase::Stopping},
      {"stop", &ConformanceCase::Stop},
      {"ended", &ConformanceCase::AwaitEnd},
      {"copy_store", &ConformanceCase::CopyStore},
      {"create_subscription", &ConformanceCase::CreateSubscription},
      {"subscription_stats", &ConformanceCase::AwaitStats},
      {"parked", &ConformanceCase::AwaitParked},
      {"replay_parked", &ConformanceCase::ReplayParked},
  };
  JsonFields fields(step, "a step");
  const value expected = Field(fields, "expect");
  for (const auto& [name, take] : kSteps) {
    if (const value* what = fields.Find(name.c_str())) return (this->*take)(*what, expected);
  }
  ADD_FAILURE() << "no such step";
}

// --- the programs ---

void ConformanceCase::TakeGateway(const value& what, const value&) {
  const std::string name(what.as_string());
  if (name == "start") return world_.StartGateway();
  if (name == "start_empty") return world_.StartGatewayEmpty();
  if (name == "kill") return world_.KillGateway();
  if (name == "terminate") return world_.TerminateGateway();
  if (name == "pause") return world_.gateway().Signal(SIGSTOP);
  if (name == "continue") return world_.gateway().Signal(SIGCONT);
  ADD_FAILURE() << "no such step: " << name;
}

void ConformanceCase::TakeSimulator(const value& what, const value&) {
  if (what == "stop") {
    world_.aulm().Terminate();
    return;
  }
  JsonFields call(what, "simulator");
  world_.Control(call.Text("method"), call.Text("path"), Field(call, "body"));
}

void ConformanceCase::TakeWebhook(const value& what, const value&) {
  JsonFields fields(what, "webhook");
  world_.Deliver(fields.Text("path"), Field(fields, "body"));
}

void ConformanceCase::TakeInbound(const value& what, const value&) {
  JsonFields fields(what, "inbound");
  const std::string from = fields.Text("from");
  for (const std::string& body : fields.Texts("bodies")) {
    world_.Deliver("events/inbound", {{"from", from}, {"body", body}});
  }
}

void ConformanceCase::CheckRequests(const value& what, const value&) {
  JsonFields fields(what, "requests");
  const std::string path = fields.Text("path");
  const value recorded = world_.Control("GET", "requests");
  int64_t count = 0;
  int64_t accepted = 0;
  std::string bodies;
  for (const value& request : recorded.at("requests").as_array()) {
    const auto& facts = request.as_object();
    if (!absl::StartsWith(std::string(facts.at("target").as_string()), path)) continue;
    ++count;
    if (const value* body = facts.if_contains("body")) absl::StrAppend(&bodies, std::string(body->as_string()), "\n");
    const value* id = facts.if_contains("message_id");
    if (id != nullptr && id->is_string() && !id->as_string().empty()) ++accepted;
  }
  EXPECT_EQ(count, fields.Number("count"));
  EXPECT_EQ(accepted, fields.Number("accepted"));
  for (const std::string& text : fields.Texts("bodies_contain")) EXPECT_THAT(bodies, testing::HasSubstr(text));
}

// --- calls ---

template <typename Request>
void ConformanceCase::Send(JsonFields& fields, Request request,
                           std::function<value(const Request&, const client::SendOptions&)> call,
                           const value& expected) {
  request.set_session_id(Session(fields.Text("session")));
  request.set_to(fields.Text("to"));
  const value id = Field(fields, "request_id");
  if (id.is_string()) request.set_request_id(std::string(id.as_string()));
  if (id.is_object()) {
    JsonFields other(id, "request_id");
    const value answer = sends_.at(other.Text("request_id_of")).get();
    request.set_request_id(std::string(answer.at("ok").at("request_id").as_string()));
  }
  client::SendOptions options;
  if (const int64_t timeout = fields.Number("timeout_ms"); timeout > 0) options.timeout = absl::Milliseconds(timeout);
  const std::shared_future<value> answer =
      std::async(std::launch::async, [call = std::move(call), request, options] { return call(request, options); });
  if (const std::string name = fields.Text("as"); !name.empty()) sends_[name] = answer;
  if (fields.Flag("background")) return;
  EXPECT_TRUE(Fits(answer.get(), expected)) << "saw " << answer.get();
}

void ConformanceCase::SendText(const value& what, const value& expected) {
  JsonFields fields(what, "send_text");
  v1::SendTextRequest request;
  request.set_body(fields.Text("body"));
  Send<v1::SendTextRequest>(
      fields, std::move(request),
      [this](const auto& text, const auto& options) { return FactsOf(client_->SendText(text, options)); }, expected);
}

void ConformanceCase::SendImage(const value& what, const value& expected) {
  JsonFields fields(what, "send_image");
  v1::SendImageRequest request;
  request.set_caption(fields.Text("caption"));
  if (fields.Has("url")) {
    request.set_image_url(fields.Text("url"));
  } else {
    request.mutable_image_data()->set_data(Base64(fields.Text("data_base64")));
  }
  Send<v1::SendImageRequest>(
      fields, std::move(request),
      [this](const auto& image, const auto& options) { return FactsOf(client_->SendImage(image, options)); }, expected);
}

void ConformanceCase::Await(const value& what, const value& expected) {
  const value answer = sends_.at(std::string(what.as_string())).get();
  EXPECT_TRUE(Fits(answer, expected)) << "saw " << answer;
}

void ConformanceCase::SessionStatus(const value& what, const value& expected) {
  JsonFields fields(what, "session_status");
  const auto status = client_->GetSessionStatus(Session(fields.Text("session")));
  const value answer =
      status.ok() ? value{{"ok", FactsOf(status->session())}} : value{{"error", FactsOf(status.error())}};
  EXPECT_TRUE(Fits(answer, expected)) << "saw " << answer;
}

std::string ConformanceCase::Session(const std::string& name) const {
  const value* known = sessions_.as_object().if_contains(name);
  return known == nullptr ? name : std::string(known->as_string());
}

// --- consumers ---

void ConformanceCase::Subscribe(const value& what, const value&) {
  JsonFields fields(what, "subscribe");
  Consumer::Step step;
  step.name = fields.Text("as");
  v1::SubscribeEventsRequest& request = step.request;
  request.set_subscription(fields.Text("subscription"));
  request.set_include_raw_body(fields.Flag("include_raw_body"));
  request.set_max_outstanding_events(static_cast<uint32_t>(fields.Number("max_outstanding_events")));
  if (const int64_t heartbeat = fields.Number("heartbeat_ms"); heartbeat > 0) {
    *request.mutable_heartbeat_interval() = TimeUtil::MillisecondsToDuration(heartbeat);
  }
  if (fields.Has("on_expired_cursor")) {
    request.set_on_expired_cursor(AULM_ENUM(OnExpiredCursor, "ON_EXPIRED_CURSOR_", fields.Text("on_expired_cursor")));
  }
  if (const value* start = fields.Find("start")) SetStart(*start, request);
  if (const value* filter = fields.Find("filter")) *request.mutable_filter() = Filter(*filter);
  step.shared = fields.Text("mode") == "SHARED";
  step.concurrency = static_cast<int>(fields.Number("concurrency", 1));
  if (fields.Has("cursor_store")) step.cursor_file = absl::StrCat(world_.folder(), "/", fields.Text("cursor_store"));
  for (const std::string& name : fields.Texts("hold")) step.hold.insert(name);
  for (const std::string& name : fields.Texts("fail")) step.fail.insert(name);
  if (const value* settle = fields.Find("settle")) {
    for (const auto& [event, answers] : settle->as_object()) {
      for (const value& answer : answers.as_array()) step.settle[event].emplace_back(answer.as_string());
    }
  }
  std::unique_ptr<Consumer>& consumer = consumers_[step.name];
  consumer = std::make_unique<Consumer>(*client_, record_, std::move(step));
}

void ConformanceCase::SetStart(const value& start, v1::SubscribeEventsRequest& request) {
  if (start.is_string()) {
    request.set_position(AULM_ENUM(StartPosition, "START_POSITION_", std::string(start.as_string())));
    return;
  }
  JsonFields fields(start, "start");
  if (fields.Has("cursor_of")) request.set_after_cursor(Event(fields.Text("cursor_of")).cursor());
  if (fields.Has("time_of")) *request.mutable_start_time() = Event(fields.Text("time_of")).ingested_time();
  if (fields.Has("cursor_base64")) request.set_after_cursor(Base64(fields.Text("cursor_base64")));
}

v1::EventFilter ConformanceCase::Filter(const value& described) const {
  JsonFields fields(described, "filter");
  v1::EventFilter filter;
  for (const std::string& name : fields.Texts("types")) filter.add_types(AULM_ENUM(EventType, "EVENT_TYPE_", name));
  for (const std::string& name : fields.Texts("statuses")) {
    filter.add_statuses(AULM_ENUM(MessageStatus, "MESSAGE_STATUS_", name));
  }
  for (const std::string& name : fields.Texts("session_ids")) filter.add_session_ids(Session(name));
  for (const std::string& peer : fields.Texts("peers")) filter.add_peers(peer);
  for (const std::string& id : fields.Texts("message_ids")) filter.add_message_ids(id);
  if (fields.Has("test_events")) {
    filter.set_test_events(AULM_ENUM(TestEvents, "TEST_EVENTS_", fields.Text("test_events")));
  }
  return filter;
}

v1::Event ConformanceCase::Event(const std::string& name) {
  absl::MutexLock lock(&record_.mu);
  return record_.events.at(name);
}

Consumer& ConformanceCase::Of(const std::string& name) { return *consumers_.at(name); }

void ConformanceCase::AwaitHandling(const value& what, const value&) {
  JsonFields fields(what, "handling");
  const std::vector<std::string> by = fields.Texts("by");
  const std::vector<std::string> wanted = Sorted(fields.Texts("events"));
  std::vector<std::string> seen;
  const auto these = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    seen.clear();
    for (const auto& [consumer, event] : record_.running) {
      if (std::count(by.begin(), by.end(), consumer) > 0) seen.push_back(event);
    }
    return Sorted(seen) == wanted;
  };
  absl::MutexLock lock(&record_.mu);
  EXPECT_TRUE(record_.mu.AwaitWithTimeout(absl::Condition(&these), kLimit))
      << "handlers run for " << testing::PrintToString(seen);
}

void ConformanceCase::AwaitHandled(const value& what, const value&) {
  JsonFields fields(what, "handled");
  const std::vector<std::string> by = fields.Texts("by");
  const std::vector<std::string> wanted = fields.Texts("events");
  std::vector<Record::Handled> seen;
  const auto enough = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    seen.clear();
    for (const Record::Handled& one : record_.handled) {
      if (std::count(by.begin(), by.end(), one.consumer) > 0) seen.push_back(one);
    }
    return seen.size() >= wanted.size();
  };
  absl::MutexLock lock(&record_.mu);
  record_.mu.AwaitWithTimeout(absl::Condition(&enough), kLimit);
  std::vector<std::string> names, raw_bodies;
  boost::json::array attempts;
  for (const Record::Handled& one : seen) {
    names.push_back(one.event);
    raw_bodies.push_back(one.raw_body);
    attempts.emplace_back(int64_t{one.attempt});
  }
  if (fields.Flag("in_any_order")) {
    EXPECT_THAT(names, UnorderedElementsAreArray(wanted));
  } else {
    EXPECT_EQ(names, wanted);
  }
  if (fields.Has("raw_bodies")) {
    EXPECT_EQ(raw_bodies, fields.Texts("raw_bodies"));
  }
  if (const value* expected = fields.Find("attempts")) {
    EXPECT_EQ(value(attempts), *expected);
  }
}

void ConformanceCase::Release(const value& what, const value&) {
  JsonFields fields(what, "release");
  const std::vector<std::string> events = fields.Texts("events");
  for (const std::string& name : fields.Texts("by")) Of(name).Release(events);
}

void ConformanceCase::AwaitNotice(const value& what, const value&) {
  JsonFields fields(what, "notice");
  Consumer& consumer = Of(fields.Text("by"));
  const std::string kind = fields.Text("kind");
  const int64_t count = fields.Number("count", 1);
  const value wanted = fields.Has("expect") ? Field(fields, "expect") : value(boost::json::object());
  const auto came = [&] {
    int64_t fit = 0;
    for (const Consumer::Notice& notice : consumer.notices()[kind]) {
      if (Fits({{"code", notice.code},
                {"reason", notice.reason},
                {"caught_up", notice.caught_up},
                {"lag_events", notice.lag_events}},
               wanted)) {
        ++fit;
      }
    }
    return fit >= count;
  };
  absl::MutexLock lock(&record_.mu);
  EXPECT_TRUE(record_.mu.AwaitWithTimeout(absl::Condition(&came), kLimit))
      << consumer.notices()[kind].size() << " notices of this kind";
  consumer.notices()[kind].clear();
}

void ConformanceCase::Stopping(const value& what, const value&) { Of(std::string(what.as_string())).Stop(); }

void ConformanceCase::Stop(const value& what, const value&) {
  Consumer& consumer = Of(std::string(what.as_string()));
  consumer.Stop();
  ASSERT_TRUE(consumer.AwaitEnd(kStopLimit)) << "it does not stop";
  EXPECT_TRUE(consumer.status().ok()) << consumer.status();
}

void ConformanceCase::AwaitEnd(const value& what, const value&) {
  JsonFields fields(what, "ended");
  Consumer& consumer = Of(fields.Text("by"));
  ASSERT_TRUE(consumer.AwaitEnd(kLimit)) << "it goes on";
  if (fields.Flag("handler_failed")) {
    EXPECT_EQ(consumer.status(), absl::AbortedError("told to fail"));
    return;
  }
  ASSERT_TRUE(consumer.error().has_value());
  EXPECT_FALSE(consumer.status().ok());
  const value seen = FactsOf(*consumer.error());
  EXPECT_TRUE(Fits(seen, Field(fields, "error"))) << "saw " << seen;
}

void ConformanceCase::CopyStore(const value& what, const value&) {
  JsonFields fields(what, "copy_store");
  const std::string from = absl::StrCat(world_.folder(), "/", fields.Text("from"));
  const std::string to = absl::StrCat(world_.folder(), "/", fields.Text("to"));
  if (std::filesystem::exists(from)) std::filesystem::copy_file(from, to);  // else: no position yet
}

// --- durable subscriptions ---

void ConformanceCase::CreateSubscription(const value& what, const value&) {
  JsonFields fields(what, "create_subscription");
  v1::CreateSubscriptionRequest request;
  v1::Subscription& subscription = *request.mutable_subscription();
  subscription.set_name(fields.Text("name"));
  subscription.set_mode(AULM_ENUM(SubscriptionMode, "SUBSCRIPTION_MODE_", fields.Text("mode")));
  subscription.set_position(AULM_ENUM(StartPosition, "START_POSITION_", fields.Text("start")));
  subscription.set_max_attempts(static_cast<uint32_t>(fields.Number("max_attempts")));
  if (const int64_t delay = fields.Number("retry_delay_ms"); delay > 0) {
    *subscription.mutable_retry_delay() = TimeUtil::MillisecondsToDuration(delay);
  }
  if (const int64_t deadline = fields.Number("ack_deadline_ms"); deadline > 0) {
    *subscription.mutable_ack_deadline() = TimeUtil::MillisecondsToDuration(deadline);
  }
  const auto created = client_->CreateSubscription(request);
  if (!created.ok()) ADD_FAILURE() << created.error();
}

void ConformanceCase::AwaitStats(const value& what, const value&) {
  v1::GetSubscriptionRequest request;
  request.set_name(std::string(what.at("name").as_string()));
  value seen;
  EXPECT_TRUE(AwaitOther([&] {
    const auto found = client_->GetSubscription(request);
    if (!found.ok()) return false;
    const v1::SubscriptionStats& stats = found->subscription().stats();
    seen = {{"name", found->subscription().name()},
            {"lag_events", static_cast<int64_t>(stats.lag_events())},
            {"outstanding_events", static_cast<int64_t>(stats.outstanding_events())}};
    return Fits(seen, what);
  })) << "saw "
      << seen;
}

void ConformanceCase::AwaitParked(const value& what, const value&) {
  JsonFields fields(what, "parked");
  fields.Find("in_any_order");  // the list's own order is by the time of parking
  v1::ListParkedEventsRequest request;
  request.set_subscription(fields.Text("subscription"));
  const std::vector<std::string> wanted = Sorted(fields.Texts("events"));
  const bool has_reasons = fields.Has("reasons");
  const std::vector<std::string> wanted_reasons = Sorted(fields.Texts("reasons"));
  std::vector<std::string> names, reasons;
  EXPECT_TRUE(AwaitOther([&] {
    names.clear();
    reasons.clear();
    const auto listed = client_->ListParkedEvents(request);
    if (!listed.ok()) return false;
    for (const v1::ParkedEvent& parked : listed->parked_events()) {
      names.push_back(EventName(parked.event()));
      reasons.emplace_back(absl::StripPrefix(v1::ParkReason_Name(parked.reason()), "PARK_REASON_"));
    }
    return Sorted(names) == wanted && (!has_reasons || Sorted(reasons) == wanted_reasons);
  })) << "parked: "
      << testing::PrintToString(names) << testing::PrintToString(reasons);
}

void ConformanceCase::ReplayParked(const value& what, const value&) {
  JsonFields fields(what, "replay_parked");
  v1::ReplayParkedEventsRequest request;
  request.set_subscription(fields.Text("subscription"));
  request.set_all(true);
  const auto replayed = client_->ReplayParkedEvents(request);
  if (!replayed.ok()) ADD_FAILURE() << replayed.error();
}

}  // namespace aulm::gateway::conformance
