#include "service/http/request_grammar.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"

namespace aulm::gateway {
namespace {

namespace http = boost::beast::http;

constexpr size_t kMostDigits = 18;  // of a content-length: whatever fits is far above any limit

absl::string_view Borrow(boost::beast::string_view view) { return {view.data(), view.size()}; }

bool IsFraming(http::field field) {
  return field == http::field::host || field == http::field::content_length || field == http::field::transfer_encoding;
}

bool IsVisible(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

// What may stand in a Host field: names, addresses and ports, and nothing that could be read as a path or a list.
bool IsHost(absl::string_view host) {
  return !host.empty() && std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || absl::StrContains("-._~%:[]!$&'()*+;=", static_cast<char>(c));
  });
}

}  // namespace

RequestGrammar::RequestGrammar(ServedRequest& request, size_t most_fields, size_t header_bytes)
    : request_(request), most_fields_(most_fields) {
  header_limit(static_cast<uint32_t>(header_bytes));
  body_limit(boost::none);
}

void RequestGrammar::Fail(absl::string_view fault, Error& error) {
  fault_ = fault;
  error = http::error::bad_value;
}

void RequestGrammar::on_request_impl(http::verb, View method, View target, int version, Error& error) {
  request_.method = Borrow(method);
  request_.target = Borrow(target);
  version_ = version;
  ReadTarget(request_.target, error);
}

void RequestGrammar::ReadTarget(absl::string_view target, Error& error) {
  if (!IsVisible(target)) return Fail("a byte in the target that must be percent-encoded", error);
  if (absl::StrContains(target, '#')) return Fail("a fragment in the target", error);
  if (target == "*") {
    if (request_.method != "OPTIONS") return Fail("the target * without OPTIONS", error);
  } else if (target.front() != '/') {
    // The absolute form: every server must take it, and its authority stands above the Host field.
    absl::string_view rest = target;
    if (!absl::ConsumePrefix(&rest, "http://") && !absl::ConsumePrefix(&rest, "https://")) {
      return Fail("a target that is no path", error);
    }
    const size_t path = rest.find('/');
    if (path == absl::string_view::npos) return Fail("an absolute target without a path", error);
    if (!IsHost(rest.substr(0, path))) return Fail("an absolute target without a proper host", error);
    target = rest.substr(path);
  }
  const size_t question = target.find('?');
  request_.path = target.substr(0, question);
  request_.query = question == absl::string_view::npos ? absl::string_view() : target.substr(question + 1);
}

void RequestGrammar::on_field_impl(Field field, View name, View value, Error& error) {
  if (request_.headers.size() >= most_fields_) {
    too_many_fields_ = true;
    return Fail("too many header fields", error);
  }
  const absl::string_view text = Borrow(value);
  request_.headers.push_back({Borrow(name), text});
  if (IsFraming(field) && !text.empty() && (text.data()[-1] == '\t' || text.data()[text.size()] == '\t')) {
    return Fail("a tab beside a value that frames the request", error);  // allowed, and not read alike by everybody
  }
  switch (field) {
    case Field::host:
      if (++hosts_ > 1) return Fail("more than one host", error);
      if (!IsHost(text)) return Fail("a host that is none", error);
      return;
    case Field::content_length:
      return ReadSize(text, error);
    case Field::transfer_encoding:
      if (++codings_ > 1) return Fail("more than one transfer-encoding", error);
      if (!absl::EqualsIgnoreCase(text, "chunked")) return Fail("a transfer-encoding other than chunked", error);
      return;
    case Field::expect:
      if (!expects_continue_ && absl::EqualsIgnoreCase(text, "100-continue")) {
        expects_continue_ = true;
        return;
      }
      unknown_expectation_ = true;
      return Fail("an expectation other than 100-continue, or two", error);
    default:
      return;
  }
}

void RequestGrammar::ReadSize(absl::string_view value, Error& error) {
  if (body_size_.has_value()) return Fail("more than one content-length", error);
  const bool digits =
      !value.empty() && std::all_of(value.begin(), value.end(), [](unsigned char c) { return absl::ascii_isdigit(c); });
  uint64_t size = 0;
  if (!digits || value.size() > kMostDigits || !absl::SimpleAtoi(value, &size)) {
    return Fail("a content-length that is no plain number", error);
  }
  body_size_ = size;
}

void RequestGrammar::on_header_impl(Error& error) {
  if (version_ == 11 && hosts_ == 0) return Fail("no host", error);
  if (codings_ > 0 && body_size_.has_value()) return Fail("both content-length and transfer-encoding", error);
  if (codings_ > 0 && version_ == 10) return Fail("transfer-encoding in HTTP/1.0", error);
  if (version_ == 10) expects_continue_ = false;
}

// What follows the header is never given to Beast.
std::size_t RequestGrammar::on_body_impl(View body, Error&) { return body.size(); }
void RequestGrammar::on_body_init_impl(const boost::optional<std::uint64_t>&, Error&) {}
void RequestGrammar::on_chunk_header_impl(std::uint64_t, View, Error&) {}
std::size_t RequestGrammar::on_chunk_body_impl(std::uint64_t, View body, Error&) { return body.size(); }
void RequestGrammar::on_response_impl(int, View, int, Error& error) { error = http::error::bad_version; }
void RequestGrammar::on_finish_impl(Error&) {}

}  // namespace aulm::gateway
