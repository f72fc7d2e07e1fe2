#include "service/storage/event_record.h"

#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

NewEvent SomeEvent() {
  NewEvent event;
  event.account = "default";
  event.session_id = std::string(300, 's');  // a length that takes two bytes
  event.peer = "+966512345678";
  event.message_id = std::string("\0\xff", 2);
  event.type = 1000;
  event.status = -1;
  event.test = true;
  event.delivery_id = "d-1";
  event.event = "encoded";
  return event;
}

TEST(EventRecordTest, EverythingComesBack) {
  const NewEvent event = SomeEvent();
  const std::string record = EncodeEventRecord(event);
  LoggedEvent decoded;

  ASSERT_TRUE(DecodeEventRecord(record, decoded));

  EXPECT_EQ(decoded.attributes.account, event.account);
  EXPECT_EQ(decoded.attributes.session_id, event.session_id);
  EXPECT_EQ(decoded.attributes.peer, event.peer);
  EXPECT_EQ(decoded.attributes.message_id, event.message_id);
  EXPECT_EQ(decoded.attributes.type, event.type);
  EXPECT_EQ(decoded.attributes.status, event.status);
  EXPECT_EQ(decoded.attributes.test, event.test);
  EXPECT_EQ(decoded.delivery_id, event.delivery_id);
  EXPECT_EQ(decoded.event, event.event);
}

TEST(EventRecordTest, CutRecordNeverDecodesBeyondItsEnd) {
  const std::string record = EncodeEventRecord(SomeEvent());
  for (size_t size = 0; size < record.size(); ++size) {
    const std::string cut = record.substr(0, size);  // a buffer of its own, for the address sanitizer
    LoggedEvent decoded;
    const bool is_decoded = DecodeEventRecord(cut, decoded);
    // Only the event at the end may be shorter without notice: SQLite keeps the record's length.
    EXPECT_EQ(is_decoded, size >= record.size() - SomeEvent().event.size()) << size;
  }
}

TEST(EventRecordTest, RecordOfAnotherVersionIsRefused) {
  std::string record = EncodeEventRecord(SomeEvent());
  record[0] = 2;
  LoggedEvent decoded;

  EXPECT_FALSE(DecodeEventRecord(record, decoded));
}

}  // namespace
}  // namespace aulm::gateway
