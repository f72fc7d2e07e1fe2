#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace aulm::simulator {

// Reads the fields of one JSON object of the control API, strictly: a field of the wrong type and a field that nobody
// asked for are errors. Read each field with its function, then ask Finish() once. `value` must outlive the reader.
class JsonFields {
 public:
  explicit JsonFields(const boost::json::value& value);

  // Absent fields leave nullopt.
  std::optional<std::string> String(absl::string_view name);
  std::optional<int64_t> Integer(absl::string_view name);
  std::optional<double> Number(absl::string_view name);
  std::optional<bool> Bool(absl::string_view name);
  std::optional<absl::Duration> Milliseconds(absl::string_view name);
  // A string from `name`, or from base64 in `name_base64`, so that any bytes can be given.
  std::optional<std::string> Bytes(absl::string_view name);
  // Any JSON value; null when absent.
  const boost::json::value* Any(absl::string_view name);

  // OK when all was well; kInvalidArgument names the first field that was not.
  absl::Status Finish();

 private:
  void Fail(absl::string_view name, absl::string_view problem);

  const boost::json::object* object_;
  std::vector<std::string> asked_;
  absl::Status status_;
};

}  // namespace aulm::simulator
