#include "tests/bench/fanout/stream_load.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "google/protobuf/io/coded_stream.h"

namespace aulm::gateway {
namespace {

using google::protobuf::io::CodedInputStream;

constexpr char kMethod[] = "/aulm.gateway.v1.EventService/SubscribeEvents";

// How many EventBatch.deliveries a frame holds.
size_t CountDeliveries(absl::string_view frame) {
  CodedInputStream in(reinterpret_cast<const uint8_t*>(frame.data()), static_cast<int>(frame.size()));
  if (in.ReadTag() != (v1::SubscribeEventsResponse::kEventBatchFieldNumber << 3 | 2)) return 0;
  uint32_t size;
  in.ReadVarint32(&size);
  size_t count = 0;
  while (const uint32_t tag = in.ReadTag()) {
    in.ReadVarint32(&size);
    in.Skip(static_cast<int>(size));
    if (tag == (v1::EventBatch::kDeliveriesFieldNumber << 3 | 2)) ++count;
  }
  return count;
}

}  // namespace

struct StreamLoad::Shared {
  size_t events_each;
  bool latencies;
  bool stalled;
  std::vector<std::unique_ptr<grpc::TemplatedGenericStub<grpc::ByteBuffer, grpc::ByteBuffer>>> stubs;
  std::atomic<int> to_start;
  std::atomic<int> to_finish;
  std::atomic<bool> any{false};
  absl::Time first;
  absl::Notification started;
  absl::Notification finished;
};

class StreamLoad::Stream final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  Stream(Shared& shared, grpc::TemplatedGenericStub<grpc::ByteBuffer, grpc::ByteBuffer>& stub,
         const grpc::ByteBuffer& request)
      : shared_(shared), request_(request) {
    stub.PrepareBidiStreamingCall(&context_, kMethod, grpc::StubOptions(), this);
    StartWriteLast(&request_, grpc::WriteOptions());
    StartRead(&frame_);
    StartCall();
  }
  ~Stream() override {
    context_.TryCancel();
    done_.WaitForNotification();
  }

  const std::vector<int64_t>& latencies() const { return latencies_; }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) return;
    std::vector<grpc::Slice> slices;
    if (!frame_.Dump(&slices).ok()) std::abort();
    gathered_.clear();
    absl::string_view bytes;
    if (slices.size() == 1) {
      bytes = absl::string_view(reinterpret_cast<const char*>(slices[0].begin()), slices[0].size());
    } else {
      for (const auto& slice : slices) gathered_.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
      bytes = gathered_;
    }
    if (!started_) {
      started_ = true;
      if (--shared_.to_start == 0) shared_.started.Notify();
    }
    const size_t count = CountDeliveries(bytes);
    if (count > 0 && !shared_.any.exchange(true)) shared_.first = absl::Now();
    if (shared_.latencies) TakeStamps(bytes);
    const bool had_all = events_ >= shared_.events_each;
    events_ += count;
    if (!had_all && events_ >= shared_.events_each && shared_.events_each > 0) {
      if (--shared_.to_finish == 0) shared_.finished.Notify();
      if (!shared_.latencies) context_.TryCancel();
    }
    if (!shared_.stalled) StartRead(&frame_);
  }

  void OnDone(const grpc::Status&) override { done_.Notify(); }

  void TakeStamps(absl::string_view bytes) {
    const int64_t now = absl::GetCurrentTimeNanos();
    for (size_t at = bytes.find("t=1"); at != absl::string_view::npos; at = bytes.find("t=1", at + 1)) {
      latencies_.push_back(now - std::strtoll(std::string(bytes.substr(at + 2, 19)).c_str(), nullptr, 10));
    }
  }

  Shared& shared_;
  grpc::ClientContext context_;
  const grpc::ByteBuffer request_;
  grpc::ByteBuffer frame_;
  std::string gathered_;
  bool started_ = false;
  size_t events_ = 0;
  std::vector<int64_t> latencies_;
  absl::Notification done_;
};

StreamLoad::StreamLoad(const std::string& address, const Options& options) : shared_(std::make_unique<Shared>()) {
  shared_->events_each = options.events_each;
  shared_->latencies = options.latencies;
  shared_->stalled = options.stalled;
  shared_->to_start = options.streams;
  shared_->to_finish = options.streams;
  for (int i = 0; i < options.connections; ++i) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    shared_->stubs.push_back(std::make_unique<grpc::TemplatedGenericStub<grpc::ByteBuffer, grpc::ByteBuffer>>(
        grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments)));
  }
  const grpc::Slice slice(options.request.SerializeAsString());
  const grpc::ByteBuffer request(&slice, 1);
  for (int i = 0; i < options.streams; ++i) {
    streams_.push_back(
        std::make_unique<Stream>(*shared_, *shared_->stubs[static_cast<size_t>(i % options.connections)], request));
  }
}

StreamLoad::~StreamLoad() = default;

void StreamLoad::WaitForStarted() {
  if (!shared_->started.WaitForNotificationWithTimeout(absl::Minutes(2))) {
    std::fprintf(stderr, "the streams did not start\n");
    std::exit(1);
  }
}

absl::Duration StreamLoad::WaitForEvents() {
  if (!shared_->finished.WaitForNotificationWithTimeout(absl::Minutes(5))) {
    std::fprintf(stderr, "the events did not come\n");
    std::exit(1);
  }
  return absl::Now() - shared_->first;
}

std::vector<absl::Duration> StreamLoad::Latencies() const {
  std::vector<absl::Duration> all;
  for (const auto& stream : streams_) {
    for (const int64_t nanos : stream->latencies()) all.push_back(absl::Nanoseconds(nanos));
  }
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace aulm::gateway
