#include "service/aulm/aulm_json.h"

#include <openssl/evp.h>

#include <algorithm>
#include <boost/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/aulm/answer_headers.h"
#include "service/base/text.h"

namespace aulm::gateway {
namespace {

namespace json = boost::json;

constexpr size_t kMaxDepth = 32;
// Ids go into tables and metadata; a longer one is no id.
constexpr size_t kMaxIdBytes = 512;
// What ErrorInfo.reason holds.
constexpr size_t kMaxCodeBytes = 63;

// One document, parsed into a small buffer of its own before the heap is touched.
class Document {
 public:
  explicit Document(absl::string_view text) : value_(json::storage_ptr(&memory_)) {
    json::parse_options options;
    options.max_depth = kMaxDepth;
    options.allow_invalid_utf8 = true;  // one bad byte in a message must not hide what became of a send
    json::error_code error;
    value_ = json::parse(json::string_view(text.data(), text.size()), error, &memory_, options);  // null on error
  }

  // The object at the top, or null.
  const json::object* root() const { return value_.if_object(); }

 private:
  unsigned char buffer_[2048];
  json::monotonic_resource memory_{buffer_, sizeof(buffer_)};
  json::value value_;
};

const json::object* ObjectAt(const json::object& object, absl::string_view key) {
  const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
  return value == nullptr ? nullptr : value->if_object();
}

// The string at `key`, or empty when it is absent or of another type.
std::string StringAt(const json::object& object, absl::string_view key) {
  const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  if (text == nullptr) return "";
  return RepairUtf8(absl::string_view(text->data(), text->size()));
}

// Appends `text` as a JSON string, quotes included.
void AppendString(absl::string_view text, std::string& json) {
  constexpr char kHex[] = "0123456789abcdef";
  json.push_back('"');
  size_t done = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    json.append(text.data() + done, i - done);
    done = i + 1;
    if (c == '"' || c == '\\') {
      json.push_back('\\');
      json.push_back(text[i]);
    } else if (c == '\n') {
      json.append("\\n");
    } else {
      json.append("\\u00");
      json.push_back(kHex[c >> 4]);
      json.push_back(kHex[c & 0xf]);
    }
  }
  json.append(text.data() + done, text.size() - done);
  json.push_back('"');
}

void AppendField(absl::string_view key, absl::string_view value, std::string& json) {
  absl::StrAppend(&json, json.empty() ? "{\"" : ",\"", key, "\":");
  AppendString(value, json);
}

void AppendBase64(absl::string_view bytes, std::string& text) {
  const size_t before = text.size();
  const size_t encoded = (bytes.size() + 2) / 3 * 4;
  text.resize(before + encoded + 1);  // EVP_EncodeBlock ends with a NUL
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()) + before,
                  reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(before + encoded);
}

}  // namespace

std::string SendTextJson(const TextSend& send) {
  std::string text;
  text.reserve(send.session_id.size() + send.to.size() + send.body.size() + send.body.size() / 16 + 48);
  AppendField("session_id", send.session_id, text);
  AppendField("to", send.to, text);
  AppendField("body", send.body, text);
  text.push_back('}');
  return text;
}

std::string SendImageJson(const ImageSend& send) {
  std::string text;
  text.reserve(send.image.url.size() + (send.image.bytes.size() + 2) / 3 * 4 + 2 * send.caption.size() + 256);
  AppendField("session_id", send.session_id, text);
  AppendField("to", send.to, text);
  if (!send.caption.empty()) AppendField("caption", send.caption, text);
  if (send.image.is_url()) {
    AppendField("image", send.image.url, text);
  } else {
    absl::StrAppend(&text, ",\"image\":\"data:", send.image.mime_type, ";base64,");
    AppendBase64(send.image.bytes, text);
    text.push_back('"');
  }
  text.push_back('}');
  return text;
}

std::optional<SendResult> ReadSendResult(const HttpResponse& response, absl::string_view session_id,
                                         absl::string_view to) {
  const Document document(response.body);
  const json::object* root = document.root();
  const json::object* data = root == nullptr ? nullptr : ObjectAt(*root, "data");
  if (data == nullptr) return std::nullopt;
  SendResult result;
  result.message_id = StringAt(*data, "message_id");
  if (result.message_id.empty() || result.message_id.size() > kMaxIdBytes) return std::nullopt;
  result.session_id = StringAt(*data, "session_id");
  if (result.session_id.empty()) result.session_id = std::string(session_id);
  result.to = StringAt(*data, "to");
  if (result.to.empty()) result.to = std::string(to);
  result.status = StringAt(*data, "status");
  const json::value* simulated = data->if_contains("simulated");
  result.simulated = simulated != nullptr && simulated->is_bool() ? simulated->get_bool()
                                                                  : absl::StartsWith(result.message_id, "sim_");
  result.aulm_request_id = ReadAulmRequestId(response, StringAt(*root, "request_id"));
  return result;
}

std::optional<SessionStatus> ReadSessionStatus(const HttpResponse& response, absl::string_view session_id) {
  const Document document(response.body);
  const json::object* root = document.root();
  const json::object* data = root == nullptr ? nullptr : ObjectAt(*root, "data");
  if (data == nullptr) return std::nullopt;
  SessionStatus result;
  result.status = StringAt(*data, "status");
  if (result.status.empty()) return std::nullopt;
  result.session_id = StringAt(*data, "session_id");
  if (result.session_id.empty()) result.session_id = std::string(session_id);
  result.aulm_request_id = ReadAulmRequestId(response, StringAt(*root, "request_id"));
  return result;
}

std::optional<AulmErrorBody> ReadErrorBody(absl::string_view body) {
  const Document document(body);
  const json::object* root = document.root();
  const json::object* error = root == nullptr ? nullptr : ObjectAt(*root, "error");
  if (error == nullptr) return std::nullopt;
  AulmErrorBody read;
  read.code = StringAt(*error, "code");
  if (read.code.empty() || read.code.size() > kMaxCodeBytes) return std::nullopt;
  if (std::none_of(read.code.begin(), read.code.end(), [](unsigned char c) { return absl::ascii_isalpha(c); })) {
    return std::nullopt;
  }
  read.message = StringAt(*error, "message");
  read.request_id = StringAt(*root, "request_id");
  return read;
}

}  // namespace aulm::gateway
