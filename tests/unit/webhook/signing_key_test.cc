#include "service/webhook/signing_key.h"

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

std::string Hex(const SignatureDigest& digest) {
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

// RFC 4231, section 4; case 5 is of a truncated digest and does not concern us.
struct Vector {
  int number;
  std::string key;
  std::string data;
  std::string digest;
};

const std::vector<Vector>& Vectors() {
  static const auto& vectors = *new std::vector<Vector>{
      {1, std::string(20, '\x0b'), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {2, "Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {3, std::string(20, '\xaa'), std::string(50, '\xdd'),
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {4, absl::HexStringToBytes("0102030405060708090a0b0c0d0e0f10111213141516171819"), std::string(50, '\xcd'),
       "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
      {6, std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First",
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {7, std::string(131, '\xaa'),
       "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be "
       "hashed before being used by the HMAC algorithm.",
       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
  };
  return vectors;
}

TEST(SigningKeyTest, SignsTheVectorsOfRfc4231) {
  for (const Vector& vector : Vectors()) {
    const auto key = SigningKey::Create(vector.key);
    ASSERT_NE(key, nullptr);
    EXPECT_EQ(Hex(*key->Sign(vector.data)), vector.digest) << "case " << vector.number;
  }
}

TEST(SigningKeyTest, SignsEachBodyAnew) {
  const Vector& vector = Vectors()[1];
  const auto key = SigningKey::Create(vector.key);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Hex(*key->Sign(vector.data)), vector.digest);
    EXPECT_NE(Hex(*key->Sign("something else")), vector.digest);
  }
}

TEST(SigningKeyTest, SignsAnEmptyBody) {
  EXPECT_EQ(Hex(*SigningKey::Create("key")->Sign("")),
            "5d5d139563c95b5967b9bd9a8c9b233a9dedb45072794cd232dc1b74832607d0");
}

TEST(SigningKeyTest, EmptySecretIsNone) { EXPECT_EQ(SigningKey::Create(""), nullptr); }

TEST(SigningKeyTest, ThreadsSignWithOneKey) {
  const Vector& vector = Vectors()[0];
  const auto key = SigningKey::Create(vector.key);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 500; ++n) ASSERT_EQ(Hex(*key->Sign(vector.data)), vector.digest);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace aulm::gateway
