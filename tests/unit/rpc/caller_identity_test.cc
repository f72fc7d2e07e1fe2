// Whom a certificate or a header names: what Envoy and Linkerd write, and what somebody hostile would.
#include "service/rpc/caller_identity.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

// "spiffe://a/b dns dns", "nobody" without a name, "refused" where it cannot be read.
std::string Shown(const absl::StatusOr<CertificateNames>& names) {
  if (!names.ok()) return "refused";
  if (names->empty()) return "nobody";
  std::vector<std::string> all = names->dns_names;
  if (!names->spiffe_id.empty()) all.insert(all.begin(), names->spiffe_id);
  return absl::StrJoin(all, " ");
}

std::string Certificate(const std::vector<std::string>& uris, const std::vector<std::string>& dns_names) {
  return Shown(NamesOfCertificate(uris, dns_names));
}

TEST(CallerIdentityTest, ACertificateNamesItsSpiffeIdAndItsDnsNames) {
  EXPECT_EQ(Certificate({"spiffe://a.b/c"}, {}), "spiffe://a.b/c");
  EXPECT_EQ(Certificate({}, {"A.example", "b.example"}), "a.example b.example");
  EXPECT_EQ(Certificate({"spiffe://a.b/c"}, {"d.example"}), "spiffe://a.b/c d.example");
  EXPECT_EQ(Certificate({"https://a.b/c"}, {"d.example"}), "d.example");
  EXPECT_EQ(Certificate({"https://a.b/c", "urn:x"}, {"d.example"}), "d.example");
  EXPECT_EQ(Certificate({}, {}), "nobody");
}

TEST(CallerIdentityTest, ASpiffeIdMustBeTheOnlyUri) {
  EXPECT_EQ(Certificate({"spiffe://a.b/c", "spiffe://a.b/d"}, {}), "refused");
  EXPECT_EQ(Certificate({"spiffe://a.b/c", "https://a.b"}, {"d.example"}), "refused");
  EXPECT_EQ(Certificate({"https://a.b", "SPIFFE://a.b/c"}, {"d.example"}), "refused");
}

TEST(CallerIdentityTest, OddBytesInANameAreRefused) {
  EXPECT_EQ(Certificate({"SPIFFE://a.b/c"}, {}), "refused");
  EXPECT_EQ(Certificate({"spiffe://a.b/c d"}, {}), "refused");
  EXPECT_EQ(Certificate({"spiffe://a.b/c\n"}, {}), "refused");
  EXPECT_EQ(Certificate({std::string("spiffe://a.b/c\0d", 16)}, {}), "refused");
  EXPECT_EQ(Certificate({"spiffe://a.b/\xc3\xa4"}, {}), "refused");
  EXPECT_EQ(Certificate({"spiffe://a.b/" + std::string(3000, 'c')}, {}), "refused");
  EXPECT_EQ(Certificate({}, {std::string("good.example\0.evil.example", 26)}), "refused");
  EXPECT_EQ(Certificate({}, {""}), "refused");
}

struct Header {
  std::string text;
  std::string names;
};

TEST(CallerIdentityTest, ReadsWhatEnvoyWrites) {
  const std::string hash = "Hash=468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688";
  const Header table[] = {
      {"By=spiffe://x/gateway;" + hash + ";Subject=\"\";URI=spiffe://x/ns/shop/sa/orders",
       "spiffe://x/ns/shop/sa/orders"},
      {"By=spiffe://x/gateway;" + hash + ";Subject=\"CN=a,OU=\\\"b;c\\\",O=d\";URI=;DNS=A.example;DNS=www.a.example",
       "a.example www.a.example"},
      {hash + ";Cert=\"-----BEGIN%20CERTIFICATE-----%0cert%3D%3D\";URI=spiffe://x/a", "spiffe://x/a"},
      {hash, "nobody"},
      {"uri=spiffe://x/a", "spiffe://x/a"},
      {"URI=\"spiffe://x/a\"", "spiffe://x/a"},
      // Appended by each proxy on the way: the nearest one's is the last.
      {"By=x;URI=spiffe://x/a,By=y;URI=spiffe://x/b", "spiffe://x/b"},
      {"By=x;URI=spiffe://x/a, By=y;URI=spiffe://x/b", "spiffe://x/b"},
      {"URI=spiffe://x/a;DNS=a.example,By=y;" + hash, "nobody"},
  };
  for (const Header& row : table) EXPECT_EQ(Shown(NamesOfForwardedClientCert(row.text)), row.names) << row.text;
}

