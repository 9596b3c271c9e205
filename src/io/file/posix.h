// Small pieces shared by the code that talks to the file system directly.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace gradus::io {

// Throws IoError `call: cannot act path: reason`, e.g. `open: cannot write out/a.png: Permission denied`.
[[noreturn]] void throw_io_error(std::string_view call, std::string_view act, const std::string& path, int error);

// A file descriptor that closes itself.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() { reset(); }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void reset(int fd = -1);
  // Closes now and returns 0 or the error number: a late write error of a network file system shows here.
  int close();

 private:
  int fd_ = -1;
};

// open(2) without leaking the descriptor to child processes, repeated when a signal interrupts it; -1 and errno on
// error. Never the number of a standard stream.
int open_file(const std::string& path, int flags, unsigned mode = 0666);

// Writes all bytes, through interruptions and short writes. Returns 0 or the error number.
int write_all(int fd, std::string_view bytes);

// fsync(2), through interruptions. Returns 0 or the error number.
int sync_file(int fd);

// The whole file; IoError if it cannot be read.
std::string read_file(const std::string& path);

}  // namespace gradus::io
