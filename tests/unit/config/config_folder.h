#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace aulm::gateway {

// A folder of one test's own for the files that settings name; gone when the test ends.
class ConfigFolder {
 public:
  ConfigFolder() : path_(testing::TempDir() + "/config.XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) abort();
  }
  ~ConfigFolder() { std::filesystem::remove_all(path_); }

  ConfigFolder(const ConfigFolder&) = delete;
  ConfigFolder& operator=(const ConfigFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string Path(absl::string_view name) const { return path_ + "/" + std::string(name); }

  // Writes the file in place and gives back its path.
  std::string Write(absl::string_view name, absl::string_view content) const {
    const std::string path = Path(name);
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
    return path;
  }

 private:
  std::string path_;
};

}  // namespace aulm::gateway
