#include "service/events/encoded_page.h"

#include <algorithm>

#include "aulm/gateway/v1/event_service.pb.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/timestamp.pb.h"
#include "service/events/cursor.h"

namespace aulm::gateway {
namespace {

using google::protobuf::Timestamp;
using google::protobuf::io::CodedOutputStream;

constexpr uint32_t LengthDelimited(int field) { return static_cast<uint32_t>(field) << 3 | 2; }
constexpr uint32_t Varint(int field) { return static_cast<uint32_t>(field) << 3; }

constexpr uint32_t kDeliveryTag = LengthDelimited(v1::EventBatch::kDeliveriesFieldNumber);
constexpr uint32_t kEventTag = LengthDelimited(v1::Delivery::kEventFieldNumber);
constexpr uint32_t kCursorTag = LengthDelimited(v1::Event::kCursorFieldNumber);
constexpr uint32_t kIngestedTag = LengthDelimited(v1::Event::kIngestedTimeFieldNumber);
constexpr uint32_t kRawBodyTag = LengthDelimited(v1::Event::kRawBodyFieldNumber);
constexpr uint32_t kSecondsTag = Varint(Timestamp::kSecondsFieldNumber);
constexpr uint32_t kNanosTag = Varint(Timestamp::kNanosFieldNumber);

size_t FieldSize(uint32_t tag, size_t length) {
  return CodedOutputStream::VarintSize32(tag) + CodedOutputStream::VarintSize32(static_cast<uint32_t>(length)) + length;
}

uint8_t* WriteHeader(uint32_t tag, size_t length, uint8_t* out) {
  out = CodedOutputStream::WriteTagToArray(tag, out);
  return CodedOutputStream::WriteVarint32ToArray(static_cast<uint32_t>(length), out);
}

uint8_t* WriteBytes(absl::string_view bytes, uint8_t* out) {
  return out + bytes.copy(reinterpret_cast<char*>(out), bytes.size());
}

// A google.protobuf.Timestamp as it stands on the wire. `ingested` lies after 1970, so that nothing is negative.
struct EncodedTime {
  explicit EncodedTime(absl::Time ingested) {
    const int64_t millis = std::max<int64_t>(0, absl::ToUnixMillis(ingested));
    uint8_t* out = bytes;
    if (const auto seconds = static_cast<uint64_t>(millis / 1000); seconds > 0) {
      out = CodedOutputStream::WriteTagToArray(kSecondsTag, out);
      out = CodedOutputStream::WriteVarint64ToArray(seconds, out);
    }
    if (const auto nanos = static_cast<uint32_t>(millis % 1000 * 1'000'000); nanos > 0) {
      out = CodedOutputStream::WriteTagToArray(kNanosTag, out);
      out = CodedOutputStream::WriteVarint32ToArray(nanos, out);
    }
    size = static_cast<size_t>(out - bytes);
  }

  uint8_t bytes[20];
  size_t size;
};

// The lengths of an event's parts on the wire.
struct Sizes {
  Sizes(const LoggedEvent& logged, size_t time_size) {
    event = logged.event.size() + FieldSize(kCursorTag, kCursorBytes) + FieldSize(kIngestedTag, time_size);
    if (!logged.raw_body.empty()) event += FieldSize(kRawBodyTag, logged.raw_body.size());
    delivery = FieldSize(kEventTag, event);
    field = FieldSize(kDeliveryTag, delivery);
  }

