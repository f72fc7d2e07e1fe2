#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aulm/gateway/client/channel.h"
#include "client_stubs/cpp/aulmctl/commands.h"
#include "client_stubs/cpp/aulmctl/progress_line.h"
#include "client_stubs/cpp/aulmctl/send_call.h"
#include "client_stubs/cpp/aulmctl/send_flags.h"
#include "client_stubs/cpp/aulmctl/terminal_text.h"

// aulmctl send image: an image from a file, or from a URL that aulm fetches.
namespace aulm::gateway::ctl {
namespace {

struct Flags {
  SendFlags send;
  std::string file;
  std::string url;
  std::string caption;
};

// What a request can carry beside an image, with room to spare. The gateway has a lower limit for images of its own,
// 5 MiB unless configured otherwise, and names it.
constexpr size_t kMostImageBytes = client::kMaxMessageBytes - (64 << 10);
constexpr std::chrono::milliseconds kRedraw(200);

// Sends while the progress line counts the seconds. gRPC does not tell how much of a request is out.
client::CallResult<v1::SendImageResponse> Upload(const client::GatewayClient& gateway, v1::SendImageRequest request,
                                                 const client::SendOptions& options, const std::string& what,
                                                 ProgressLine& progress) {
  const auto start = std::chrono::steady_clock::now();
  auto sent = std::async(std::launch::async, [&] { return gateway.SendImage(std::move(request), options); });
  do {
    const absl::Duration elapsed = absl::FromChrono(std::chrono::steady_clock::now() - start);
    progress.Show(absl::StrCat("sending ", what, " … ", absl::ToInt64Seconds(elapsed), " s"));
  } while (sent.wait_for(kRedraw) != std::future_status::ready);
  progress.Wipe();
  return sent.get();
}

ExitCode Run(const Flags& flags, const GlobalFlags& globals) {
  if (flags.file.empty() && flags.url.empty()) return ReportUsage("an image is needed: give --file or --url");
  v1::SendImageRequest request;
  flags.send.FillIn(request);
  request.set_caption(flags.caption);
  ProgressLine progress;
  std::string what = "the image";
  if (flags.file.empty()) {
    request.set_image_url(flags.url);
  } else {
    progress.Show(absl::StrCat("reading ", OneLine(flags.file), " …"));
    absl::StatusOr<std::string> bytes = ReadWholeFile(flags.file, kMostImageBytes);
    if (!bytes.ok()) return ReportUsage(bytes.status().message());
    if (bytes->empty()) return ReportUsage(absl::StrCat(flags.file, ": is empty"));
    what = SizeText(bytes->size());
    request.mutable_image_data()->set_data(*std::move(bytes));
  }
  return Send<v1::SendImageResponse>(globals, [&](const auto& gateway, const auto& options) {
    return Upload(gateway, std::move(request), options, what, progress);
  });
}

}  // namespace

void AddSendImage(CLI::App& parent, Invocation& invocation) {
  const auto flags = std::make_shared<Flags>();
  CLI::App& app = *parent.add_subcommand("image", "Send an image");
  flags->send.AddTo(app);
  CLI::Option* const file =
      app.add_option("--file", flags->file,
                     "A JPEG, PNG, WebP or GIF file, at most 5 MiB unless the gateway says otherwise")
          ->type_name("FILE");
  app.add_option("--url", flags->url, "Instead of --file: a public https URL, which aulm fetches")
      ->type_name("URL")
      ->excludes(file);
  app.add_option("--caption", flags->caption, "Text below the image, at most 1024 characters")->type_name("TEXT");
  app.callback(
      [flags, &invocation] { invocation.run = [flags](const GlobalFlags& globals) { return Run(*flags, globals); }; });
}

}  // namespace aulm::gateway::ctl
