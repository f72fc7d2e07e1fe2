#include "service/storage/jetstream/stored_event.h"

#include <openssl/sha.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "aulm/gateway/v1/event.pb.h"
#include "service/storage/event_record.h"

namespace aulm::gateway {
namespace {

// Longer ids are kept by their SHA-256: subjects and headers are bounded, and nobody finds two with one hash.
constexpr size_t kLongestKept = 160;

constexpr size_t kLengthBytes = 4;
constexpr size_t kTimeBytes = 8;
constexpr uint64_t kCopiedBit = uint64_t{1} << 31;

void PutNumber(uint64_t number, size_t bytes, std::string& to) {
  for (size_t i = 0; i < bytes; ++i) to.push_back(static_cast<char>(number >> (8 * i)));
}

uint64_t TakeNumber(size_t bytes, absl::string_view& from) {
  uint64_t number = 0;
  for (size_t i = 0; i < bytes; ++i) number |= uint64_t{static_cast<uint8_t>(from[i])} << (8 * i);
  from.remove_prefix(bytes);
  return number;
}

bool IsPlain(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.' || c == ':';
}

std::string Sha256(absl::string_view bytes) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

std::string SubjectToken(absl::string_view text) {
  if (text.empty()) return "_";
  std::string token(text.substr(0, 64));
  for (char& c : token) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '-') c = '_';
  }
  return token;
}

absl::string_view TypeToken(int type) {
  switch (type) {
    case v1::EVENT_TYPE_INBOUND_MESSAGE:
      return "inbound_message";
    case v1::EVENT_TYPE_MESSAGE_STATUS:
      return "message_status";
    case v1::EVENT_TYPE_SESSION_STATE:
      return "session_state";
    default:
      return "unknown";
  }
}

}  // namespace

std::string EventSubject(absl::string_view prefix, const NewEvent& event) {
  return absl::StrCat(prefix, ".events.", SubjectToken(event.account), ".", TypeToken(event.type), ".",
                      SubjectToken(event.session_id));
}

std::string EncodeStoredEvent(const NewEvent& event) {
  const std::string record = EncodeEventRecord(event);
  std::string payload;
  payload.reserve(kLengthBytes + record.size() + event.raw_body.size());
  PutNumber(record.size(), kLengthBytes, payload);
  absl::StrAppend(&payload, record, event.raw_body);
  return payload;
}

std::string EncodeCopiedEvent(const NewEvent& event, absl::Time ingested) {
  const std::string record = EncodeEventRecord(event);
  std::string payload;
  payload.reserve(kLengthBytes + kTimeBytes + record.size() + event.raw_body.size());
  PutNumber(record.size() | kCopiedBit, kLengthBytes, payload);
  PutNumber(static_cast<uint64_t>(absl::ToUnixMillis(ingested)), kTimeBytes, payload);
  absl::StrAppend(&payload, record, event.raw_body);
  return payload;
}

std::string EventMessageId(const NewEvent& event) {
  const std::string& id = event.delivery_id;
  if (id.empty()) return {};
  if (id.size() > kLongestKept) return absl::StrCat(event.account, "/~h", absl::WebSafeBase64Escape(Sha256(id)));
  // "~" is no plain character, so no plain id looks like one of the others.
  if (!std::all_of(id.begin(), id.end(), IsPlain)) {
    return absl::StrCat(event.account, "/~b", absl::WebSafeBase64Escape(id));
  }
  return absl::StrCat(event.account, "/", id);
}

std::string DeliveryToken(absl::string_view delivery_key) {
  if (delivery_key.size() > kLongestKept) return absl::StrCat("h", absl::WebSafeBase64Escape(Sha256(delivery_key)));
  return absl::StrCat("k", absl::WebSafeBase64Escape(delivery_key));
}

bool DecodeStoredEvent(absl::string_view payload, LoggedEvent& event) {
  if (payload.size() < kLengthBytes) return false;
  size_t record_bytes = TakeNumber(kLengthBytes, payload);
  if ((record_bytes & kCopiedBit) != 0) {
    if (payload.size() < kTimeBytes) return false;
    record_bytes ^= kCopiedBit;
    event.ingested = absl::FromUnixMillis(static_cast<int64_t>(TakeNumber(kTimeBytes, payload)));
  }
  if (record_bytes > payload.size() || !DecodeEventRecord(payload.substr(0, record_bytes), event)) return false;
  event.raw_body = payload.substr(record_bytes);
  return true;
}

}  // namespace aulm::gateway
