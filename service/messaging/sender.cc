#include "service/messaging/sender.h"

#include <utility>

#include "service/messaging/send_in_progress.h"

namespace aulm::gateway {

std::shared_ptr<PendingSend> Sender::Prepare(Send send, Done done) {
  return std::make_shared<SendInProgress>(
      SendInProgress::Environment{accounts_, ledger_, messages_, quotas_, pacer_, retries_, slots_, clock_, in_flight_},
      std::move(send), std::move(done));
}

}  // namespace aulm::gateway
