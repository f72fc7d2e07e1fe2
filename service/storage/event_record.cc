#include "service/storage/event_record.h"

#include <cstdint>

#include "absl/strings/str_cat.h"

namespace aulm::gateway {
namespace {

constexpr uint8_t kVersion = 1;
constexpr uint8_t kTestFlag = 1;

void AppendVarint(std::string& to, uint32_t value) {
  while (value >= 0x80) {
    to.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  to.push_back(static_cast<char>(value));
}

// Takes a varint off the front; false when there is none.
bool TakeVarint(absl::string_view& from, uint32_t& value) {
  value = 0;
  for (int shift = 0; shift < 35 && !from.empty(); shift += 7) {
    const uint8_t byte = static_cast<uint8_t>(from.front());
    from.remove_prefix(1);
    value |= static_cast<uint32_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

}  // namespace

std::string EncodeEventRecord(const NewEvent& event) {
  std::string record;
  record.reserve(32 + event.account.size() + event.session_id.size() + event.peer.size() + event.message_id.size() +
                 event.delivery_id.size() + event.event.size());
  record.push_back(static_cast<char>(kVersion));
  AppendVarint(record, static_cast<uint32_t>(event.type));
  AppendVarint(record, static_cast<uint32_t>(event.status));
  AppendVarint(record, event.test ? kTestFlag : 0);
  for (const std::string* text :
       {&event.account, &event.session_id, &event.peer, &event.message_id, &event.delivery_id}) {
    AppendVarint(record, static_cast<uint32_t>(text->size()));
  }
  absl::StrAppend(&record, event.account, event.session_id, event.peer, event.message_id, event.delivery_id);
  absl::StrAppend(&record, event.event);
  return record;
}

bool DecodeEventRecord(absl::string_view record, LoggedEvent& event) {
  if (record.empty() || static_cast<uint8_t>(record.front()) != kVersion) return false;
  record.remove_prefix(1);
  EventAttributes& attributes = event.attributes;
  uint32_t type, status, flags;
  if (!TakeVarint(record, type) || !TakeVarint(record, status) || !TakeVarint(record, flags)) return false;
  attributes.type = static_cast<int>(type);
  attributes.status = static_cast<int>(status);
  attributes.test = (flags & kTestFlag) != 0;
  uint32_t sizes[5];
  for (uint32_t& size : sizes) {
    if (!TakeVarint(record, size)) return false;
  }
  absl::string_view* const texts[] = {&attributes.account, &attributes.session_id, &attributes.peer,
                                      &attributes.message_id, &event.delivery_id};
  for (int i = 0; i < 5; ++i) {
    if (sizes[i] > record.size()) return false;
    *texts[i] = record.substr(0, sizes[i]);
    record.remove_prefix(sizes[i]);
  }
  event.event = record;
  return true;
}

}  // namespace aulm::gateway
