#include "service/events/event_filter.h"

#include <functional>
#include <string>

#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

constexpr char kSession[] = "aaaaaaaa-0000-4000-8000-000000000001";

EventAttributes Status() {
  EventAttributes event;
  event.account = "default";
  event.session_id = kSession;
  event.peer = "+15550001";
  event.message_id = "m1";
  event.type = v1::EVENT_TYPE_MESSAGE_STATUS;
  event.status = v1::MESSAGE_STATUS_READ;
  return event;
}

EventAttributes Inbound() {
  EventAttributes event = Status();
  event.type = v1::EVENT_TYPE_INBOUND_MESSAGE;
  event.status = 0;
  return event;
}

struct Row {
  const char* name;
  std::function<void(v1::EventFilter&)> fill;
  bool matches;  // Status()
};

class EventFilterRowTest : public testing::TestWithParam<Row> {};

TEST_P(EventFilterRowTest, Decides) {
  v1::EventFilter filter;
  GetParam().fill(filter);
  EXPECT_EQ(EventFilter(filter).Matches(Status()), GetParam().matches);
}

INSTANTIATE_TEST_SUITE_P(
    EventFilterTest, EventFilterRowTest,
    testing::Values(Row{"Empty", [](v1::EventFilter&) {}, true},
                    Row{"ItsType", [](auto& filter) { filter.add_types(v1::EVENT_TYPE_MESSAGE_STATUS); }, true},
                    Row{"AnotherType", [](auto& filter) { filter.add_types(v1::EVENT_TYPE_INBOUND_MESSAGE); }, false},
                    Row{"AnyOfTheTypes",
                        [](auto& filter) {
                          filter.add_types(v1::EVENT_TYPE_INBOUND_MESSAGE);
                          filter.add_types(v1::EVENT_TYPE_MESSAGE_STATUS);
                        },
                        true},
                    Row{"ItsSession", [](auto& filter) { filter.add_session_ids(kSession); }, true},
                    Row{"ItsSessionInUpperCase",
                        [](auto& filter) { filter.add_session_ids("AAAAAAAA-0000-4000-8000-000000000001"); }, true},
                    Row{"AnotherSession",
                        [](auto& filter) { filter.add_session_ids("bbbbbbbb-0000-4000-8000-000000000001"); }, false},
                    Row{"ItsPeer", [](auto& filter) { filter.add_peers("+15550001"); }, true},
                    Row{"AnotherPeer", [](auto& filter) { filter.add_peers("+15550002"); }, false},
                    Row{"ItsMessage", [](auto& filter) { filter.add_message_ids("m1"); }, true},
                    Row{"AnotherMessage", [](auto& filter) { filter.add_message_ids("M1"); }, false},
                    Row{"ItsStatus", [](auto& filter) { filter.add_statuses(v1::MESSAGE_STATUS_READ); }, true},
                    Row{"AnotherStatus", [](auto& filter) { filter.add_statuses(v1::MESSAGE_STATUS_FAILED); }, false},
                    Row{"TestsIncluded", [](auto& filter) { filter.set_test_events(v1::TEST_EVENTS_INCLUDE); }, true},
                    Row{"TestsExcluded", [](auto& filter) { filter.set_test_events(v1::TEST_EVENTS_EXCLUDE); }, true},
                    Row{"TestsOnly", [](auto& filter) { filter.set_test_events(v1::TEST_EVENTS_ONLY); }, false},
                    Row{"AllListsMustMatch",
                        [](auto& filter) {
                          filter.add_peers("+15550001");
                          filter.add_message_ids("m2");
                        },
                        false}),
    [](const auto& row) { return row.param.name; });

TEST(EventFilterTest, AStatusFilterLeavesOutEveryEventThatIsNoStatus) {
  v1::EventFilter filter;
  filter.add_statuses(v1::MESSAGE_STATUS_READ);
  EXPECT_FALSE(EventFilter(filter).Matches(Inbound()));
}

TEST(EventFilterTest, TestDeliveriesAreIncludedExcludedOrAlone) {
  EventAttributes test = Status();
  test.test = true;
  v1::EventFilter filter;
  EXPECT_TRUE(EventFilter(filter).Matches(test));
  filter.set_test_events(v1::TEST_EVENTS_EXCLUDE);
  EXPECT_FALSE(EventFilter(filter).Matches(test));
  filter.set_test_events(v1::TEST_EVENTS_ONLY);
  EXPECT_TRUE(EventFilter(filter).Matches(test));
}

TEST(EventFilterTest, OnlyAnEmptyFilterMatchesAll) {
  EXPECT_TRUE(EventFilter().matches_all());
  EXPECT_TRUE(EventFilter(v1::EventFilter()).matches_all());
  v1::EventFilter filter;
  filter.set_test_events(v1::TEST_EVENTS_ONLY);
  EXPECT_FALSE(EventFilter(filter).matches_all());
}

TEST(EventVisibilityTest, AnAbsentSetAllowsEverything) {
  EXPECT_TRUE(EventVisibility().Allows(Status()));
  EventAttributes bare;
  EXPECT_TRUE(EventVisibility().Allows(bare));
}

TEST(EventVisibilityTest, OnlyTheListedAccountsAndSessionsAreAllowed) {
  EventVisibility visibility;
  visibility.accounts.emplace({"default"});
  EXPECT_TRUE(visibility.Allows(Status()));
  visibility.session_ids.emplace({"another"});
  EXPECT_FALSE(visibility.Allows(Status()));
  visibility.session_ids->insert(kSession);
  EXPECT_TRUE(visibility.Allows(Status()));
  visibility.accounts->clear();
  EXPECT_FALSE(visibility.Allows(Status()));
}

TEST(EventVisibilityTest, AnEventWithoutASessionIsOfNoAllowedOne) {
  EventVisibility visibility;
  visibility.session_ids.emplace({kSession});
  EventAttributes event = Status();
  event.session_id = "";
  EXPECT_FALSE(visibility.Allows(event));
}

}  // namespace
}  // namespace aulm::gateway
