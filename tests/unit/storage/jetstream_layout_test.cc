// How events and state lie in JetStream: subjects, message ids, and what a stream must be.
#include <set>
#include <string>

#include "gmock/gmock.h"
#include "service/storage/delivery_key.h"
#include "service/storage/jetstream/state_subject.h"
#include "service/storage/jetstream/stored_event.h"
#include "service/storage/jetstream/stream_setup.h"

namespace aulm::gateway {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(StateSubjectTest, EveryKeyHasASubjectOfItsOwnAndComesBack) {
  std::set<std::string> subjects;
  const std::vector<std::string> keys = {"a",   "a/b",   "a.b",  "a//b", "/a", "a/",
                                         "a/.", "a/b/c", "A=_-", "/",    "..", "./."};
  for (const std::string& key : keys) {
    const std::string subject = StateSubjectOfKey(key);
    EXPECT_EQ(KeyOfStateSubject(subject), key);
    EXPECT_THAT(subject, Not(HasSubstr(".."))) << key;
    subjects.insert(subject);
  }
  EXPECT_EQ(subjects.size(), keys.size());
}

TEST(StateSubjectTest, PrefixIsAskedForByItsWholeParts) {
  EXPECT_EQ(StateWildcardOfPrefix(""), ">");
  EXPECT_EQ(StateWildcardOfPrefix("subscr"), ">");
  EXPECT_EQ(StateWildcardOfPrefix("a.b/c/"), "a/b.c.>");
  EXPECT_EQ(StateWildcardOfPrefix("a/b/c"), "a.b.>");
}

NewEvent EventOf(const std::string& account, const std::string& delivery_id) {
  NewEvent event;
  event.account = account;
  event.delivery_id = delivery_id;
  return event;
}

TEST(StoredEventTest, SubjectSaysAccountTypeAndSession) {
  NewEvent event = EventOf("shop", "d");
  event.type = 2;
  event.session_id = "0c4f7b5e-9f5c-4c87-a5a2-0d6d1f1a2b3c";
  EXPECT_EQ(EventSubject("aulm", event), "aulm.events.shop.message_status.0c4f7b5e-9f5c-4c87-a5a2-0d6d1f1a2b3c");
  event.session_id = "*.> \r\n";
  event.type = 99;
  EXPECT_EQ(EventSubject("aulm", event), "aulm.events.shop.unknown.______");
  event.session_id = "";
  EXPECT_EQ(EventSubject("aulm", event), "aulm.events.shop.unknown._");
}

TEST(StoredEventTest, NoTwoDeliveriesShareAMessageIdOrAToken) {
  const std::vector<std::string> deliveries = {"d-1",
                                               "D-1",
                                               "d 1",
                                               "ZCAx",
                                               "~bZCAx",
                                               "a/b",
                                               std::string(4000, 'x'),
                                               std::string(4001, 'x'),
                                               "0c4f7b5e-9f5c-4c87-a5a2-0d6d1f1a2b3c",
                                               std::string("\r\nNats-Msg-Id: x")};
  std::set<std::string> ids, tokens;
  for (const std::string& delivery : deliveries) {
    for (const std::string account : {"a", "b"}) {
      const std::string id = EventMessageId(EventOf(account, delivery));
      EXPECT_LT(id.size(), 256u);
      EXPECT_EQ(id.find_first_of(" \r\n"), std::string::npos);
      ids.insert(id);
      tokens.insert(DeliveryToken(DeliveryKey(account, delivery)));
    }
  }
  EXPECT_EQ(ids.size(), 2 * deliveries.size());
  EXPECT_EQ(tokens.size(), 2 * deliveries.size());
  EXPECT_EQ(EventMessageId(EventOf("a", "d-1")), "a/d-1");
  EXPECT_EQ(EventMessageId(EventOf("a", "")), "");
}

TEST(StoredEventTest, PayloadThatIsCutIsNoEvent) {
  NewEvent event = EventOf("shop", "d-1");
  event.event = "encoded";
  event.raw_body = "body";
  const std::string payload = EncodeStoredEvent(event);

  LoggedEvent read;
  ASSERT_TRUE(DecodeStoredEvent(payload, read));
  EXPECT_EQ(read.event, "encoded");
  EXPECT_EQ(read.raw_body, "body");
  EXPECT_EQ(read.delivery_id, "d-1");
  for (size_t size = 0; size < 12; ++size) EXPECT_FALSE(DecodeStoredEvent(payload.substr(0, size), read)) << size;
}

StreamDefinition Spec() {
  StreamDefinition spec;
  spec.name = "aulm-events";
  spec.subject = "aulm.events.>";
  spec.max_age = absl::Hours(24);
  spec.duplicate_window = absl::Hours(2);
  spec.keep = true;
  spec.max_age_setting = "store.retention";
  return spec;
}

TEST(StreamSetupTest, StreamAsItWasMadeIsRight) { EXPECT_TRUE(CheckStream(Spec(), StreamConfig(Spec(), 3)).ok()); }

TEST(StreamSetupTest, EveryDifferenceIsNamedWithWhatToDo) {
  StreamDefinition spec = Spec();
  spec.replicas = 3;
  boost::json::object config = StreamConfig(spec, 1);
  config["max_age"] = absl::ToInt64Nanoseconds(absl::Hours(1));
  config.erase("deny_delete");

  const absl::Status status = CheckStream(spec, config);

  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("left as it is"));
  EXPECT_THAT(status.message(),
              HasSubstr("its max_age is 3600000000000 and not 86400000000000: change the stream (nats "
                        "stream edit aulm-events --max-age), or set store.retention"));
  EXPECT_THAT(status.message(), HasSubstr("its num_replicas is 1 and not 3"));
  EXPECT_THAT(status.message(), HasSubstr("its deny_delete is false and not true: choose another store.nats.prefix"));
}

}  // namespace
}  // namespace aulm::gateway
