#pragma once

#include <functional>
#include <memory>
#include <string>

#include "nats/nats.h"
#include "service/storage/jetstream/nats_loop.h"
#include "service/storage/jetstream/nats_message.h"

namespace aulm::gateway {

// A subscription on whichever connection of nats.c there is just now. Destroying it waits until its function is not
// running and will not run. Used by NatsConnection alone, which sees to it that nothing here runs twice at once.
class NatsSubscription {
 public:
  virtual ~NatsSubscription() = default;

  // Leaves the connection of before, which is closed, for `connection`.
  virtual natsStatus Start(natsConnection* connection) = 0;
};

// One with a thread of nats.c's own, which calls `on_message`, message by message.
std::unique_ptr<NatsSubscription> MakeThreadSubscription(std::string subject,
                                                         std::function<void(NatsMessage)> on_message);

// One whose messages the loop takes out of the connection that it drives.
std::unique_ptr<NatsSubscription> MakeLoopSubscription(std::string subject, NatsLoop& loop,
                                                       NatsLoop::Receiver receiver);

}  // namespace aulm::gateway
