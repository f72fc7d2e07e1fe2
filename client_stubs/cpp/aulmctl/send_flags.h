#pragma once

#include <string>
#include <vector>

#include "CLI/CLI.hpp"

namespace aulm::gateway::ctl {

// The flags that every send takes.
struct SendFlags {
  std::string session;
  std::string to;
  std::string request_id;
  std::vector<std::string> labels;  // "key=value", checked by the parser

  // States the flags to the parser.
  void AddTo(CLI::App& app);

  // Puts them into a SendTextRequest or a SendImageRequest.
  template <typename Request>
  void FillIn(Request& request) const {
    request.set_session_id(session);
    request.set_to(to);
    request.set_request_id(request_id);
    for (const std::string& label : labels) {
      const size_t equals = label.find('=');
      (*request.mutable_labels())[label.substr(0, equals)] = label.substr(equals + 1);
    }
  }
};

}  // namespace aulm::gateway::ctl
