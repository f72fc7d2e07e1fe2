#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace aulm::simulator {

// What is to happen to the next matching requests of the API, as the control API takes it (`POST /_simulator/faults`,
// README.md has the fields). A plain value.
struct Fault {
  enum class Drop {
    kNone,
    kBeforeRead,  // reset once the header is there; the body is not read, nothing is accepted
    kAfterRead,   // closed unanswered once the request is read, nothing is accepted
    kMidAnswer,   // closed after half of the answer's bytes
    kAnswer,      // processed as usual, closed unanswered: accepted, and the answer is lost
  };

  // Which requests: empty means any.
  std::string method;
  std::string path;           // a prefix of the path
  std::string body_contains;  // a part of the raw body

  int64_t count = 1;  // how many requests; 0: until cleared

  // What is answered: nothing of these set is the usual answer.
  std::string code;  // a code of the error table
  std::string message;
  std::optional<int> status;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string raw;  // the whole answer's bytes
  std::string retry_after;

  bool accepted = false;  // the send is processed all the same: statuses follow, the answer above is a lie
  absl::Duration delay;   // before the answer, after the processing
  Drop drop = Drop::kNone;
  bool reset = false;  // the drop is an RST

  // True when the answer is not the usual one.
  bool replaces_answer() const { return !code.empty() || status.has_value() || !raw.empty(); }
};

// Reads the JSON form. kInvalidArgument names the field that is wrong or unknown.
absl::StatusOr<Fault> ParseFault(const boost::json::value& json);

// The JSON form, which ParseFault reads back. Bodies stand in base64.
boost::json::object FaultJson(const Fault& fault);

}  // namespace aulm::simulator
