// aulm's words and what the contract makes of them; every other word is the value that says "not known".
#include "service/base/vocabulary.h"

#include <gtest/gtest.h>

#include <string>

namespace aulm::gateway {
namespace {

TEST(VocabularyTest, MessageStatusesHaveTheirValues) {
  EXPECT_EQ(MessageStatusOf("sent"), v1::MESSAGE_STATUS_SENT);
  EXPECT_EQ(MessageStatusOf("delivered"), v1::MESSAGE_STATUS_DELIVERED);
  EXPECT_EQ(MessageStatusOf("read"), v1::MESSAGE_STATUS_READ);
  EXPECT_EQ(MessageStatusOf("played"), v1::MESSAGE_STATUS_PLAYED);
  EXPECT_EQ(MessageStatusOf("failed"), v1::MESSAGE_STATUS_FAILED);
}

TEST(VocabularyTest, SessionStatesHaveTheirValues) {
  EXPECT_EQ(SessionStateOf("connected"), v1::SESSION_STATE_CONNECTED);
  EXPECT_EQ(SessionStateOf("disconnected"), v1::SESSION_STATE_DISCONNECTED);
  EXPECT_EQ(SessionStateOf("awaiting_scan"), v1::SESSION_STATE_AWAITING_SCAN);
}

TEST(VocabularyTest, EventNamesHaveTheirValues) {
  EXPECT_EQ(EventTypeOf("inbound_message"), v1::EVENT_TYPE_INBOUND_MESSAGE);
  EXPECT_EQ(EventTypeOf("message_status"), v1::EVENT_TYPE_MESSAGE_STATUS);
}

TEST(VocabularyTest, WordsAreComparedToTheLetter) {
  for (const std::string word :
       {"", "Sent", " sent", "sent ", "SENT", "queued", "Connected", "banned", "Inbound_Message", "message.status"}) {
    EXPECT_EQ(MessageStatusOf(word), v1::MESSAGE_STATUS_UNSPECIFIED) << word;
    EXPECT_EQ(SessionStateOf(word), v1::SESSION_STATE_OTHER) << word;
    EXPECT_EQ(EventTypeOf(word), v1::EVENT_TYPE_UNKNOWN) << word;
  }
}

}  // namespace
}  // namespace aulm::gateway
