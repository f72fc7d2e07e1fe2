// A URL that a caller gave for an image, read a second time by libcurl, which knows the odd forms of addresses: what we
// let pass, libcurl reads as an https URL without a user, and not as an address of a private network.
#include <arpa/inet.h>
#include <curl/curl.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "service/aulm/image_source.h"
#include "service/aulm/public_url.h"
#include "service/base/status_details.h"

namespace {

void Check(bool holds) {
  if (!holds) abort();
}

std::string Part(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return "";
  std::string copy(text);
  curl_free(text);
  return copy;
}

void CheckHost(const std::string& host) {
  Check(!host.empty());
  const std::string lower = absl::AsciiStrToLower(host);
  Check(lower != "localhost" && lower != "localhost.");
  in_addr address{};
  // inet_aton reads what old resolvers read: 127.1, 0x7f.1, 017700000001.
  if (inet_aton(lower.c_str(), &address) == 0) return;
  const uint32_t bits = ntohl(address.s_addr);
  Check(bits >> 24 != 0 && bits >> 24 != 10 && bits >> 24 != 127 && bits >> 20 != 0xAC1 && bits >> 16 != 0xC0A8 &&
        bits >> 16 != 0xA9FE && bits >> 28 < 0xE);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  if (aulm::gateway::CheckPublicHttpsUrl(input).ok()) {
    CURLU* const url = curl_url();
    Check(curl_url_set(url, CURLUPART_URL, input.c_str(), CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK);
    Check(Part(url, CURLUPART_SCHEME) == "https");
    Check(Part(url, CURLUPART_USER).empty());
    CheckHost(Part(url, CURLUPART_HOST));
    curl_url_cleanup(url);
  }
  aulm::gateway::FieldViolations bad;
  const auto image = aulm::gateway::ImageFromUrl(input, 1000, bad);
  Check(image.has_value() == bad.empty());
  if (image.has_value() && !image->is_url()) {
    Check(!image->bytes.empty() && image->bytes.size() <= 1000 && absl::StartsWith(image->mime_type, "image/"));
    Check(image->mime_type.find_first_of(";,\" \r\n") == std::string::npos);
  }
  return 0;
}
