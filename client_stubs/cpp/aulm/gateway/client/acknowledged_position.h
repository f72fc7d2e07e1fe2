#pragma once

#include <memory>
#include <string>

#include "aulm/gateway/client/cursor_store.h"
#include "aulm/gateway/v1/event_service.grpc.pb.h"

namespace aulm::gateway::client {

// The cursor store that is the gateway's: of a durable subscription in mode CURSOR. EventSource makes one.
class AcknowledgedPosition : public CursorStore {
 public:
  AcknowledgedPosition(const std::shared_ptr<grpc::ChannelInterface>& channel, std::string subscription);

  // Empty: the gateway starts where it stands.
  absl::StatusOr<std::string> Load() override { return std::string(); }

  // AcknowledgeEvents, with a deadline. The call's status.
  absl::Status Save(absl::string_view cursor) override;

 private:
  const std::unique_ptr<v1::EventService::Stub> stub_;
  const std::string subscription_;
};

}  // namespace aulm::gateway::client
