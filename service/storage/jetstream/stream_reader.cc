#include "service/storage/jetstream/stream_reader.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/time/clock.h"

namespace aulm::gateway {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(2);
constexpr absl::Duration kLimit = absl::Seconds(4);
constexpr uint64_t kFirstWindow = 16;
constexpr uint64_t kLargestWindow = 512;

}  // namespace

StreamReader::StreamReader(JetStreamApi& api, std::string stream, std::function<void(const StreamInfo&)> on_info)
    : api_(api), stream_(std::move(stream)), on_info_(std::move(on_info)) {}

absl::StatusOr<StreamReader::Fetched> StreamReader::Fetch(uint64_t first, uint64_t last, size_t max_events,
                                                          size_t max_bytes) const {
  Fetched fetched;
  fetched.through = first - 1;
  size_t bytes = 0, counted = 0;
  uint64_t window = kFirstWindow;
  while (fetched.through < last && fetched.events.size() < max_events &&
         (bytes < max_bytes || fetched.events.empty())) {
    const uint64_t count =
        std::min({window, last - fetched.through, static_cast<uint64_t>(max_events - fetched.events.size())});
    if (absl::Status failed = FetchWindow(fetched.through + 1, count, fetched); !failed.ok()) return failed;
    for (; counted < fetched.events.size(); ++counted) bytes += fetched.events[counted]->message.data().size();
    // As many as the bytes that are left will hold, as far as one can tell from those that came.
    const size_t usual = fetched.events.empty() ? 1 : std::max<size_t>(bytes / fetched.events.size(), 1);
    const size_t left = max_bytes > bytes ? max_bytes - bytes : 0;
    window = std::clamp<uint64_t>(left / usual + 1, 1, kLargestWindow);
  }
  return fetched;
}

absl::Status StreamReader::FetchWindow(uint64_t first, uint64_t count, Fetched& fetched) const {
  std::vector<absl::StatusOr<NatsMessage>> answers(count);
  absl::BlockingCounter open(static_cast<int>(count));
  for (uint64_t i = 0; i < count; ++i) {
    api_.requests().Send(absl::StrCat("$JS.API.DIRECT.GET.", stream_), {}, absl::StrCat("{\"seq\":", first + i, "}"),
                         kTimeout, [&answers, &open, i](absl::StatusOr<NatsMessage> answer) {
                           answers[i] = std::move(answer);
                           open.DecrementCount();
                         });
  }
  open.Wait();
  for (uint64_t i = 0; i < count; ++i) {
    // The leader's answer to an earlier one may have led beyond this.
    if (first + i <= fetched.through) continue;
    absl::StatusOr<NatsMessage>& answer = answers[i];
    uint64_t sequence = 0;
    if (answer.ok() && absl::SimpleAtoi(answer->Header("Nats-Sequence"), &sequence) && sequence == first + i) {
      const absl::Time time = ParseNatsTime(answer->Header("Nats-Time-Stamp"));
      fetched.events.push_back(std::make_shared<const FetchedEvent>(sequence, time, *std::move(answer)));
      fetched.through = sequence;
      continue;
    }
    if (absl::Status failed = FetchFromLeader(first + i, fetched); !failed.ok()) return failed;
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> StreamReader::FindHead() const {
  const absl::StatusOr<StreamInfo> info = Look();
  if (!info.ok()) return info.status();
  if (!info->in_touch) return absl::UnavailableError("nats: the stream's leader is cut off from the others");
  return info->last;
}

absl::StatusOr<StreamInfo> StreamReader::Look() const {
  const absl::StatusOr<boost::json::object> answer = api_.CallNow(absl::StrCat("STREAM.INFO.", stream_), {}, kLimit);
  if (!answer.ok()) return absl::UnavailableError(answer.status().message());
  StreamInfo info = ParseStreamInfo(*answer);
  on_info_(info);
  return info;
}

absl::Status StreamReader::FetchFromLeader(uint64_t sequence, Fetched& fetched) const {
  const absl::StatusOr<StreamInfo> info = Look();
  if (!info.ok()) return info.status();
  if (sequence < info->first) {
    fetched.through = info->first - 1;
    return absl::OkStatus();
  }
  const absl::StatusOr<boost::json::object> answer =
      api_.CallNow(absl::StrCat("STREAM.MSG.GET.", stream_), {{"seq", sequence}, {"next_by_subj", ">"}}, kLimit);
  if (absl::IsNotFound(answer.status()) && !IsTransient(answer.status())) {
    // Deleted, and nothing after it.
    fetched.through = std::max(sequence, info->last);
    return absl::OkStatus();
  }
  if (!answer.ok()) return absl::UnavailableError(answer.status().message());
  const absl::StatusOr<StoredMessage> stored = ParseStoredMessage(*answer);
  if (!stored.ok()) return stored.status();
  natsMsg* copy = nullptr;
  if (natsMsg_Create(&copy, stored->subject.c_str(), nullptr, stored->data.data(),
                     static_cast<int>(stored->data.size())) != NATS_OK) {
    return absl::UnavailableError("nats: out of memory");
  }
  fetched.events.push_back(std::make_shared<const FetchedEvent>(stored->sequence, stored->time, NatsMessage(copy)));
  fetched.through = stored->sequence;
  return absl::OkStatus();
}

}  // namespace aulm::gateway
