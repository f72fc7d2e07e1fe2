#include "service/messaging/content_digest.h"

#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"

namespace aulm::gateway {
namespace {

// Hashes fields with their lengths, so that no two different messages can run together into the same bytes.
class FieldHash {
 public:
  FieldHash() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
  }

  void Add(absl::string_view field) {
    const uint64_t size = field.size();
    EVP_DigestUpdate(context_.get(), &size, sizeof(size));
    EVP_DigestUpdate(context_.get(), field.data(), field.size());
  }

  std::string Finish() {
    std::array<unsigned char, 32> digest;
    unsigned int size = 0;
    EVP_DigestFinal_ex(context_.get(), digest.data(), &size);
    return std::string(reinterpret_cast<const char*>(digest.data()), size);
  }

 private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

}  // namespace

std::string ContentDigest(const Send& send) {
  FieldHash hash;
  hash.Add(absl::AsciiStrToLower(send.session_id));
  hash.Add(send.to);
  if (const auto* text = std::get_if<TextMessage>(&send.message)) {
    hash.Add("text");
    hash.Add(text->body);
  } else {
    const auto& image = std::get<ImageMessage>(send.message);
    hash.Add("image");
    hash.Add(image.image.url);
    hash.Add(image.image.mime_type);
    hash.Add(image.image.bytes);
    hash.Add(image.caption);
  }
  return hash.Finish();
}

}  // namespace aulm::gateway
