#include <cstdio>
#include <memory>
#include <string>

#include "client_stubs/cpp/aulmctl/commands.h"
#include "client_stubs/cpp/aulmctl/send_call.h"
#include "client_stubs/cpp/aulmctl/send_flags.h"

// aulmctl send text: one text message, from the command line or from stdin.
namespace aulm::gateway::ctl {
namespace {

struct Flags {
  SendFlags send;
  std::string body;
};

// Far above the 4096 characters that a text may have, which the gateway checks.
constexpr size_t kMostStdinBytes = 1 << 20;

// All of stdin, less the line end that echo adds.
absl::StatusOr<std::string> ReadStdin() {
  std::string text(kMostStdinBytes, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), stdin));
  if (std::ferror(stdin)) return absl::InvalidArgumentError("stdin cannot be read");
  if (std::fgetc(stdin) != EOF) return absl::InvalidArgumentError("stdin has more than a text message may hold");
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

ExitCode Run(const Flags& flags, const GlobalFlags& globals) {
  v1::SendTextRequest request;
  flags.send.FillIn(request);
  request.set_body(flags.body);
  if (flags.body == "-") {
    const absl::StatusOr<std::string> text = ReadStdin();
    if (!text.ok()) return ReportUsage(text.status().message());
    request.set_body(*text);
  }
  return Send<v1::SendTextResponse>(
      globals, [&](const auto& gateway, const auto& options) { return gateway.SendText(request, options); });
}

}  // namespace

void AddSendText(CLI::App& parent, Invocation& invocation) {
  const auto flags = std::make_shared<Flags>();
  CLI::App& app = *parent.add_subcommand("text", "Send a text message");
  flags->send.AddTo(app);
  app.add_option("body", flags->body, "The text; - reads it from stdin; put -- before one that begins with a dash")
      ->type_name("BODY")
      ->required();
  app.callback(
      [flags, &invocation] { invocation.run = [flags](const GlobalFlags& globals) { return Run(*flags, globals); }; });
}

}  // namespace aulm::gateway::ctl
