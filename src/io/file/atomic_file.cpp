#include "io/file/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <utility>

#include "gradus/core/error.h"

namespace gradus::io {
namespace {

void sync_folder(int fd, const std::string& path) {
  const int error = sync_file(fd);
  // Some file systems cannot sync a folder and say so; they order the rename themselves.
  if (error != 0 && error != EINVAL && error != ENOTSUP) throw_io_error("fsync", "write the folder of", path, error);
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

constexpr std::string_view kTemporaryPrefix = ".gradus-", kTemporarySuffix = ".tmp";

// Short and of its own, so that a target with the longest allowed name works too.
std::string temporary_name() {
  static std::atomic<unsigned> counter{0};
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  char name[80];
  std::snprintf(name, sizeof name, "%ld-%u-%lx", static_cast<long>(::getpid()), counter.fetch_add(1),
                static_cast<unsigned long>(now.tv_nsec));
  return std::string(kTemporaryPrefix).append(name).append(kTemporarySuffix);
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : path_(path), target_(path) {
  if (path.empty()) throw IoError("open: cannot write a file with an empty name");
  if (path.back() == '/') throw_io_error("open", "write", path_, EISDIR);
  char resolved[PATH_MAX];
  if (::realpath(path.c_str(), resolved) != nullptr) target_ = resolved;

  struct stat previous {};
  const bool replaces = ::stat(target_.c_str(), &previous) == 0;
  if (!replaces && errno != ENOENT) throw_io_error("stat", "write", path_, errno);
  if (replaces && S_ISDIR(previous.st_mode)) throw_io_error("open", "write", path_, EISDIR);
  if (replaces && !S_ISREG(previous.st_mode)) {
    throw IoError("open: cannot write " + path_ + ": need a regular file to replace, got a device, pipe or socket");
  }
  // Renaming would get around the protection of a read-only file.
  if (replaces && ::access(target_.c_str(), W_OK) != 0) throw_io_error("access", "write", path_, errno);

  const std::string folder = folder_of(target_);
  folder_.reset(open_file(folder, O_RDONLY | O_DIRECTORY));
  if (!folder_) throw_io_error("open", "write", path_, errno);
  create_temporary(folder, replaces ? previous.st_mode & 0777 : 0666);
  if (replaces) {
    // Another owner can be kept only by a privileged process; others lose just that.
    [[maybe_unused]] const int owner = ::fchown(file_.get(), previous.st_uid, previous.st_gid);
    if (::fchmod(file_.get(), previous.st_mode & 0777) != 0) {
      const int error = errno;
      ::unlink(temporary_.c_str());
      throw_io_error("fchmod", "write", path_, error);
    }
  }
}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::create_temporary(const std::string& folder, unsigned mode) {
  constexpr int kAttempts = 100;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::string name = folder + "/" + temporary_name();
    file_.reset(open_file(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode));
    if (file_) {
      temporary_ = std::move(name);
      return;
    }
    if (errno != EEXIST) break;
  }
  throw_io_error("open", "write", path_, errno);
}

void AtomicFile::write(std::string_view bytes) {
  if (!file_) throw IoError("write: cannot write " + path_ + ": already committed");
  if (const int error = write_all(file_.get(), bytes)) throw_io_error("write", "write", path_, error);
}

void AtomicFile::commit() {
  if (!file_) throw IoError("commit: cannot write " + path_ + ": already committed");
  if (const int error = sync_file(file_.get())) throw_io_error("fsync", "write", path_, error);
  if (const int error = file_.close()) throw_io_error("close", "write", path_, error);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) throw_io_error("rename", "write", path_, errno);
  temporary_.clear();
  sync_folder(folder_.get(), path_);
}

bool is_temporary_name(std::string_view name) {
  return name.starts_with(kTemporaryPrefix) && name.ends_with(kTemporarySuffix);
}

void link_file(const std::string& from, const std::string& to) {
  const std::string folder = folder_of(to);
  const std::string temporary = folder + "/" + temporary_name();
  if (::link(from.c_str(), temporary.c_str()) != 0) {
    if (errno != EPERM && errno != EOPNOTSUPP && errno != EMLINK && errno != ENOSYS)
      throw_io_error("link", "write", to, errno);
    return write_file(to, read_file(from));
  }
  int error = ::rename(temporary.c_str(), to.c_str()) == 0 ? 0 : errno;
  // Where both were names of one file already, rename leaves both.
  ::unlink(temporary.c_str());
  if (error != 0) throw_io_error("rename", "write", to, error);
  const Fd opened(open_file(folder, O_RDONLY | O_DIRECTORY));
  if (!opened) throw_io_error("open", "write the folder of", to, errno);
  sync_folder(opened.get(), to);
}

void write_file(const std::string& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace gradus::io
