#include "tests/simulator/fault.h"

#include <boost/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "tests/simulator/aulm_error.h"
#include "tests/simulator/json_fields.h"
#include "tests/simulator/json_view.h"

namespace aulm::simulator {
namespace {

struct DropRow {
  Fault::Drop drop;
  absl::string_view word;
};

constexpr DropRow kDrops[] = {
    {Fault::Drop::kNone, ""},
    {Fault::Drop::kBeforeRead, "before_read"},
    {Fault::Drop::kAfterRead, "after_read"},
    {Fault::Drop::kMidAnswer, "mid_answer"},
    {Fault::Drop::kAnswer, "answer"},
};

absl::Status ParseDrop(absl::string_view word, Fault::Drop& drop) {
  for (const DropRow& row : kDrops) {
    if (row.word == word) {
      drop = row.drop;
      return absl::OkStatus();
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("drop: '", word, "' is not one of: before_read, after_read, mid_answer, answer"));
}

absl::Status ParseHeaders(const boost::json::value& json, Fault& fault) {
  const boost::json::object* object = json.if_object();
  if (object == nullptr) return absl::InvalidArgumentError("headers: must be an object of strings");
  for (const auto& field : *object) {
    const boost::json::string* value = field.value().if_string();
    if (value == nullptr) return absl::InvalidArgumentError("headers: must be an object of strings");
    fault.headers.emplace_back(std::string(field.key()), std::string(value->data(), value->size()));
  }
  return absl::OkStatus();
}

// `retry_after` is seconds or any text, so that dates and nonsense can be sent.
absl::Status ParseRetryAfter(const boost::json::value& json, Fault& fault) {
  if (const boost::json::string* text = json.if_string()) {
    fault.retry_after.assign(text->data(), text->size());
  } else if (json.is_int64() || json.is_uint64()) {
    fault.retry_after = absl::StrCat(json.to_number<int64_t>());
  } else {
    return absl::InvalidArgumentError("retry_after: must be seconds or a string");
  }
  return absl::OkStatus();
}

absl::Status ParseMatch(const boost::json::value& json, Fault& fault) {
  JsonFields fields(json);
  fault.method = fields.String("method").value_or("");
  fault.path = fields.String("path").value_or("");
  fault.body_contains = fields.String("body_contains").value_or("");
  return fields.Finish();
}

absl::Status CheckConsistent(const Fault& fault) {
  if (fault.count < 0) return absl::InvalidArgumentError("count: must not be negative; 0 means until cleared");
  if (!fault.code.empty() && FindAulmError(fault.code) == nullptr && !fault.status) {
    return absl::InvalidArgumentError(
        absl::StrCat("code: '", fault.code, "' is not in aulm's error table; give a status with it"));
  }
  if (fault.status && (*fault.status < 100 || *fault.status > 999)) {
    return absl::InvalidArgumentError("status: must be three digits");
  }
  if (fault.drop == Fault::Drop::kBeforeRead && !fault.body_contains.empty()) {
    return absl::InvalidArgumentError("match.body_contains: nothing is known of the body with drop before_read");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Fault> ParseFault(const boost::json::value& json) {
  Fault fault;
  JsonFields fields(json);
  fault.count = fields.Integer("count").value_or(1);
  fault.code = fields.String("code").value_or("");
  fault.message = fields.String("message").value_or("");
  if (const std::optional<int64_t> status = fields.Integer("status")) fault.status = static_cast<int>(*status);
  fault.body = fields.Bytes("body").value_or("");
  fault.raw = fields.Bytes("raw").value_or("");
  fault.accepted = fields.Bool("accepted").value_or(false);
  fault.delay = fields.Milliseconds("delay_ms").value_or(absl::ZeroDuration());
  fault.reset = fields.Bool("reset").value_or(false);
  absl::Status status = ParseDrop(fields.String("drop").value_or(""), fault.drop);
  if (const boost::json::value* match = fields.Any("match")) status.Update(ParseMatch(*match, fault));
  if (const boost::json::value* headers = fields.Any("headers")) status.Update(ParseHeaders(*headers, fault));
  if (const boost::json::value* value = fields.Any("retry_after")) status.Update(ParseRetryAfter(*value, fault));
  status.Update(fields.Finish());
  if (!status.ok()) return status;
  if (!fault.body.empty() && !fault.status && fault.code.empty()) fault.status = 200;
  if (absl::Status consistent = CheckConsistent(fault); !consistent.ok()) return consistent;
  return fault;
}

boost::json::object FaultJson(const Fault& fault) {
  absl::string_view drop;
  for (const DropRow& row : kDrops) {
    if (row.drop == fault.drop) drop = row.word;
  }
  boost::json::object json{
      {"count", fault.count},
      {"match", {{"method", fault.method}, {"path", fault.path}, {"body_contains", fault.body_contains}}},
      {"delay_ms", absl::ToDoubleMilliseconds(fault.delay)},
      {"accepted", fault.accepted},
      {"drop", ToJson(drop)},
      {"reset", fault.reset},
  };
  boost::json::object headers;
  for (const auto& [name, value] : fault.headers) headers[name] = value;
  if (!headers.empty()) json["headers"] = std::move(headers);
  if (!fault.code.empty()) json["code"] = fault.code;
  if (!fault.message.empty()) json["message"] = fault.message;
  if (fault.status) json["status"] = *fault.status;
  if (!fault.body.empty()) json["body_base64"] = absl::Base64Escape(fault.body);
  if (!fault.raw.empty()) json["raw_base64"] = absl::Base64Escape(fault.raw);
  if (!fault.retry_after.empty()) json["retry_after"] = fault.retry_after;
  return json;
}

}  // namespace aulm::simulator
