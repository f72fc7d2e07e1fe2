#include "tests/simulator/json_fields.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "tests/simulator/json_view.h"

namespace aulm::simulator {

JsonFields::JsonFields(const boost::json::value& value) : object_(value.if_object()) {
  if (object_ == nullptr) status_ = absl::InvalidArgumentError("a JSON object is expected");
}

void JsonFields::Fail(absl::string_view name, absl::string_view problem) {
  if (status_.ok()) status_ = absl::InvalidArgumentError(absl::StrCat(name, ": ", problem));
}

const boost::json::value* JsonFields::Any(absl::string_view name) {
  asked_.emplace_back(name);
  return object_ == nullptr ? nullptr : object_->if_contains(ToJson(name));
}

std::optional<std::string> JsonFields::String(absl::string_view name) {
  const boost::json::value* value = Any(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) {
    Fail(name, "must be a string");
    return std::nullopt;
  }
  return std::string(value->get_string().data(), value->get_string().size());
}

std::optional<int64_t> JsonFields::Integer(absl::string_view name) {
  const boost::json::value* value = Any(name);
  if (value == nullptr) return std::nullopt;
  boost::system::error_code error;
  const int64_t number = value->to_number<int64_t>(error);
  if (error) {
    Fail(name, "must be an integer");
    return std::nullopt;
  }
  return number;
}

std::optional<double> JsonFields::Number(absl::string_view name) {
  const boost::json::value* value = Any(name);
  if (value == nullptr) return std::nullopt;
  boost::system::error_code error;
  const double number = value->to_number<double>(error);
  if (error) {
    Fail(name, "must be a number");
    return std::nullopt;
  }
  return number;
}

std::optional<bool> JsonFields::Bool(absl::string_view name) {
  const boost::json::value* value = Any(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_bool()) {
    Fail(name, "must be true or false");
    return std::nullopt;
  }
  return value->get_bool();
}

std::optional<absl::Duration> JsonFields::Milliseconds(absl::string_view name) {
  const std::optional<double> number = Number(name);
  if (!number.has_value()) return std::nullopt;
  if (*number < 0) {
    Fail(name, "must not be negative");
    return std::nullopt;
  }
  return absl::Milliseconds(*number);
}

std::optional<std::string> JsonFields::Bytes(absl::string_view name) {
  const std::string base64_name = absl::StrCat(name, "_base64");
  std::optional<std::string> text = String(name);
  const std::optional<std::string> encoded = String(base64_name);
  if (!encoded.has_value()) return text;
  std::string bytes;
  if (!absl::Base64Unescape(*encoded, &bytes)) {
    Fail(base64_name, "must be base64");
    return std::nullopt;
  }
  return bytes;
}

absl::Status JsonFields::Finish() {
  if (!status_.ok()) return status_;
  for (const auto& field : *object_) {
    const absl::string_view name(field.key().data(), field.key().size());
    if (std::find(asked_.begin(), asked_.end(), name) == asked_.end()) {
      Fail(name, absl::StrCat("unknown field; known are ", [this] {
             std::string names;
             for (const std::string& asked : asked_) absl::StrAppend(&names, names.empty() ? "" : ", ", asked);
             return names;
           }()));
    }
  }
  return status_;
}

}  // namespace aulm::simulator
