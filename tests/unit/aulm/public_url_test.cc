// Which URLs of callers' are passed on to aulm, and which base URLs are called.
#include "service/aulm/public_url.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace aulm::gateway {
namespace {

class PublicUrlTest : public testing::TestWithParam<const char*> {};
TEST_P(PublicUrlTest, IsTaken) { EXPECT_EQ(CheckPublicHttpsUrl(GetParam()), absl::OkStatus()); }

INSTANTIATE_TEST_SUITE_P(Urls, PublicUrlTest,
                         testing::Values("https://example.com", "https://example.com/a.png", "HTTPS://EXAMPLE.COM/A",
                                         "https://example.com:8443/a?b=c#d", "https://example.com./a",
                                         "https://cdn-1.a_b.example.com/x", "https://xn--mller-kva.example/",
                                         "https://example.com/caf\xC3\xA9.png",
                                         "https://example.com?u=http://10.0.0.1/", "https://93.184.216.34/a",
                                         "https://0x5db8d822/", "https://1572395042/", "https://172.32.0.1/",
                                         "https://172.15.255.255/", "https://100.128.0.1/", "https://11.0.0.1/",
                                         "https://192.169.0.1/", "https://223.255.255.255/",
                                         "https://[2606:2800:220:1::1]/", "https://[::ffff:93.184.216.34]:443/a",
                                         "https://[64:ff9b::5db8:d822]/", "https://localhost.example.com/",
                                         "https://10.example.com/", "https://notlocal.com/", "https://1.2.3.4.com/"));

class RefusedUrlTest : public testing::TestWithParam<std::string> {};
TEST_P(RefusedUrlTest, IsRefusedWithAReason) {
  const absl::Status status = CheckPublicHttpsUrl(GetParam());
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(status.message().empty());
}

INSTANTIATE_TEST_SUITE_P(Schemes, RefusedUrlTest,
                         testing::Values("", "example.com/a.png", "//example.com/a", "http://example.com/a",
                                         "ftp://example.com/a", "file:///etc/passwd", "https:/example.com",
                                         "https:example.com", "javascript://example.com", " https://example.com",
                                         "https://"));
INSTANTIATE_TEST_SUITE_P(
    Hosts, RefusedUrlTest,
    testing::Values("https://user@example.com/", "https://user:pass@example.com/", "https://example.com@10.0.0.1/",
                    "https://example.com\\@10.0.0.1/", "https:///a", "https://:443/a", "https://./", "https://example",
                    "https://a..example.com/", "https://.example.com/", "https://exa mple.com/",
                    std::string("https://example.com/\r\nHost: x"), std::string("https://example.com/\0a", 22),
                    "https://example.com:/", "https://example.com:0/", "https://example.com:65536/",
                    "https://example.com:44a/", "https://example.com:443:443/", "https://ex%61mple.com/",
                    "https://m\xC3\xBCller.example/", "https://\xEF\xBC\x91\xEF\xBC\x92\xEF\xBC\x97.0.0.1/",
                    absl::StrCat("https://", std::string(64, 'a'), ".com/"),
                    absl::StrCat("https://", std::string(260, 'a'), "/")));
INSTANTIATE_TEST_SUITE_P(LocalNames, RefusedUrlTest,
                         testing::Values("https://localhost/", "https://LOCALHOST:8443/", "https://localhost./",
                                         "https://a.localhost/", "https://printer.local/", "https://printer.local./",
                                         "https://vault.internal/", "https://box.home.arpa/", "https://nas.lan/"));
INSTANTIATE_TEST_SUITE_P(
    Ipv4, RefusedUrlTest,
    testing::Values("https://127.0.0.1/", "https://127.0.0.1./", "https://127.255.255.254/", "https://127.1/",
                    "https://2130706433/", "https://0x7f000001/", "https://0x7f.1/", "https://0X7F.0.0.1/",
                    "https://017700000001/", "https://0177.0.0.01/", "https://10.0.0.1/", "https://10.1/",
                    "https://167772161/", "https://172.16.0.1/", "https://172.31.255.255/", "https://192.168.1.1/",
                    "https://192.168.257/", "https://169.254.169.254/latest/", "https://2852039166/",
                    "https://0.0.0.0/", "https://0/", "https://0x/", "https://100.64.0.1/", "https://100.127.255.255/",
                    "https://192.0.0.1/", "https://192.0.2.1/", "https://198.18.0.1/", "https://198.51.100.7/",
                    "https://203.0.113.9/", "https://224.0.0.1/", "https://239.255.255.255/", "https://240.0.0.1/",
                    "https://255.255.255.255/", "https://256.0.0.1/", "https://1.2.3.4.5/", "https://1.2.3.08/",
                    "https://4294967296/", "https://99999999999999999999/", "https://example.1/", "https://foo.0x10/"));
INSTANTIATE_TEST_SUITE_P(Ipv6, RefusedUrlTest,
                         testing::Values("https://[::1]/", "https://[0:0:0:0:0:0:0:1]/", "https://[::]/",
                                         "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/",
                                         "https://[::ffff:10.0.0.1]/", "https://[::ffff:a9fe:a9fe]/",
                                         "https://[::127.0.0.1]/", "https://[::93.184.216.34]/", "https://[fe80::1]/",
                                         "https://[fe80::1%25eth0]/", "https://[febf::1]/", "https://[fec0::1]/",
                                         "https://[fc00::1]/", "https://[fd12:3456::1]/", "https://[ff02::1]/",
                                         "https://[2001:db8::1]/", "https://[2001::1]/", "https://[2002:7f00:1::]/",
                                         "https://[2002:a00:1::]/", "https://[64:ff9b::a00:1]/", "https://[100::1]/",
                                         "https://[::1/", "https://[]/", "https://[12345::]/", "https://[::1]x/",
                                         "https://::1/"));

TEST(CheckBaseUrlTest, HttpsAndPlainLoopbackAreTaken) {
  for (const char* url :
       {"https://api.aulm.io", "https://api.aulm.io/", "https://proxy.internal:8443/aulm", "https://10.0.0.5",
        "http://127.0.0.1:8080", "http://127.8.8.8", "http://localhost:1", "http://[::1]:8080"}) {
    EXPECT_EQ(CheckBaseUrl(url), absl::OkStatus()) << url;
  }
}

TEST(CheckBaseUrlTest, TheRestIsRefused) {
  for (const char* url : {"", "api.aulm.io", "http://api.aulm.io", "http://10.0.0.5", "http://0.0.0.0:80",
                          "ftp://api.aulm.io", "https://user@api.aulm.io", "https://api.aulm.io?x=1",
                          "https://api.aulm.io/#a", "https://[zz]/", "http://localhost.evil.com", "https://a b"}) {
    EXPECT_EQ(CheckBaseUrl(url).code(), absl::StatusCode::kInvalidArgument) << url;
  }
}

}  // namespace
}  // namespace aulm::gateway
