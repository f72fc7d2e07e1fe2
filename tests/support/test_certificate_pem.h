#pragma once

#include <string>

#include "absl/time/time.h"

namespace aulm::gateway {

// A P-256 key and a certificate that signs itself, in PEM, made anew for one test.
struct TestCertificatePem {
  std::string certificate;
  std::string key;
};

// `name` is the common name; valid from an hour ago until `expires` from now.
TestCertificatePem MakeTestCertificate(const std::string& name, absl::Duration expires = absl::Hours(1));

}  // namespace aulm::gateway
