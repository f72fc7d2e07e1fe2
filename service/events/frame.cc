#include "service/events/frame.h"

#include <algorithm>
#include <array>
#include <cstddef>
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
constexpr size_t kMaxHeadBytes = 1 + 5 + kResumeBytes;  // tag, length, resume cursor
// Few bytes cost less to copy than to refer to: a slice is a few atomic counts and one more piece for the socket to
// gather. A frame whose runs are on average smaller than this is one slice.
constexpr size_t kSmallRunBytes = 2048;

}  // namespace

Frame EncodeFrame(FrameKind kind, const v1::SubscribeEventsResponse& message) {
  const size_t size = message.ByteSizeLong();
  const grpc::Slice slice(size);
  message.SerializeWithCachedSizesToArray(const_cast<uint8_t*>(slice.begin()));
  return {kind, grpc::ByteBuffer(&slice, 1), size, 0};
}

size_t BatchFrame::AddRun(const std::shared_ptr<const EncodedPage>& page, size_t first, size_t last) {
  const std::vector<EncodedEvent>& events = page->events();
  last = first + std::min(last - first, max_events_ - std::min(max_events_, events_));
  if (first == last) return 0;
  const uint32_t begin = events[first].begin;
  const size_t room = max_bytes_ - std::min(max_bytes_, bytes_);
  if (events[last - 1].end - begin > room) {
    const auto too_long = std::upper_bound(
        events.begin() + static_cast<std::ptrdiff_t>(first), events.begin() + static_cast<std::ptrdiff_t>(last), room,
        [begin](size_t most, const EncodedEvent& event) { return most < event.end - begin; });
    last = static_cast<size_t>(too_long - events.begin());
    if (first == last && events_ == 0) ++last;  // one event always fits
    if (first == last) return 0;
  }
  const uint32_t end = events[last - 1].end;
  if (!runs_.empty() && runs_.back().end == begin && runs_.back().page == page) {
    runs_.back().end = end;
  } else {
    runs_.push_back({page, begin, end});
  }
  events_ += last - first;
  bytes_ += end - begin;
  return last - first;
}

Frame BatchFrame::Finish(const Cursor& resume) const {
  // The resume cursor comes first: fields may stand in any order, and so it shares a slice with the frame's head.
  std::array<uint8_t, kMaxHeadBytes> head;
  const size_t batch_bytes = bytes_ + kResumeBytes;
  head[0] = kBatchTag;
  uint8_t* end = CodedOutputStream::WriteVarint32ToArray(static_cast<uint32_t>(batch_bytes), head.data() + 1);
  *end++ = kResumeTag;
  *end++ = kCursorBytes;
  EncodeCursor(resume, reinterpret_cast<char*>(end));
  const auto head_bytes = static_cast<size_t>(end + kCursorBytes - head.data());

  Frame frame;
  frame.kind = FrameKind::kEventBatch;
  frame.size_bytes = head_bytes + bytes_;
  frame.events = events_;
  if (bytes_ < runs_.size() * kSmallRunBytes) {
    const grpc::Slice whole(frame.size_bytes);
    auto* out = const_cast<uint8_t*>(whole.begin());
    std::memcpy(out, head.data(), head_bytes);
    out += head_bytes;
    for (const Run& run : runs_) {
      std::memcpy(out, run.page->bytes().begin() + run.begin, run.end - run.begin);
      out += run.end - run.begin;
    }
    frame.bytes = grpc::ByteBuffer(&whole, 1);
    return frame;
  }
  absl::InlinedVector<grpc::Slice, 8> slices;
  slices.emplace_back(head.data(), head_bytes);
  for (const Run& run : runs_) slices.push_back(run.page->bytes().sub(run.begin, run.end));
  frame.bytes = grpc::ByteBuffer(slices.data(), slices.size());
  return frame;
}

}  // namespace aulm::gateway
