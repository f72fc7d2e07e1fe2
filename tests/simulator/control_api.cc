#include "tests/simulator/control_api.h"

#include <boost/json.hpp>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "tests/simulator/control_json.h"
#include "tests/simulator/json_fields.h"

namespace aulm::simulator {

namespace json = boost::json;

HttpAnswer ControlApi::Answer(const HttpRequest& request) {
  json::value body(json::object{});
  if (!request.body.empty()) {
    boost::system::error_code error;
    body = json::parse({request.body.data(), request.body.size()}, error);
    if (error) return JsonAnswer(400, R"({"error":"the body is not valid JSON"})");
  }
  absl::string_view path = request.path;
  absl::ConsumePrefix(&path, "/_simulator");
  absl::ConsumePrefix(&path, "/");
  const Result result = Dispatch(request.method, path, request, body);
  if (result.ok()) return JsonAnswer(200, json::serialize(*result));
  const int status = absl::IsNotFound(result.status()) ? 404 : absl::IsFailedPrecondition(result.status()) ? 409 : 400;
  return JsonAnswer(status, json::serialize(json::object{{"error", std::string(result.status().message())}}));
}

ControlApi::Result ControlApi::Dispatch(absl::string_view method, absl::string_view path, const HttpRequest& request,
                                        const json::value& body) {
  const auto is = [&](absl::string_view wanted_method, absl::string_view wanted_path) {
    return method == wanted_method && path == wanted_path;
  };
  const json::value done = json::object{};
  if (is("POST", "faults")) return AddFaults(body);
  if (is("GET", "faults")) return ListFaults();
  if (is("DELETE", "faults")) return state_.plan.Clear(), done;
  if (is("PUT", "seeded-faults")) return PutSeededFaults(body);
  if (is("GET", "requests")) return ListRequests(request);
  if (is("DELETE", "requests")) return state_.log.Clear(), done;
  if (is("GET", "sessions")) return ListSessions();
  if (is("PUT", "sessions")) return PutSession(body);
  if (is("PUT", "keys")) return PutKey(body);
  if (is("PUT", "quota")) return PutQuota(body);
  if (is("DELETE", "auth-failures")) return state_.throttle.Clear(), done;
  if (is("GET", "webhooks")) return webhooks_.ListEndpoints();
  if (is("PUT", "webhooks")) return webhooks_.PutEndpoint(body);
  if (is("POST", "events/inbound")) return webhooks_.SendInbound(body);
  if (is("POST", "events/status")) return webhooks_.SendStatus(body);
  if (is("POST", "events/test")) return webhooks_.SendTest(body);
  if (is("POST", "events/raw")) return webhooks_.SendRaw(body);
  if (is("GET", "deliveries")) return webhooks_.ListDeliveries(request);
  if (is("DELETE", "deliveries")) return webhooks_.ClearDeliveries(), done;
  if (is("POST", "blast")) return webhooks_.StartBlast(body);
  if (is("GET", "blast")) return webhooks_.ReadBlast();
  if (is("GET", "blast/ids")) return webhooks_.ReadBlastIds();
  if (is("DELETE", "blast")) return state_.blast.Stop(), done;
  if (is("POST", "reset")) return Reset();
  return absl::NotFoundError(
      absl::StrCat("the control API has no ", method, " /_simulator/", path, "; see tests/simulator/README.md"));
}

ControlApi::Result ControlApi::AddFaults(const json::value& body) {
  std::vector<Fault> faults;
  const json::array* array = body.if_array();
  for (const json::value& json : array != nullptr ? *array : json::array{body}) {
    absl::StatusOr<Fault> fault = ParseFault(json);
    if (!fault.ok()) return fault.status();
    faults.push_back(*std::move(fault));
  }
  for (Fault& fault : faults) state_.plan.Add(std::move(fault));
  return json::object{{"queued", state_.plan.faults().size()}};
}

ControlApi::Result ControlApi::ListFaults() const {
  json::array faults;
  for (const Fault& fault : state_.plan.faults()) faults.push_back(FaultJson(fault));
  return json::object{{"faults", std::move(faults)}};
}

ControlApi::Result ControlApi::PutSeededFaults(const json::value& body) {
  SeededFaultRates rates;
  JsonFields fields(body);
  absl::Status status;
  const auto probability = [&](absl::string_view name, double& rate) {
    rate = fields.Number(name).value_or(0);
    if (!(rate >= 0 && rate <= 1)) status = absl::InvalidArgumentError(absl::StrCat(name, ": must be from 0 to 1"));
  };
  rates.seed = static_cast<uint64_t>(fields.Integer("seed").value_or(1));
  probability("drop", rates.drop);
  probability("lose_answer", rates.lose_answer);
  probability("error", rates.error);
  probability("delay", rates.delay);
  probability("duplicate", rates.duplicate);
  probability("reorder", rates.reorder);
  probability("webhook_delay", rates.webhook_delay);
  rates.longest_delay = fields.Milliseconds("longest_delay_ms").value_or(rates.longest_delay);
  status.Update(fields.Finish());
  if (!status.ok()) return status;
  state_.dice.Set(rates);
  return json::object{};
}

ControlApi::Result ControlApi::ListRequests(const HttpRequest& request) const {
  uint64_t after = 0;
  if (const absl::string_view text = request.QueryValue("after"); !text.empty() && !absl::SimpleAtoi(text, &after)) {
    return absl::InvalidArgumentError("after: must be the sequence of a request");
  }
  json::array requests;
  for (const RecordedRequest& recorded : state_.log.requests()) {
    if (recorded.sequence > after) requests.push_back(RequestJson(recorded));
  }
  return json::object{{"requests", std::move(requests)}};
}

ControlApi::Result ControlApi::ListSessions() const {
  json::array sessions;
  for (const auto& [id, session] : state_.sessions.sessions()) {
    sessions.push_back(json::object{{"session_id", id}, {"state", session.state}, {"account", session.account}});
  }
  return json::object{{"sessions", std::move(sessions)}};
}

ControlApi::Result ControlApi::PutSession(const json::value& body) {
  JsonFields fields(body);
  Session session{.id = fields.String("session_id").value_or(""),
                  .state = fields.String("state").value_or(""),
                  .account = fields.String("account").value_or("default")};
  absl::Status status = fields.Finish();
  status.Update(status.ok() ? state_.sessions.Put(std::move(session)) : absl::OkStatus());
  if (!status.ok()) return status;
  return json::object{};
}

ControlApi::Result ControlApi::PutKey(const json::value& body) {
  JsonFields fields(body);
  ApiKey key;
  key.text = fields.String("key").value_or("");
  key.account = fields.String("account").value_or("default");
  absl::Status status = ParseApiKeyState(fields.String("state").value_or("active"), key.state);
  status.Update(fields.Finish());
  if (status.ok()) status = state_.keys.Put(std::move(key));
  if (!status.ok()) return status;
  return json::object{};
}

ControlApi::Result ControlApi::PutQuota(const json::value& body) {
  JsonFields fields(body);
  const std::string account = fields.String("account").value_or("default");
  const auto time = [](std::optional<absl::Duration> offset) {
    return offset ? std::optional<absl::Time>(absl::Now() + *offset) : std::nullopt;
  };
  const auto daily_limit = fields.Integer("daily_limit");
  const auto daily_used = fields.Integer("daily_used");
  const auto daily_reset = time(fields.Milliseconds("daily_reset_in_ms"));
  const auto trial_limit = fields.Integer("trial_limit");
  const auto trial_used = fields.Integer("trial_used");
  const auto trial_reset = time(fields.Milliseconds("trial_reset_in_ms"));
  if (absl::Status status = fields.Finish(); !status.ok()) return status;
  Quota& quota = state_.accounts.Get(account).quota;
  quota.Set(daily_limit, daily_used, daily_reset);
  quota.SetTrial(trial_limit, trial_used, trial_reset);
  return json::object{};
}

ControlApi::Result ControlApi::Reset() {
  state_.plan.Clear();
  state_.dice.Set(SeededFaultRates{});
  state_.log.Clear();
  state_.throttle.Clear();
  state_.blast.Stop();
  webhooks_.ClearDeliveries();
  for (auto& [name, account] : state_.accounts.accounts()) {
    account.quota.Set(std::nullopt, 0, std::nullopt);
    account.quota.SetTrial(std::nullopt, 0, std::nullopt);
    account.webhooks->SetEnabled(true);
  }
  return json::object{};
}

}  // namespace aulm::simulator
