#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>
#include <system_error>

#include "gtest/gtest.h"

namespace aulm::gateway {

// A folder of a test's own, gone with it.
class TempFolder {
 public:
  TempFolder() : path_(testing::TempDir() + "aulm-XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) abort();
  }

  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace aulm::gateway
