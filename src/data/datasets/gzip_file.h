// A file as a stream of bytes, plain or gzipped.
#pragma once

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace gradus::data {

class GzipFile {
 public:
  // IoError "CALL: cannot read PATH: ...".
  GzipFile(std::string call, const std::string& path);
  // Reads up to `size` bytes; fewer only at the end of the file. IoError for a gzip stream that is damaged.
  std::size_t read(std::uint8_t* to, std::size_t size);

 private:
  struct Close {
    void operator()(gzFile_s* file) const { gzclose_r(file); }
  };
  [[noreturn]] void throw_system_error(int error) const;
  void check_state() const;

  std::string call_, path_;
  std::unique_ptr<gzFile_s, Close> file_;
};

}  // namespace gradus::data
