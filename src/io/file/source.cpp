#include "io/file/source.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/memory/allocator.h"
#include "io/file/posix.h"

namespace gradus::io {

namespace {

// Memory from the allocator that is given back unless it is taken.
struct Buffer {
  char* data;
  std::size_t size;
  explicit Buffer(std::size_t n) : data(static_cast<char*>(core::allocate(n))), size(n) {}
  ~Buffer() {
    if (data != nullptr) core::deallocate(data, size);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  char* take() { return std::exchange(data, nullptr); }
};

// Exactly `size` bytes; false if the file is shorter.
bool read_exactly(int fd, char* to, std::size_t size, const std::string& path) {
  while (size > 0) {
    const ssize_t got = ::read(fd, to, std::min(size, std::size_t{1} << 30));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_io_error("read", "read", path, errno);
    if (got == 0) return false;
    to += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

}  // namespace

Source::Source(std::string name, char* data, std::size_t size, bool mapped, const LoadOptions& options)
    : name_(std::move(name)),
      data_(data),
      size_(size),
      mapped_(mapped),
      options_(options),
      budget_(name_, options.memory.value_or(Budget::default_limit(size))) {}

Source::~Source() {
  if (mapped_) {
    ::munmap(data_, size_);
  } else if (data_ != nullptr) {
    core::deallocate(data_, size_);
  }
}

std::shared_ptr<Source> Source::allocate(std::string name, std::size_t size, const LoadOptions& options) {
  Buffer buffer(size);
  return std::shared_ptr<Source>(new Source(std::move(name), buffer.take(), size, false, options));
}

std::shared_ptr<Source> Source::from_bytes(std::string name, std::string_view bytes, const LoadOptions& options) {
  auto source = allocate(std::move(name), bytes.size(), options);
  if (!bytes.empty()) std::memcpy(source->data(), bytes.data(), bytes.size());
  return source;
}

std::shared_ptr<Source> Source::open(const std::string& path, const LoadOptions& options) {
  const Fd file(open_file(path, O_RDONLY));
  if (!file) throw_io_error("open", "read", path, errno);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw_io_error("fstat", "read", path, errno);
  if (!S_ISREG(status.st_mode) || status.st_size == 0) return from_bytes(path, read_file(path), options);
  const auto size = static_cast<std::size_t>(status.st_size);
  if (options.mmap) {
    // Private pages are needed for what is written only; they must not be counted for the whole file.
    void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file.get(), 0);
    if (data != MAP_FAILED) {
      return std::shared_ptr<Source>(new Source(path, static_cast<char*>(data), size, true, options));
    }
  }
  auto source = allocate(path, size, options);
  if (!read_exactly(file.get(), source->data(), size, path)) source->fail("it became shorter while it was read");
  return source;
}

void Remarks::take(Remarks&& other) {
  notes.insert(notes.end(), other.notes.begin(), other.notes.end());
  stored_as.merge(other.stored_as);
  attributes.insert(attributes.end(), other.attributes.begin(), other.attributes.end());
}

void Source::remark_rest(std::size_t bytes) {
  remarks_.notes.push_back(fmt::format("{} {} after its end not read", bytes, bytes == 1 ? "byte" : "bytes"));
}

void Source::fail(std::string_view what) const { throw IoError(fmt::format("load: {}: {}", name_, what)); }

}  // namespace gradus::io
