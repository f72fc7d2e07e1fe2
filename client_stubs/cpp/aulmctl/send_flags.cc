#include "client_stubs/cpp/aulmctl/send_flags.h"

namespace aulm::gateway::ctl {
namespace {

std::string CheckLabel(const std::string& label) {
  const size_t equals = label.find('=');
  return equals == std::string::npos || equals == 0 ? "needs the form key=value" : "";
}

}  // namespace

void SendFlags::AddTo(CLI::App& app) {
  app.add_option("--session", session, "The WhatsApp session to send from")->type_name("UUID")->required();
  app.add_option("--to", to, "The recipient's phone number, such as +966512345678")->type_name("PHONE")->required();
  app.add_option("--request-id", request_id,
                 "Your own id for this send; repeat a send with the same one (default: one is made)")
      ->type_name("ID");
  app.add_option("--label", labels, "A mark that comes back with this message's events; may be given again")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all()
      ->check(CheckLabel);
}

}  // namespace aulm::gateway::ctl
