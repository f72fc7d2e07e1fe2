#pragma once

#include "aulm/gateway/client/notices.h"

namespace aulm::gateway::ctl {

// Tells on stderr of interruptions, of the connection being there again, of lost events and of what was not saved.
client::Notices NoticesOnStderr();

}  // namespace aulm::gateway::ctl
