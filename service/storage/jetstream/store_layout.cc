#include "service/storage/jetstream/store_layout.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"

namespace aulm::gateway {
namespace {

// Deliveries that come again within it are known even before their mark can be read on every server.
constexpr absl::Duration kDuplicateWindow = absl::Hours(2);
// An event holds its body as it came and the text of it decoded, whose bytes that are no UTF-8 have grown threefold;
// and attributes, labels, a subject and headers.
constexpr size_t kBodyTimes = 4;
constexpr size_t kBesideBody = 64 << 10;

constexpr absl::string_view kCopied = "aulm-gateway: copied from the log ";
constexpr absl::string_view kCopying = "aulm-gateway: being copied from the log ";

}  // namespace

StreamDefinition EventsStream(const StoreOptions& options) {
  StreamDefinition spec;
  spec.name = absl::StrCat(options.nats.prefix, "-events");
  spec.subject = absl::StrCat(options.nats.prefix, ".events.>");
  spec.replicas = options.nats.replicas;
  spec.max_age = options.retention;
  spec.max_bytes = static_cast<int64_t>(options.max_bytes);
  spec.duplicate_window = std::min(kDuplicateWindow, options.retention);
  spec.direct = true;
  spec.keep = true;
  spec.max_age_setting = "store.retention";
  spec.max_bytes_setting = "store.max_bytes";
  return spec;
}

StreamDefinition DeliveriesStream(const StoreOptions& options) {
  StreamDefinition spec;
  const std::string bucket = absl::StrCat(options.nats.prefix, "-deliveries");
  spec.name = absl::StrCat("KV_", bucket);
  spec.subject = absl::StrCat("$KV.", bucket, ".>");
  spec.replicas = options.nats.replicas;
  spec.max_age = options.dedupe_retention;
  spec.max_per_subject = 1;
  spec.duplicate_window = absl::Minutes(2);
  spec.direct = true;
  spec.max_age_setting = "store.dedupe_retention";
  return spec;
}

absl::Status CheckMaxPayload(size_t max_payload, size_t max_body) {
  const size_t needed = kBodyTimes * max_body + kBesideBody;
  if (max_payload >= needed) return absl::OkStatus();
  std::string less;
  if (max_payload > kBesideBody) {
    less = absl::StrCat(", or limits.webhook_body_bytes to ", (max_payload - kBesideBody) / kBodyTimes);
  }
  return absl::FailedPreconditionError(
      absl::StrCat("the NATS server takes messages of at most ", max_payload, " bytes, but an event with a body of ",
                   max_body, " can have ", needed, ": set max_payload in the server's configuration to 8MB", less));
}

std::string DescribeOrigin(const LogOrigin& origin) {
  return absl::StrCat(origin.complete ? kCopied : kCopying, absl::Hex(origin.epoch, absl::kZeroPad16));
}

LogOrigin OriginOf(const StreamInfo& info) {
  LogOrigin origin;
  const boost::json::value* const found = info.config.if_contains("description");
  if (found == nullptr || !found->is_string()) return origin;
  absl::string_view text(found->get_string().data(), found->get_string().size());
  if (absl::ConsumePrefix(&text, kCopying)) {
    origin.complete = false;
  } else if (!absl::ConsumePrefix(&text, kCopied)) {
    return origin;
  }
  if (!absl::SimpleHexAtoi(text, &origin.epoch)) origin.epoch = 0;
  return origin;
}

}  // namespace aulm::gateway
