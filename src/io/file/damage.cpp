#include "io/file/damage.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <limits>
#include <vector>

#include "io/checkpoint/pytorch_formats.h"
#include "io/file/posix.h"

namespace gradus::io {

void read_through(const std::string& path) {
  const Fd file(open_file(path, O_RDONLY));
  if (!file) throw_io_error("open", "read", path, errno);
  std::vector<char> block(std::size_t{1} << 20);
  for (ssize_t got = 1; got != 0;) {
    got = ::read(file.get(), block.data(), block.size());
    if (got < 0 && errno != EINTR) throw_io_error("read", "read", path, errno);
  }
}

bool is_damaged(const std::string& path) {
  read_through(path);
  const auto source = Source::open(path, {.memory = std::numeric_limits<std::uint64_t>::max()});
  if (is_pytorch_legacy(source->bytes()) || is_tar(source->bytes())) return false;
  try {
    Zip(source).verify();
    return false;
  } catch (const IoError&) {  // it is open, and there is no limit: the bytes are wrong
    return true;
  }
}

}  // namespace gradus::io