  size_t event;     // of the v1.Event
  size_t delivery;  // of the v1.Delivery
  size_t field;     // of the whole EventBatch.deliveries field
};

}  // namespace

std::shared_ptr<const EncodedPage> EncodedPage::EncodeAll(uint64_t epoch, uint64_t after, const EventPage& page) {
  std::shared_ptr<EncodedPage> encoded(new EncodedPage(epoch, after, page, nullptr));
  std::vector<EventAttributes> attributes;
  attributes.reserve(page.events.size());
  for (const LoggedEvent& event : page.events) attributes.push_back(event.attributes);
  encoded->KeepAttributes(attributes);
  return encoded;
}

std::shared_ptr<const EncodedPage> EncodedPage::EncodeSelected(uint64_t epoch, uint64_t after, const EventPage& page,
                                                               const EventSelection& selection) {
  return std::shared_ptr<const EncodedPage>(new EncodedPage(epoch, after, page, &selection));
}

std::shared_ptr<const EncodedPage> EncodedPage::Nothing(uint64_t after, uint64_t through) {
  return std::shared_ptr<const EncodedPage>(new EncodedPage(after, through));
}

EncodedPage::EncodedPage(uint64_t epoch, uint64_t after, const EventPage& page, const EventSelection* selection)
    : after_(after), through_{after, 0} {
  std::vector<const LoggedEvent*> selected;
  selected.reserve(page.events.size());
  size_t total = 0;
  for (const LoggedEvent& event : page.events) {
    if (selection != nullptr && !selection->Selects(event.attributes)) continue;
    selected.push_back(&event);
    total += Sizes(event, EncodedTime(event.ingested).size).field;
  }

  bytes_ = grpc::Slice(total);
  auto* const begin = const_cast<uint8_t*>(bytes_.begin());  // nobody else has seen the slice yet
  uint8_t* out = begin;
  events_.reserve(selected.size());
  for (const LoggedEvent* const event : selected) {
    const EncodedTime time(event->ingested);
    const Sizes sizes(*event, time.size);
    EncodedEvent encoded;
    encoded.sequence = event->sequence;
    encoded.fingerprint = Fingerprint(*event);
    encoded.begin = static_cast<uint32_t>(out - begin);
    out = WriteHeader(kDeliveryTag, sizes.delivery, out);
    encoded.event_begin = static_cast<uint32_t>(out - begin);
    out = WriteHeader(kEventTag, sizes.event, out);
    out = WriteBytes(event->event, out);
    out = WriteHeader(kCursorTag, kCursorBytes, out);
    EncodeCursor({epoch, encoded.sequence, encoded.fingerprint}, reinterpret_cast<char*>(out));
    out = WriteHeader(kIngestedTag, time.size, out + kCursorBytes);
    std::memcpy(out, time.bytes, time.size);
    out += time.size;
    if (!event->raw_body.empty()) {
      out = WriteHeader(kRawBodyTag, event->raw_body.size(), out);
      out = WriteBytes(event->raw_body, out);
    }
    encoded.end = static_cast<uint32_t>(out - begin);
    events_.push_back(encoded);
  }

  if (!page.events.empty()) {
    const LoggedEvent& last = page.events.back();
    const bool known = !events_.empty() && events_.back().sequence == last.sequence;
    through_ = {last.sequence, known ? events_.back().fingerprint : Fingerprint(last)};
  }
}

std::shared_ptr<const EncodedPage> EncodedPage::Merge(const std::vector<std::shared_ptr<const EncodedPage>>& pages) {
  std::shared_ptr<EncodedPage> merged(new EncodedPage(pages.front()->after(), 0));
  merged->through_ = pages.back()->through();
  size_t events = 0, bytes = 0;
  for (const auto& page : pages) {
    events += page->events_.size();
    bytes += page->bytes_.size();
  }
  merged->events_.reserve(events);
  merged->bytes_ = grpc::Slice(bytes);
  std::vector<EventAttributes> attributes;
  attributes.reserve(events);
  auto* const begin = const_cast<uint8_t*>(merged->bytes_.begin());  // nobody else has seen the slice yet
  uint32_t at = 0;
  for (const auto& page : pages) {
    std::memcpy(begin + at, page->bytes_.begin(), page->bytes_.size());
    for (EncodedEvent event : page->events_) {
      event.begin += at;
      event.event_begin += at;
      event.end += at;
      merged->events_.push_back(event);
    }
    at += static_cast<uint32_t>(page->bytes_.size());
    attributes.insert(attributes.end(), page->attributes_.begin(), page->attributes_.end());
  }
  merged->KeepAttributes(attributes);
  return merged;
}

void EncodedPage::KeepAttributes(absl::Span<const EventAttributes> attributes) {
  size_t total = 0;
  for (const EventAttributes& from : attributes) {
    total += from.account.size() + from.session_id.size() + from.peer.size() + from.message_id.size();
  }
  attribute_text_.reserve(total);  // never grows below: the views stay
  const auto keep = [this](absl::string_view text) {
    const size_t at = attribute_text_.size();
    attribute_text_.append(text.data(), text.size());
    return absl::string_view(attribute_text_.data() + at, text.size());
  };
  attributes_.reserve(attributes.size());
  for (EventAttributes kept : attributes) {
    // Most deployments have one account.
    const bool same_account = !attributes_.empty() && attributes_.back().account == kept.account;
    kept.account = same_account ? attributes_.back().account : keep(kept.account);
    kept.session_id = keep(kept.session_id);
    kept.peer = keep(kept.peer);
    kept.message_id = keep(kept.message_id);
    attributes_.push_back(kept);
  }
}

size_t EncodedPage::memory_bytes() const {
  return sizeof(*this) + bytes_.size() + attribute_text_.capacity() + events_.capacity() * sizeof(EncodedEvent) +
         attributes_.capacity() * sizeof(EventAttributes);
}

size_t EncodedPage::FirstAfter(uint64_t sequence) const {
  const auto first =
      std::upper_bound(events_.begin(), events_.end(), sequence,
                       [](uint64_t position, const EncodedEvent& event) { return position < event.sequence; });
  return static_cast<size_t>(first - events_.begin());
}

}  // namespace aulm::gateway
