#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace aulm::gateway {

// What breaks the rules for a page of metrics in Prometheus's text format, one line each, "<rule>: <metric>":
//   name         lower case, digits and _; a prefix of ours (aulm_, grpc_server_) or the standard process_
//   help         each family has one HELP line, before its samples, a sentence that ends in a full stop
//   type         each family has one TYPE line, before its samples
//   once         no family and no series appears twice
//   counter      counters, and they alone, end in _total; none is negative
//   unit         base units, in the name's end: seconds and bytes, never ms, kb, minutes …
//   label        label names are lower case and _; none holds a person's data (a phone number, a message's id)
//   histogram    buckets grow, end in +Inf, and +Inf equals _count; _sum is there
//   value        every value is a number, and no NaN
//   series       at most 2,000 of them
std::vector<std::string> FindBrokenMetricRules(absl::string_view page);

}  // namespace aulm::gateway
