#include "cli/run/output.h"

#include <fcntl.h>
#include <stdio_ext.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <utility>

#include "io/file/posix.h"

namespace gradus::cli {

void reserve_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    // The lowest free number is this one. Opened the wrong way round, it fails as a closed one does.
    [[maybe_unused]] const int opened = ::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

void complain(std::string_view line) noexcept {
  try {
    io::write_all(STDERR_FILENO, std::string(line) + "\n");
  } catch (const std::exception&) {
    // No memory for the line.
  }
}

namespace {
bool quiet_now = false;
}

void keep_quiet(bool quiet) { quiet_now = quiet; }
bool is_quiet() { return quiet_now; }

void print_run_message(std::string_view text) {
  if (quiet_now) return;
  static bool complained = false;
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (std::fflush(stdout) == 0) return;
  if (!std::exchange(complained, true))
    complain(std::string("gradus: cannot write standard output: ") + std::strerror(errno) + "; the run goes on");
  __fpurge(stdout);
  std::clearerr(stdout);
}

int finish_output(int status) {
  const bool failed = std::ferror(stdout) != 0;  // the reason of an earlier write is not known any more
  if ((std::fflush(stdout) == 0 && !failed) || status != 0) return status;
  complain("gradus: cannot write standard output");
  return 2;
}

}  // namespace gradus::cli
