#include "aulm/gateway/client/file_cursor_store.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace aulm::gateway::client {
namespace {

using ::testing::HasSubstr;

class FileCursorStoreTest : public testing::Test {
 protected:
  FileCursorStoreTest() {
    std::string pattern = testing::TempDir() + "cursor-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    path_ = folder_ + "/cursor";
  }
  ~FileCursorStoreTest() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& text) { std::ofstream(path_) << text; }

  std::string folder_;
  std::string path_;
};

TEST_F(FileCursorStoreTest, NoFileIsNoCursor) { EXPECT_EQ(*FileCursorStore(path_).Load(), ""); }

TEST_F(FileCursorStoreTest, AnyBytesComeBackAfterARestart) {
  const std::string cursor("\x01\x00\xff\n\x7f", 5);
  ASSERT_TRUE(FileCursorStore(path_).Save(cursor).ok());
  EXPECT_EQ(*FileCursorStore(path_).Load(), cursor);
}

TEST_F(FileCursorStoreTest, SavingReplacesAndLeavesOneFile) {
  FileCursorStore store(path_);
  ASSERT_TRUE(store.Save("a longer first cursor").ok());
  ASSERT_TRUE(store.Save("second").ok());
  EXPECT_EQ(*store.Load(), "second");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(FileCursorStoreTest, ForeignFileIsDataLossAndNamesIt) {
  Write("not a cursor!");
  const auto cursor = FileCursorStore(path_).Load();
  EXPECT_EQ(cursor.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(cursor.status().message()), HasSubstr(path_));
}

TEST_F(FileCursorStoreTest, EmptyFileIsDataLossNotAStart) {
  Write("");
  EXPECT_EQ(FileCursorStore(path_).Load().status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(FileCursorStoreTest, MissingFolderIsToldWithTheFile) {
  const absl::Status status = FileCursorStore(folder_ + "/missing/cursor").Save("c");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr(folder_ + "/missing/cursor"));
}

TEST_F(FileCursorStoreTest, FailedSaveKeepsTheOldCursor) {
  FileCursorStore store(path_);
  ASSERT_TRUE(store.Save("old").ok());
  // In the way of the file that is written first; also root cannot write a directory.
  std::filesystem::create_directory(path_ + ".new");
  EXPECT_FALSE(store.Save("new").ok());
  EXPECT_EQ(*store.Load(), "old");
}

}  // namespace
}  // namespace aulm::gateway::client
