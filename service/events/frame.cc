#include "service/events/frame.h"

#include <cstring>

#include "absl/container/inlined_vector.h"
#include "google/protobuf/io/coded_stream.h"
#include "grpcpp/support/slice.h"

namespace aulm::gateway {
namespace {

using google::protobuf::io::CodedOutputStream;

constexpr uint8_t kBatchTag = v1::SubscribeEventsResponse::kEventBatchFieldNumber << 3 | 2;
constexpr uint8_t kResumeTag = v1::EventBatch::kResumeCursorFieldNumber << 3 | 2;
constexpr size_t kResumeBytes = 2 + kCursorBytes;
// Scattered small events cost less to copy than to refer to: a slice is two atomic counts and one more piece for the
// socket to gather.
constexpr size_t kFewRuns = 4;
constexpr size_t kSmallRunBytes = 2048;

}  // namespace

Frame EncodeFrame(FrameKind kind, const v1::SubscribeEventsResponse& message) {
  const size_t size = message.ByteSizeLong();
  const grpc::Slice slice(size);
  message.SerializeWithCachedSizesToArray(const_cast<uint8_t*>(slice.begin()));
  return {kind, grpc::ByteBuffer(&slice, 1), size, 0};
}

bool BatchFrame::Add(const std::shared_ptr<const EncodedPage>& page, size_t index) {
  const EncodedEvent& event = page->events()[index];
  const size_t size = event.end - event.begin;
  if (events_ > 0 && (events_ >= max_events_ || bytes_ + size > max_bytes_)) return false;
  if (!runs_.empty() && runs_.back().end == event.begin && runs_.back().page == page) {
    runs_.back().end = event.end;
  } else {
    runs_.push_back({page, event.begin, event.end});
  }
  ++events_;
  bytes_ += size;
  return true;
}

Frame BatchFrame::Finish(const Cursor& resume) const {
  const size_t batch_bytes = bytes_ + kResumeBytes;
  uint8_t head[8];
  head[0] = kBatchTag;
  const size_t head_bytes =
      static_cast<size_t>(CodedOutputStream::WriteVarint32ToArray(static_cast<uint32_t>(batch_bytes), head + 1) - head);
  char tail[kResumeBytes];
  tail[0] = static_cast<char>(kResumeTag);
  tail[1] = static_cast<char>(kCursorBytes);
  EncodeCursor(resume, tail + 2);

  Frame frame;
  frame.kind = FrameKind::kEventBatch;
  frame.size_bytes = head_bytes + batch_bytes;
  frame.events = events_;
  if (runs_.size() > kFewRuns && bytes_ < runs_.size() * kSmallRunBytes) {
    const grpc::Slice whole(frame.size_bytes);
    auto* out = const_cast<uint8_t*>(whole.begin());
    std::memcpy(out, head, head_bytes);
    out += head_bytes;
    for (const Run& run : runs_) {
      std::memcpy(out, run.page->bytes().begin() + run.begin, run.end - run.begin);
      out += run.end - run.begin;
    }
    std::memcpy(out, tail, kResumeBytes);
    frame.bytes = grpc::ByteBuffer(&whole, 1);
    return frame;
  }
  absl::InlinedVector<grpc::Slice, 8> slices;
  slices.emplace_back(head, head_bytes);
  for (const Run& run : runs_) slices.push_back(run.page->bytes().sub(run.begin, run.end));
  slices.emplace_back(tail, kResumeBytes);
  frame.bytes = grpc::ByteBuffer(slices.data(), slices.size());
  return frame;
}

}  // namespace aulm::gateway
