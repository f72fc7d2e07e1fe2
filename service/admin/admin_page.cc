#include "service/admin/admin_page.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "service/admin/event_json.h"
#include "service/admin/event_tail.h"
#include "service/admin/form.h"
#include "service/admin/json_text.h"
#include "service/admin/page_files.h"

namespace aulm::gateway {
namespace {

constexpr absl::string_view kJson = "application/json";
constexpr absl::string_view kEventStream = "text/event-stream";
constexpr uint32_t kParkedShown = 50;
constexpr char kSignOut[] = R"(<form method="post" action="/sign-out"><button class="small">Sign out</button></form>)";
// How soon a page whose connection broke comes again.
constexpr char kRetry[] = "retry: 2000\n\n";

constexpr absl::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'";

ServedReply Make(int status, absl::string_view content_type, std::string body) {
  ServedReply reply;
  reply.status = status;
  reply.content_type = content_type;
  reply.headers = {{"cache-control", "no-store"},
                   {"content-security-policy", std::string(kPolicy)},
                   {"cross-origin-opener-policy", "same-origin"},
                   {"cross-origin-resource-policy", "same-origin"},
                   {"referrer-policy", "no-referrer"},
                   {"x-content-type-options", "nosniff"},
                   {"x-frame-options", "DENY"}};
  reply.body = std::move(body);
  return reply;
}

ServedReply Failure(int status, absl::string_view message) {
  return Make(status, kJson, boost::json::serialize(boost::json::object{{"error", {{"message", JsonText(message)}}}}));
}

ServedReply File(int status, const PageFile& file) {
  return Make(status, file.content_type, std::string(file.content));
}

// What a document needs, but no document; null for anything else.
const PageFile* FindPart(absl::string_view path) {
  const PageFile* const file = FindPageFile(path.substr(1));
  return file == nullptr || absl::StartsWith(file->content_type, "text/html") ? nullptr : file;
}

ServedReply Streamed(std::shared_ptr<ReplySource> source) {
  if (source == nullptr) return Failure(503, "too many pages are open: close one");
  ServedReply reply = Make(200, kEventStream, kRetry);
  reply.source = std::move(source);
  return reply;
}

ServedReply Redirect(std::string cookie) {
  ServedReply reply = Make(303, "", "");
  reply.headers.emplace_back("location", "/");
  reply.headers.emplace_back("set-cookie", std::move(cookie));
  return reply;
}

bool IsPagePath(absl::string_view path) {
  return FindPart(path) != nullptr || path == "/" || path == "/live" || path == "/events" || path == "/parked" ||
         path == "/configuration" || path == "/sign-in" || path == "/sign-out";
}

}  // namespace

AdminPage::AdminPage(OverviewSources sources, PageAccess::Options access, Random& random, std::string configuration)
    : sources_(sources),
      access_(std::move(access), sources.clock, random),
      configuration_(std::move(configuration)),
      feed_(OverviewFeed::Create(std::move(sources))) {}

bool AdminPage::Handle(ServedRequest& request, Reply& reply) {
  if (!IsPagePath(request.path)) return false;
  Answer(request, std::move(reply));
  return true;
}

void AdminPage::Answer(ServedRequest& request, Reply reply) {
  const bool posts = request.path == "/sign-in" || request.path == "/sign-out";
  if (posts ? request.method != "POST" : request.method != "GET" && request.method != "HEAD") {
    ServedReply refused = Failure(405, "nothing can be changed here");
    refused.headers.emplace_back("allow", posts ? "POST" : "GET, HEAD");
    return std::move(reply).Send(std::move(refused));
  }
  if (request.path == "/sign-in") return std::move(reply).Send(SignIn(request));
  if (request.path == "/sign-out") return std::move(reply).Send(Redirect(access_.SignOut()));
  if (const PageFile* const part = FindPart(request.path)) return std::move(reply).Send(File(200, *part));
  if (!access_.Allows(request)) {
    if (!access_.needs_token()) {
      return std::move(reply).Send(Failure(403, "ask for this page by the address of this machine, such as localhost"));
    }
    ServedReply refused =
        request.path == "/" ? File(401, *FindPageFile("sign_in.html")) : Failure(401, "sign in, or send the token");
    refused.headers.emplace_back("www-authenticate", "Bearer realm=\"aulm-gateway\"");
    return std::move(reply).Send(std::move(refused));
  }
  if (request.path == "/live") return std::move(reply).Send(Streamed(feed_->Open()));
  if (request.path == "/events") return std::move(reply).Send(OpenTail(request));
  if (request.path == "/parked") return AnswerParked(request, std::move(reply));
  if (request.path == "/configuration") return std::move(reply).Send(Make(200, kJson, configuration_));
  ServedReply page = File(200, *FindPageFile("index.html"));
  if (access_.needs_token()) absl::StrReplaceAll({{"<!-- sign-out -->", kSignOut}}, &page.body);
  std::move(reply).Send(std::move(page));
}

ServedReply AdminPage::SignIn(const ServedRequest& request) {
  const absl::StatusOr<Form> form = ParseForm(request.body);
  std::optional<std::string> cookie = access_.SignIn(form.ok() ? ValueOf(*form, "token") : "");
  if (cookie.has_value()) return Redirect(*std::move(cookie));
  ServedReply again = File(401, *FindPageFile("sign_in.html"));
  absl::StrReplaceAll({{"<!-- again -->", "<p role=\"alert\">That is not the token. Try again.</p>"}}, &again.body);
  return again;
}

ServedReply AdminPage::OpenTail(const ServedRequest& request) {
  absl::StatusOr<TailFilter> filter = TailFilter::Parse(request.query);
  if (!filter.ok()) return Failure(400, filter.status().message());
  return Streamed(EventTail::Open(*std::move(filter), sources_.hub, sources_.clock, tails_));
}

void AdminPage::AnswerParked(const ServedRequest& request, Reply reply) {
  const absl::StatusOr<Form> form = ParseForm(request.query);
  v1::ListParkedEventsRequest parked;
  parked.set_subscription(std::string(form.ok() ? ValueOf(*form, "subscription") : ""));
  parked.set_page_size(kParkedShown);
  sources_.subscriptions.ListParked(
      parked, [reply = std::move(reply)](absl::StatusOr<v1::ListParkedEventsResponse> response) mutable {
        std::move(reply).Send(response.ok() ? Make(200, kJson, WriteParkedEvents(*response))
                                            : Failure(503, response.status().message()));
      });
}

}  // namespace aulm::gateway
