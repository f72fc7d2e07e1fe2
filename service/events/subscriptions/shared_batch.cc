#include "service/events/subscriptions/shared_batch.h"

#include <algorithm>
#include <cstring>

#include "google/protobuf/io/coded_stream.h"
#include "grpcpp/support/slice.h"

namespace aulm::gateway {
namespace {

using google::protobuf::io::CodedOutputStream;

constexpr size_t kMaxFrameBytes = 1 << 20;
constexpr size_t kTokenBytes = 80;  // and what stands around it, at most

constexpr uint8_t kBatchTag = v1::SubscribeEventsResponse::kEventBatchFieldNumber << 3 | 2;
constexpr uint8_t kDeliveryTag = v1::EventBatch::kDeliveriesFieldNumber << 3 | 2;
constexpr uint8_t kTokenTag = v1::Delivery::kAckTokenFieldNumber << 3 | 2;
constexpr uint8_t kAttemptTag = v1::Delivery::kAttemptFieldNumber << 3;

size_t VarintSize(size_t value) { return CodedOutputStream::VarintSize32(static_cast<uint32_t>(value)); }

// Of the v1.Delivery, without its own tag and length.
size_t DeliverySize(const SharedDelivery& delivery) {
  return EventBytes(*delivery.page, delivery.index) + 1 + VarintSize(delivery.ack_token.size()) +
         delivery.ack_token.size() + 1 + VarintSize(delivery.attempt);
}

uint8_t* WriteVarint(size_t value, uint8_t* out) {
  return CodedOutputStream::WriteVarint32ToArray(static_cast<uint32_t>(value), out);
}

}  // namespace

bool SharedBatch::complete() const {
  return std::all_of(deliveries.begin(), deliveries.end(),
                     [](const SharedDelivery& delivery) { return delivery.page != nullptr; });
}

size_t SharedBatch::FitFrame() const {
  size_t bytes = 0, kept = 0;
  for (; kept < deliveries.size(); ++kept) {
    bytes += EventBytes(*deliveries[kept].page, deliveries[kept].index) + kTokenBytes;
    if (kept > 0 && bytes > kMaxFrameBytes) break;
  }
  return kept;
}

absl::Status FetchBatch(EventLog& log, SharedBatch& batch) {
  const uint64_t log_epoch = log.Info().epoch;
  ReadLimits one;
  one.max_events = 1;
  one.raw_body = batch.raw_body;
  for (size_t i = 0; i < batch.handouts.size(); ++i) {
    if (batch.deliveries[i].page != nullptr) continue;
    const uint64_t sequence = batch.handouts[i].sequence;
    const absl::StatusOr<EventPage> page = log.Read(sequence - 1, one);
    if (!page.ok()) return page.status();
    if (page->events.empty() || page->events.front().sequence != sequence) continue;
    batch.deliveries[i].page = EncodedPage::EncodeSelected(log_epoch, sequence - 1, *page, EventSelection{});
  }
  return absl::OkStatus();
}

Frame EncodeWithTokens(SharedBatch& batch, const AckTokens& tokens, absl::string_view subscription_id) {
  for (size_t i = 0; i < batch.handouts.size(); ++i) {
    const Handout& handout = batch.handouts[i];
    batch.deliveries[i].ack_token =
        tokens.Encode(subscription_id, {batch.epoch, handout.delivery, handout.sequence, handout.attempt});
  }
  return EncodeSharedBatch(batch.deliveries);
}

size_t EventBytes(const EncodedPage& page, size_t index) {
  return page.events()[index].end - page.events()[index].event_begin;
}

Frame EncodeSharedBatch(const std::vector<SharedDelivery>& deliveries) {
  size_t batch = 0;
  for (const SharedDelivery& delivery : deliveries) {
    const size_t size = DeliverySize(delivery);
    batch += 1 + VarintSize(size) + size;
  }
  const grpc::Slice slice(1 + VarintSize(batch) + batch);
  auto* out = const_cast<uint8_t*>(slice.begin());  // nobody else has seen the slice yet
  *out++ = kBatchTag;
  out = WriteVarint(batch, out);
  for (const SharedDelivery& delivery : deliveries) {
    *out++ = kDeliveryTag;
    out = WriteVarint(DeliverySize(delivery), out);
    const EncodedEvent& event = delivery.page->events()[delivery.index];
    std::memcpy(out, delivery.page->bytes().begin() + event.event_begin, event.end - event.event_begin);
    out += event.end - event.event_begin;
    *out++ = kTokenTag;
    out = WriteVarint(delivery.ack_token.size(), out);
    std::memcpy(out, delivery.ack_token.data(), delivery.ack_token.size());
    out += delivery.ack_token.size();
    *out++ = kAttemptTag;
    out = WriteVarint(delivery.attempt, out);
  }
  Frame frame;
  frame.kind = FrameKind::kEventBatch;
  frame.size_bytes = slice.size();
  frame.events = deliveries.size();
  frame.bytes = grpc::ByteBuffer(&slice, 1);
  return frame;
}

}  // namespace aulm::gateway
