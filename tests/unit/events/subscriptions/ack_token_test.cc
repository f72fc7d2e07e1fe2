#include "service/events/subscriptions/ack_token.h"

#include <string>

#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

constexpr AckToken kToken{3, 1'000'000, 123'456'789'012, 7};

TEST(AckTokenTest, WhatWasEncodedIsReadBack) {
  const AckTokens tokens(std::string(32, 'k'));
  const std::string bytes = tokens.Encode("bot", kToken);
  EXPECT_LE(bytes.size(), 64u);
  const std::optional<AckToken> read = tokens.Decode("bot", bytes);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->epoch, kToken.epoch);
  EXPECT_EQ(read->delivery, kToken.delivery);
  EXPECT_EQ(read->sequence, kToken.sequence);
  EXPECT_EQ(read->attempt, kToken.attempt);
}

TEST(AckTokenTest, EveryChangedByteIsNoticed) {
  const AckTokens tokens(std::string(32, 'k'));
  const std::string bytes = tokens.Encode("bot", kToken);
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(tokens.Decode("bot", changed).has_value()) << i;
    EXPECT_FALSE(tokens.Decode("bot", bytes.substr(0, i)).has_value()) << i;
  }
}

TEST(AckTokenTest, ATokenFitsOneSubscriptionAndOneKey) {
  const AckTokens tokens(std::string(32, 'k'));
  const std::string bytes = tokens.Encode("bot", kToken);
  EXPECT_FALSE(tokens.Decode("other", bytes).has_value());
  EXPECT_FALSE(AckTokens(std::string(32, 'x')).Decode("bot", bytes).has_value());
}

}  // namespace
}  // namespace aulm::gateway
