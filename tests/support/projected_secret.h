#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace aulm::gateway {

// A folder of secrets as the kubelet mounts it: each file is a link through ..data, which is a link to the folder of
// the present version. A new version comes into force for all files at once, and the old one's folder goes.
class ProjectedSecret {
 public:
  using Files = std::map<std::string, std::string>;  // content by name

  explicit ProjectedSecret(std::string folder, const Files& files) : folder_(std::move(folder)) {
    std::filesystem::create_directories(folder_);
    Replace(files);
    for (const auto& [name, content] : files) {
      std::filesystem::create_symlink(absl::StrCat("..data/", name), Path(name));
    }
  }

  std::string Path(const std::string& name) const { return absl::StrCat(folder_, "/", name); }

  void Replace(const Files& files) {
    const std::string version = absl::StrCat("..", ++version_);
    std::filesystem::create_directory(Path(version));
    for (const auto& [name, content] : files) {
      std::ofstream(Path(absl::StrCat(version, "/", name)), std::ios::binary) << content;
    }
    std::filesystem::create_symlink(version, Path("..data_tmp"));
    std::filesystem::rename(Path("..data_tmp"), Path("..data"));
    if (version_ > 1) std::filesystem::remove_all(Path(absl::StrCat("..", version_ - 1)));
  }

 private:
  const std::string folder_;
  int version_ = 0;
};

}  // namespace aulm::gateway
