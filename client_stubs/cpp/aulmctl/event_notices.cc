#include "client_stubs/cpp/aulmctl/event_notices.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client_stubs/cpp/aulmctl/output.h"
#include "client_stubs/cpp/aulmctl/terminal_text.h"

namespace aulm::gateway::ctl {
namespace {

std::string Because(const client::CallError& error) {
  return absl::StrCat(error.from_gateway() ? error.reason : client::CodeName(error.code), ": ", OneLine(error.message));
}

}  // namespace

client::Notices NoticesOnStderr() {
  client::Notices notices;
  const auto interrupted = std::make_shared<bool>(false);
  notices.on_started = [interrupted](const v1::Started&) {
    if (std::exchange(*interrupted, false)) Tell("aulmctl: connected again");
  };
  notices.on_gap = [](const v1::Gap& gap) { Tell(absl::StrCat("aulmctl: events were lost: ", OneLine(gap.reason()))); };
  notices.on_interrupted = [interrupted](const client::CallError& error, absl::Duration wait) {
    *interrupted = true;
    Tell(absl::StrCat("aulmctl: ", Because(error), "; trying again in ", DurationText(wait)));
  };
  notices.on_not_saved = [](const absl::Status& status) {
    Tell(absl::StrCat("aulmctl: the position is not saved: ", OneLine(std::string(status.message()))));
  };
  return notices;
}

}  // namespace aulm::gateway::ctl
