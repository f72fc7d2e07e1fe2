#include "aulm/gateway/client/conversation_lanes.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace aulm::gateway::client {

ConversationLanes::ConversationLanes(int concurrency, size_t most_waiting) : most_waiting_(most_waiting) {
  for (int i = 0; i < std::max(concurrency, 1); ++i) threads_.emplace_back([this] { Work(); });
}

ConversationLanes::~ConversationLanes() { Join().IgnoreError(); }

void ConversationLanes::Submit(Task task) {
  {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(this, &ConversationLanes::RoomOrClosed));
    if (!closed_) {
      const uint64_t number = next_++;
      ++waiting_;
      const auto [lane, idle] = lanes_.try_emplace(task.conversation);
      if (idle) ready_.emplace(number, task.conversation);
      lane->second.push_back({number, std::move(task)});
      return;
    }
  }
  if (task.drop) task.drop();
}

void ConversationLanes::Close() {
  absl::flat_hash_map<std::string, std::deque<Numbered>> left;
  {
    absl::MutexLock lock(&mu_);
    closed_ = true;
    left.swap(lanes_);
    ready_.clear();
    waiting_ = 0;
  }
  for (const auto& [conversation, tasks] : left) {
    for (const Numbered& numbered : tasks) {
      if (numbered.task.drop) numbered.task.drop();
    }
  }
}

absl::Status ConversationLanes::Join() {
  Close();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  absl::MutexLock lock(&mu_);
  return failure_;
}

bool ConversationLanes::closed() const {
  absl::MutexLock lock(&mu_);
  return closed_;
}

void ConversationLanes::Work() {
  while (true) {
    Task task;
    {
      absl::MutexLock lock(&mu_);
      mu_.Await(absl::Condition(this, &ConversationLanes::ReadyOrClosed));
      if (closed_) return;
      const auto oldest = ready_.begin();
      std::deque<Numbered>& lane = lanes_.at(oldest->second);
      ready_.erase(oldest);
      task = std::move(lane.front().task);
      lane.pop_front();
      --waiting_;
    }
    const absl::Status status = task.run();
    bool failed = false;
    {
      absl::MutexLock lock(&mu_);
      if (!status.ok()) {
        failure_.Update(status);
        failed = true;
      } else if (closed_) {
        return;
      } else if (const auto lane = lanes_.find(task.conversation); lane->second.empty()) {
        lanes_.erase(lane);
      } else {
        ready_.emplace(lane->second.front().number, task.conversation);
      }
    }
    if (failed) return Close();
  }
}

std::string ConversationOf(const v1::Event& event) {
  std::string peer;
  if (event.has_inbound_message()) peer = event.inbound_message().from();
  if (event.has_message_status()) peer = event.message_status().to();
  // None of the three holds a line end; a wrong guess would only keep two conversations one after the other.
  return absl::StrCat(event.account(), "\n", event.session_id(), "\n", peer);
}

}  // namespace aulm::gateway::client
