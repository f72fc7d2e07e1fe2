#include "service/events/subscriptions/shared_batch.h"

#include <cstring>

#include "google/protobuf/io/coded_stream.h"
#include "grpcpp/support/slice.h"

namespace aulm::gateway {
namespace {

using google::protobuf::io::CodedOutputStream;

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