TEST(CallerIdentityTest, RefusesWhatCanBeReadInTwoWays) {
  for (const std::string text : {
           "",
           ";",
           ",",
           "URI",
           "=spiffe://x/a",
           "URI=spiffe://x/a;",
           "URI=spiffe://x/a,",
           ",URI=spiffe://x/a",
           ";URI=spiffe://x/a",
           "URI=spiffe://x/a;;DNS=b",
           "URI=spiffe://x/a;URI=spiffe://x/b",
           "URI=spiffe://x/a;URI=https://b",
           "URI=spiffe://x/a?b=c",
           "URI=spiffe://x/a\"b",
           "URI=\"spiffe://x/a",
           "URI=\"spiffe://x/a\\",
           "URI=\"spiffe://x/a\\\"",
           "URI=\"spiffe://x/a\"b",
           "URI=\"spiffe://x/a\";b",
           "Subject=\"CN=a\"\";URI=spiffe://x/a",
           "Subject=\"CN=a\\\";URI=spiffe://x/admin",
           "U RI=spiffe://x/a",
           "URI =spiffe://x/a",
           "URI= spiffe://x/a",
           "URI=spiffe://x/a b",
           "URI=spiffe://x/a\x01",
           "URI=SPIFFE://x/a",
           "URI\x80=spiffe://x/a",
       }) {
    EXPECT_EQ(Shown(NamesOfForwardedClientCert(text)), "refused") << text;
  }
  EXPECT_EQ(Shown(NamesOfForwardedClientCert(std::string("URI=spiffe://x/a\0", 17))), "refused");
  EXPECT_EQ(Shown(NamesOfForwardedClientCert(std::string(1 << 20, '"'))), "refused");
}

TEST(CallerIdentityTest, WhatStandsInQuotesIsNoPairOfItsOwn) {
  EXPECT_EQ(Shown(NamesOfForwardedClientCert("Subject=\"CN=a,URI=spiffe://x/admin\";URI=spiffe://x/a")),
            "spiffe://x/a");
  EXPECT_EQ(Shown(NamesOfForwardedClientCert("URI=spiffe://x/a;Subject=\"\\\",URI=spiffe://x/admin\"")),
            "spiffe://x/a");
  EXPECT_EQ(Shown(NamesOfForwardedClientCert("URI=spiffe://x/a;Subject=\"\\\\\"")), "spiffe://x/a");
}

TEST(CallerIdentityTest, ReadsWhatLinkerdWrites) {
  const Header table[] = {
      {"orders.shop.serviceaccount.identity.linkerd.cluster.local",
       "orders.shop.serviceaccount.identity.linkerd.cluster.local"},
      {"Orders.shop", "orders.shop"},
      {"spiffe://root.linkerd.cluster.local/vm", "spiffe://root.linkerd.cluster.local/vm"},
      {"", "refused"},
      {"a b", "refused"},
      {"a,b", "refused"},
      {"a;b", "refused"},
      {"https://a", "refused"},
      {"spiffe://a/b c", "refused"},
      {"*", "refused"},
  };
  for (const Header& row : table) EXPECT_EQ(Shown(NamesOfLinkerdClientId(row.text)), row.names) << row.text;
}

TEST(CallerIdentityTest, ReadsAPeersAddress) {
  EXPECT_EQ(AddressOfPeer("ipv4:10.0.0.1:4711"), ParseIpAddress("10.0.0.1"));
  EXPECT_EQ(AddressOfPeer("ipv6:[::1]:4711"), ParseIpAddress("::1"));
  EXPECT_EQ(AddressOfPeer("ipv6:%5B::1%5D:4711"), ParseIpAddress("::1"));
  EXPECT_EQ(AddressOfPeer("ipv6:%5Bfe80::1%25eth0%5D:4711"), ParseIpAddress("fe80::1"));
  for (const std::string peer :
       {"", "unix:/a", "unix:", "ipv4:", "ipv4:10.0.0.1", "ipv6:::1:1", "ipv4:x:1", "10.0.0.1:1"}) {
    EXPECT_EQ(AddressOfPeer(peer), std::nullopt) << peer;
  }
}

}  // namespace
}  // namespace aulm::gateway
