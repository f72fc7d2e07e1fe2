#pragma once

#include <string>
#include <variant>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "aulm/gateway/v1/event_service.pb.h"

namespace aulm::gateway::ctl {

// Where `--from` says to start: one of the log's ends, a time, or a cursor (raw bytes).
using Start = std::variant<v1::StartPosition, absl::Time, std::string>;

// Reads "earliest", "latest", "cursor:…" (base64 or base64url), a time (RFC 3339, or a day in UTC) or a duration before
// `now` ("15m"). INVALID_ARGUMENT with what it may be.
absl::StatusOr<Start> ParseStart(absl::string_view text, absl::Time now);

// "cursor:…", as --from takes it.
std::string CursorText(absl::string_view cursor);

// The flags that say which events to show, from where on.
struct EventFlags {
  std::string from;
  std::vector<std::string> types;
  std::vector<std::string> sessions;
  std::vector<std::string> peers;
  std::vector<std::string> messages;
  std::vector<std::string> statuses;
  std::string test = "include";
  bool raw = false;

  // States the flags to the parser. `default_from`: where to start without --from.
  void AddTo(CLI::App& app, const std::string& default_from);

  // Puts them into a SubscribeEventsRequest or a ReadEventsRequest.
  template <typename Request>
  void FillIn(Request& request) const {
    *request.mutable_filter() = Filter();
    request.set_include_raw_body(raw);
    // The parser has checked it.
    const Start start = ParseStart(from, absl::Now()).value_or(v1::START_POSITION_LATEST);
    if (const auto* position = std::get_if<v1::StartPosition>(&start)) request.set_position(*position);
    if (const auto* cursor = std::get_if<std::string>(&start)) request.set_after_cursor(*cursor);
    if (const auto* time = std::get_if<absl::Time>(&start)) SetTimestamp(*time, *request.mutable_start_time());
  }

 private:
  v1::EventFilter Filter() const;
  static void SetTimestamp(absl::Time time, google::protobuf::Timestamp& timestamp);
};

}  // namespace aulm::gateway::ctl
