#include "tests/simulator/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/simulator/aulm_error.h"
#include "tests/simulator/magic_number.h"
#include "tests/simulator/option_table.h"

namespace aulm::simulator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

std::string ErrorOf(const std::vector<std::string>& arguments) {
  return std::string(ParseOptions(arguments).status().message());
}

TEST(OptionsTest, ValuesStandBehindAnEqualsSignOrAsTheNextArgument) {
  const auto options = ParseOptions({"--status-delay-ms=2.5", "--daily-limit", "7", "--echo"});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->follow_up.status_delay, absl::Milliseconds(2.5));
  EXPECT_EQ(options->daily_limit, 7);
  EXPECT_TRUE(options->follow_up.echo);
}

TEST(OptionsTest, KeysNameStateAndAccount) {
  const auto options = ParseOptions({"--key", "alm_sk_live_a", "--key", "alm_sk_test_b=expired@other"});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->keys[0].account, "default");
  EXPECT_EQ(options->keys[1].text, "alm_sk_test_b");
  EXPECT_EQ(options->keys[1].state, ApiKey::State::kExpired);
  EXPECT_EQ(options->keys[1].account, "other");
}

TEST(OptionsTest, WebhookUrlsMayNameTheirAccount) {
  const auto options = ParseOptions({"--webhook-url=http://h/p?q=1", "--webhook-url=second=https://h/p?q=1"});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_THAT(options->webhook_urls, ElementsAre(Pair("default", "http://h/p?q=1"), Pair("second", "https://h/p?q=1")));
}

TEST(OptionsTest, BadArgumentsSayWhatIsExpected) {
  EXPECT_THAT(ErrorOf({"--nonsense"}), HasSubstr("--nonsense: unknown argument"));
  EXPECT_THAT(ErrorOf({"stray"}), HasSubstr("stray: unknown argument"));
  EXPECT_THAT(ErrorOf({"--seed"}), HasSubstr("--seed: needs N"));
  EXPECT_THAT(ErrorOf({"--echo=1"}), HasSubstr("--echo: takes no value"));
  EXPECT_THAT(ErrorOf({"--daily-limit=many"}), HasSubstr("whole number"));
  EXPECT_THAT(ErrorOf({"--daily-limit=-1"}), HasSubstr("whole number"));
  EXPECT_THAT(ErrorOf({"--fault-drop=1.5"}), HasSubstr("from 0 to 1"));
  EXPECT_THAT(ErrorOf({"--fault-drop=nan"}), HasSubstr("from 0 to 1"));
  EXPECT_THAT(ErrorOf({"--status-delay-ms=-1"}), HasSubstr("0 or more"));
  EXPECT_THAT(ErrorOf({"--listen=localhost:80"}), HasSubstr("no literal address"));
  EXPECT_THAT(ErrorOf({"--listen=127.0.0.1:99999"}), HasSubstr("0 and 65535"));
  EXPECT_THAT(ErrorOf({"--key=secret"}), HasSubstr("alm_sk_live_"));
  EXPECT_THAT(ErrorOf({"--key=alm_sk_live_x=gone"}), HasSubstr("active, revoked, expired"));
  EXPECT_THAT(ErrorOf({"--session=main=connected"}), HasSubstr("not a uuid"));
  EXPECT_THAT(ErrorOf({"--session=00000000-0000-4000-8000-000000000001"}), HasSubstr("UUID=STATE"));
  EXPECT_THAT(ErrorOf({"--webhook-url=ftp://x"}), HasSubstr("http://"));
  EXPECT_THAT(ErrorOf({"--statuses=sent,seen"}), HasSubstr("'seen' is not one of"));
  EXPECT_THAT(ErrorOf({"--tls-cert=x.pem"}), HasSubstr("go together"));
  EXPECT_THAT(ErrorOf({"--webhook-concurrency=0"}), HasSubstr("at least one"));
}

TEST(OptionsTest, HelpTellsEveryArgumentKeySessionAndMagicNumber) {
  const std::string help = HelpText();
  for (const OptionRow& row : OptionTable()) EXPECT_THAT(help, HasSubstr(std::string(row.name)));
  for (const MagicNumber& magic : MagicNumbers()) EXPECT_THAT(help, HasSubstr(std::string(magic.number)));
  EXPECT_THAT(help, HasSubstr("alm_sk_live_simulator"));
  EXPECT_THAT(help, HasSubstr(std::string(SessionTable::kConnected)));
}

TEST(MagicNumberTest, EveryRowOfTheErrorTableHasANumber) {
  for (const AulmErrorRow& row : AulmErrorTable()) {
    bool found = false;
    for (const MagicNumber& magic : MagicNumbers()) {
      found = found || (magic.effect == MagicNumber::Effect::kError && magic.code == row.code);
    }
    EXPECT_TRUE(found) << row.code;
  }
}

}  // namespace
}  // namespace aulm::simulator
