#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "service/http/served_request.h"
#include "service/webhook/signing_key.h"

namespace aulm::gateway {

// A delivery as the server would hand it over, with the memory behind its views.
class Delivery {
 public:
  explicit Delivery(std::string body) {
    request_.method = "POST";
    request_.path = "/webhooks/aulm";
    request_.remote_address = "192.0.2.1:40000";
    request_.body = std::move(body);
  }

  Delivery& With(std::string name, std::string value) {
    fields_.push_back({std::move(name), std::move(value)});
    return *this;
  }

  Delivery& At(absl::string_view path) {
    request_.path = path;
    return *this;
  }

  Delivery& SignedWith(absl::string_view secret) {
    const SignatureDigest digest = *SigningKey::Create(secret)->Sign(request_.body);
    return With("X-Aulm-Signature",
                absl::StrCat("sha256=", absl::BytesToHexString(absl::string_view(
                                            reinterpret_cast<const char*>(digest.data()), digest.size()))));
  }

  ServedRequest& request() {
    request_.headers.clear();
    for (const auto& [name, value] : fields_) request_.headers.push_back({name, value});
    return request_;
  }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
  ServedRequest request_;
};

}  // namespace aulm::gateway
