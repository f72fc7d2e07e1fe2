#include "tests/simulator/control_json.h"

#include <algorithm>
#include <boost/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "tests/simulator/json_view.h"

namespace aulm::simulator {
namespace json = boost::json;
namespace {

// Boost.JSON's own check: what it would not read back is not UTF-8.
bool IsUtf8(absl::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const size_t length = byte < 0x80                   ? 1
                          : byte >= 0xC2 && byte < 0xE0 ? 2
                          : byte >= 0xE0 && byte < 0xF0 ? 3
                          : byte >= 0xF0 && byte < 0xF5 ? 4
                                                        : 0;
    if (length == 0 || i + length > text.size()) return false;
    uint32_t code = length == 1 ? byte : byte & (0x7F >> length);
    for (size_t k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xC0) != 0x80) return false;
      code = code << 6 | (next & 0x3F);
    }
    const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    if (overlong || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return false;
    i += length;
  }
  return true;
}

void AddBytes(json::object& object, absl::string_view name, absl::string_view bytes) {
  if (IsUtf8(bytes)) {
    object[ToJson(name)] = ToJson(bytes);
  } else {
    object[absl::StrCat(name, "_base64")] = absl::Base64Escape(bytes);
  }
}

double Percentile(const std::vector<uint32_t>& sorted, double share) {
  if (sorted.empty()) return 0;
  return sorted[static_cast<size_t>(share * static_cast<double>(sorted.size() - 1))];
}

}  // namespace

json::object RequestJson(const RecordedRequest& request) {
  json::object headers;
  for (const auto& [name, value] : request.headers) {
    json::value& field = headers[absl::AsciiStrToLower(name)];
    // Repeated headers are joined, as HTTP allows.
    const std::string joined =
        field.is_string()
            ? absl::StrCat(absl::string_view(field.get_string().data(), field.get_string().size()), ", ", value)
            : value;
    field = IsUtf8(joined) ? joined : absl::CHexEscape(joined);
  }
  json::object object{
      {"sequence", request.sequence},
      {"method", request.method},
      {"target", request.target},
      {"headers", std::move(headers)},
      {"connection_id", request.connection_id},
      {"remote_address", request.remote_address},
      {"arrived_us", request.arrived_us},
      {"answered_status", request.answered_status},
      {"request_id", request.request_id},
      {"message_id", request.message_id},
  };
  AddBytes(object, "body", request.body);
  return object;
}

json::object DeliveryJson(const Delivery& delivery, absl::string_view account) {
  json::array attempts;
  for (const DeliveryAttempt& attempt : delivery.attempts) {
    attempts.push_back(json::object{{"number", attempt.number},
                                    {"started_us", attempt.started_us},
                                    {"ended_us", attempt.ended_us},
                                    {"status", attempt.status},
                                    {"error", attempt.error}});
  }
  json::object object{
      {"account", ToJson(account)},
      {"sequence", delivery.sequence},
      {"event", delivery.event},
      {"delivery_id", delivery.delivery_id},
      {"state", ToJson(DeliveryStateWord(delivery.state))},
      {"attempts", std::move(attempts)},
  };
  AddBytes(object, "body", delivery.body);
  return object;
}

json::object BlastJson(const Blast::Result& result) {
  json::object statuses;
  for (const auto& [status, count] : result.statuses) statuses[absl::StrCat(status)] = count;
  std::vector<uint32_t> latencies = result.latencies_us;
  std::sort(latencies.begin(), latencies.end());
  return {
      {"running", result.running},
      {"sent", result.sent},
      {"delivered", result.delivered},
      {"held", result.held},
      {"statuses", std::move(statuses)},
      {"last_error", result.last_error},
      {"elapsed_us", result.elapsed_us},
      {"delivered_per_second",
       result.elapsed_us > 0 ? static_cast<double>(result.delivered) * 1e6 / result.elapsed_us : 0.0},
      {"p50_us", Percentile(latencies, 0.5)},
      {"p99_us", Percentile(latencies, 0.99)},
      {"max_us", Percentile(latencies, 1)},
  };
}

}  // namespace aulm::simulator
