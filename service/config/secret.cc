#include "service/config/secret.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <utility>

namespace aulm::gateway {

Secret::Secret(absl::string_view value)
    : bytes_(value.empty() ? nullptr : new char[value.size()]), size_(value.size()) {
  std::copy(value.begin(), value.end(), bytes_.get());
}

Secret::Secret(const Secret& other) : Secret(other.Reveal()) {}

Secret::Secret(Secret&& other) noexcept : bytes_(std::move(other.bytes_)), size_(std::exchange(other.size_, 0)) {}

Secret& Secret::operator=(Secret other) noexcept {
  std::swap(bytes_, other.bytes_);
  std::swap(size_, other.size_);
  return *this;  // `other` wipes what was here
}

Secret::~Secret() {
  if (size_ != 0) OPENSSL_cleanse(bytes_.get(), size_);
}

bool operator==(const Secret& a, const Secret& b) {
  return a.size_ == b.size_ && CRYPTO_memcmp(a.bytes_.get(), b.bytes_.get(), a.size_) == 0;
}

}  // namespace aulm::gateway
