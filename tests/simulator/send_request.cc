#include "tests/simulator/send_request.h"

#include <algorithm>
#include <boost/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "tests/simulator/image_rules.h"
#include "tests/simulator/json_view.h"
#include "tests/simulator/uuid.h"

namespace aulm::simulator {
namespace {

namespace json = boost::json;

constexpr size_t kMaxTo = 20;
constexpr size_t kMaxBody = 4096;
constexpr size_t kMaxCaption = 1024;

// Code points of valid UTF-8 (Boost.JSON has checked it): every byte but continuations.
size_t CodePoints(absl::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

SendRefusal Invalid(std::string message) { return {"invalid_request", std::move(message)}; }

// The string field `name`: a refusal when it is absent or no string.
std::optional<SendRefusal> ReadString(const json::object& object, absl::string_view name, std::string& value) {
  const json::value* field = object.if_contains(ToJson(name));
  if (field == nullptr) return Invalid(absl::StrCat(name, ": required"));
  const json::string* text = field->if_string();
  if (text == nullptr) return Invalid(absl::StrCat(name, ": must be a string"));
  value.assign(text->data(), text->size());
  return std::nullopt;
}

std::optional<SendRefusal> ReadText(const json::object& object, SendRequest& request) {
  if (auto refusal = ReadString(object, "body", request.text)) return refusal;
  const size_t length = CodePoints(request.text);
  if (length < 1 || length > kMaxBody) return Invalid("body: must be 1 to 4096 characters");
  return std::nullopt;
}

std::optional<SendRefusal> ReadImage(const json::object& object, size_t max_image_bytes, SendRequest& request) {
  const json::value* image = object.if_contains("image");
  if (image == nullptr) return Invalid("image: required");
  if (!image->is_string()) return Invalid("image: must be a string");
  const json::string& text = image->get_string();
  if (absl::Status status = CheckImage({text.data(), text.size()}, max_image_bytes); !status.ok()) {
    return Invalid(std::string(status.message()));
  }
  if (!object.contains("caption")) return std::nullopt;
  if (auto refusal = ReadString(object, "caption", request.text)) return refusal;
  if (CodePoints(request.text) > kMaxCaption) return Invalid("caption: must be at most 1024 characters");
  return std::nullopt;
}

}  // namespace

bool IsE164(absl::string_view number) {
  return number.size() >= 3 && number.size() <= kMaxTo && number[0] == '+' && number[1] >= '1' && number[1] <= '9' &&
         std::all_of(number.begin() + 2, number.end(), [](unsigned char c) { return absl::ascii_isdigit(c); });
}

std::optional<SendRefusal> ParseSendRequest(SendRequest::Kind kind, absl::string_view body, size_t max_image_bytes,
                                            SendRequest& request) {
  request.kind = kind;
  unsigned char scratch[4096];  // a text send fits: no allocation
  json::monotonic_resource memory(scratch);
  boost::system::error_code error;
  const json::value value = json::parse({body.data(), body.size()}, error, &memory);
  if (error) return SendRefusal{"invalid_json", "The request body is not valid JSON."};
  const json::object* object = value.if_object();
  if (object == nullptr) return Invalid("the request body must be a JSON object");
  if (auto refusal = ReadString(*object, "session_id", request.session_id)) return refusal;
  if (!IsUuid(request.session_id)) return Invalid("session_id: must be a uuid");
  if (auto refusal = ReadString(*object, "to", request.to)) return refusal;
  if (!IsE164(request.to)) return Invalid("to: must be an E.164 number of at most 20 characters");
  return kind == SendRequest::Kind::kText ? ReadText(*object, request) : ReadImage(*object, max_image_bytes, request);
}

}  // namespace aulm::simulator
