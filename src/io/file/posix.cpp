#include "io/file/posix.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "gradus/core/error.h"

namespace gradus::io {

void throw_io_error(std::string_view call, std::string_view act, const std::string& path, int error) {
  std::string message(call);
  message.append(": cannot ").append(act).append(" ").append(path).append(": ");
  throw IoError(message + std::generic_category().message(error));
}

void Fd::reset(int fd) {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

int Fd::close() {
  const int result = ::close(fd_);
  fd_ = -1;
  // Linux has released the descriptor even when a signal interrupted the call.
  return result == 0 || errno == EINTR ? 0 : errno;
}

int open_file(const std::string& path, int flags, unsigned mode) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0 || fd > STDERR_FILENO) return fd;
  // A standard stream was closed. What is printed must not land in this file.
  const int higher = ::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), error = errno;
  ::close(fd);
  errno = error;
  return higher;
}

int write_all(int fd, std::string_view bytes) {
  // Linux moves at most 0x7ffff000 bytes per call in any case.
  constexpr std::size_t kMaxWrite = std::size_t{1} << 30;
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), std::min(bytes.size(), kMaxWrite));
    if (written > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (written == 0) {
      return EIO;
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

int sync_file(int fd) {
  int result = 0;
  do {
    result = ::fsync(fd);
  } while (result != 0 && errno == EINTR);
  return result == 0 ? 0 : errno;
}

std::string read_file(const std::string& path) {
  const Fd file(open_file(path, O_RDONLY));
  if (!file) throw_io_error("open", "read", path, errno);
  std::string bytes;
  // Grows with what is really there: the size that the file system states is 0 or wrong for special files.
  for (std::size_t filled = 0, step = std::size_t{1} << 16;;) {
    if (filled == bytes.size()) {
      bytes.resize(filled + step);
      step = std::min(bytes.size(), std::size_t{1} << 30);
    }
    const ssize_t got = ::read(file.get(), bytes.data() + filled, bytes.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_io_error("read", "read", path, errno);
    filled += static_cast<std::size_t>(got);
    if (got == 0) {
      bytes.resize(filled);
      return bytes;
    }
  }
}

}  // namespace gradus::io
