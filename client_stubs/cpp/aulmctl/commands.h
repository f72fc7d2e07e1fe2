#pragma once

#include "CLI/CLI.hpp"
#include "client_stubs/cpp/aulmctl/invocation.h"

// Each function adds one command, below `parent`, from the file of its name. `invocation` must outlive the parsing.
namespace aulm::gateway::ctl {

void AddSendText(CLI::App& parent, Invocation& invocation);
void AddSendImage(CLI::App& parent, Invocation& invocation);
void AddSessionStatus(CLI::App& parent, Invocation& invocation);
void AddEventsFollow(CLI::App& parent, Invocation& invocation);
void AddEventsRead(CLI::App& parent, Invocation& invocation);
// Several: everything that stands below subscriptions.
void AddSubscriptions(CLI::App& parent, Invocation& invocation);
// `parent` is the whole program: what is completed is read off it when the command runs.
void AddCompletion(CLI::App& parent, Invocation& invocation);

}  // namespace aulm::gateway::ctl
