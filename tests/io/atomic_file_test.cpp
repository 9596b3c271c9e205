#include "io/file/atomic_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gradus/core/error.h"
#include "support/file_limit.h"
#include "support/message.h"
#include "support/temp_folder.h"

namespace gradus::io {
namespace {

using test::file_bytes;
using test::FileLimit;
using test::message_of;
using test::put_file;
using test::TempFolder;
using testing::HasSubstr;

mode_t mode_of(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0);
  return status.st_mode & 07777;
}

std::string write_error(const std::string& path) {
  return message_of<IoError>([&] { write_file(path, "new"); });
}

TEST(AtomicFile, WritesAWholeFile) {
  const TempFolder folder;
  std::string bytes(3'000'000, 'a');
  bytes[7] = '\0';
  write_file(folder / "a", bytes);
  EXPECT_EQ(file_bytes(folder / "a"), bytes);
  EXPECT_EQ(read_file(folder / "a"), bytes);
  write_file(folder / "a", "");
  EXPECT_EQ(read_file(folder / "a"), "");
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(AtomicFile, ShowsNothingBeforeCommit) {
  const TempFolder folder;
  put_file(folder / "a", "old");
  AtomicFile file(folder / "a");
  file.write("new ");
  file.write("bytes");
  EXPECT_EQ(file_bytes(folder / "a"), "old");
  file.commit();
  EXPECT_EQ(file_bytes(folder / "a"), "new bytes");
  EXPECT_THROW(file.write("more"), IoError);
  EXPECT_THROW(file.commit(), IoError);
  EXPECT_EQ(file_bytes(folder / "a"), "new bytes");
}

TEST(AtomicFile, LeavesNothingBehindWithoutCommit) {
  const TempFolder folder;
  put_file(folder / "a", "old");
  {
    AtomicFile file(folder / "a");
    file.write("new");
    EXPECT_EQ(folder.entries(), 2U);
  }
  EXPECT_EQ(folder.entries(), 1U);
  EXPECT_EQ(file_bytes(folder / "a"), "old");
}

TEST(AtomicFile, KeepsThePreviousFileWhenTheDiskIsFull) {
  const TempFolder folder;
  put_file(folder / "a", "old");
  std::string error;
  {
    const FileLimit limit(1000);  // the first write is cut short, the second fails
    error = message_of<IoError>([&] { write_file(folder / "a", std::string(5000, 'x')); });
  }
  EXPECT_EQ(error, "write: cannot write " + (folder / "a") + ": File too large");
  EXPECT_EQ(file_bytes(folder / "a"), "old");
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(AtomicFile, RemovesItsTemporaryFileWhenRenameFails) {
  const TempFolder folder;
  AtomicFile file(folder / "a");
  ASSERT_EQ(::mkdir((folder / "a").c_str(), 0755), 0);
  EXPECT_EQ(message_of<IoError>([&] { file.commit(); }), "rename: cannot write " + (folder / "a") + ": Is a directory");
}

TEST(AtomicFile, KeepsPermissions) {
  const TempFolder folder;
  for (const mode_t mode : {0600, 0640, 0755, 0666}) {
    put_file(folder / "a", "old");
    ASSERT_EQ(::chmod((folder / "a").c_str(), mode), 0);
    write_file(folder / "a", "new");
    EXPECT_EQ(mode_of(folder / "a"), mode);
  }
  const mode_t mask = ::umask(027);
  write_file(folder / "b", "new");
  ::umask(mask);
  EXPECT_EQ(mode_of(folder / "b"), 0640U);
}

TEST(AtomicFile, WritesThroughASymbolicLink) {
  const TempFolder folder;
  ASSERT_EQ(::mkdir((folder / "runs").c_str(), 0755), 0);
  put_file(folder / "runs/3", "old");
  ASSERT_EQ(::symlink("runs/3", (folder / "latest").c_str()), 0);
  write_file(folder / "latest", "new");
  EXPECT_EQ(file_bytes(folder / "runs/3"), "new");
  struct stat status {};
  ASSERT_EQ(::lstat((folder / "latest").c_str(), &status), 0);
  EXPECT_TRUE(S_ISLNK(status.st_mode));
}

TEST(AtomicFile, TakesTheLongestName) {
  const TempFolder folder;
  const std::string path = folder / std::string(255, 'n');
  write_file(path, "new");
  EXPECT_EQ(file_bytes(path), "new");
  EXPECT_THAT(write_error(folder / std::string(256, 'n')), HasSubstr("File name too long"));
}

TEST(AtomicFile, RefusesPathsThatCannotHoldAFile) {
  const TempFolder folder;
  put_file(folder / "file", "old");
  EXPECT_EQ(write_error(folder / "none/a"),
            "open: cannot write " + (folder / "none/a") + ": No such file or directory");
  EXPECT_THAT(write_error(folder / "file/a"), HasSubstr("Not a directory"));
  EXPECT_THAT(write_error(folder.path()), HasSubstr("Is a directory"));
  EXPECT_THAT(write_error(folder / "new/"), HasSubstr("Is a directory"));
  EXPECT_THAT(write_error(""), HasSubstr("empty name"));
  EXPECT_THAT(write_error("/dev/null"), HasSubstr("need a regular file"));
  EXPECT_EQ(folder.entries(), 1U);
  EXPECT_EQ(file_bytes(folder / "file"), "old");
}

// Becomes nobody where the tests run as root, whom no permission stops.
class Unprivileged {
 public:
  Unprivileged() {
    if (::geteuid() == 0) changed_ = ::seteuid(65534) == 0;
  }
  ~Unprivileged() {
    if (changed_ && ::seteuid(0) != 0) std::abort();
  }

 private:
  bool changed_ = false;
};

TEST(AtomicFile, RefusesProtectedPlaces) {
  const TempFolder folder;
  ASSERT_EQ(::chmod(folder.path().c_str(), 0777), 0);
  put_file(folder / "a", "old");
  ASSERT_EQ(::chmod((folder / "a").c_str(), 0444), 0);
  ASSERT_EQ(::mkdir((folder / "b").c_str(), 0555), 0);
  std::string file_error, folder_error;
  {
    const Unprivileged nobody;
    file_error = write_error(folder / "a");
    folder_error = write_error(folder / "b/a");
  }
  EXPECT_THAT(folder_error, HasSubstr("open: cannot write " + (folder / "b/a") + ": Permission denied"));
  // access() asks for the real user, so root is not stopped here.
  if (::getuid() != 0) {
    EXPECT_THAT(file_error, HasSubstr("Permission denied"));
    EXPECT_EQ(file_bytes(folder / "a"), "old");
  }
}

TEST(ReadFile, NamesWhatItCannotRead) {
  const TempFolder folder;
  EXPECT_EQ(message_of<IoError>([&] { read_file(folder / "a"); }),
            "open: cannot read " + (folder / "a") + ": No such file or directory");
  EXPECT_EQ(message_of<IoError>([&] { read_file(folder.path()); }),
            "read: cannot read " + folder.path() + ": Is a directory");
}

}  // namespace
}  // namespace gradus::io
