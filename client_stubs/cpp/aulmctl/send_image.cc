#include <chrono>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "aulm/gateway/client/channel.h"
#include "aulm/gateway/v1/messaging_service.grpc.pb.h"
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
constexpr absl::Duration kRedraw = absl::Milliseconds(200);

// Makes the call while the progress line counts the seconds. gRPC does not tell how much of a request is out.
grpc::Status Upload(v1::MessagingService::Stub& stub, grpc::ClientContext* context, const v1::SendImageRequest& request,
                    v1::SendImageResponse* response, const std::string& what, ProgressLine& progress) {
  const auto start = std::chrono::steady_clock::now();
  grpc::Status status;
  absl::Notification done;
  stub.async()->SendImage(context, &request, response, [&](grpc::Status result) {
    status = std::move(result);
    done.Notify();
  });
  do {
    const absl::Duration elapsed = absl::FromChrono(std::chrono::steady_clock::now() - start);
    progress.Show(absl::StrCat("sending ", what, " … ", absl::ToInt64Seconds(elapsed), " s"));
  } while (!done.WaitForNotificationWithTimeout(kRedraw));
  return status;
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
  return Send<v1::SendImageResponse>(globals, [&](const auto& channel, auto* context, auto* response) {
    const auto stub = v1::MessagingService::NewStub(channel);
    grpc::Status status = Upload(*stub, context, request, response, what, progress);
    progress.Wipe();
    return status;
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
