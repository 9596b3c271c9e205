// The bytes of a file that is being read.
#pragma once

#include <gradus/io/options.h>
#include <gradus/tensor.h>

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/file/budget.h"

namespace gradus::io {

// What there is to say of a file beside its values.
struct Remarks {
  std::vector<std::string> notes;  // "1 byte after its end is not read"
  // Storages (Tensor::impl()->storage) whose elements have another type in the file, and which: "uint16".
  std::unordered_map<const void*, std::string_view> stored_as;
  // Tensors that have attributes in the file, and which: "tag, layer". There is no place for them in a Tensor.
  std::vector<std::pair<Tensor, std::string>> attributes;

  void take(Remarks&& other);
};

// Mapped privately, so that tensors which borrow the memory may be changed without changing the file; or read, where
// mapping is not wanted or not possible (a pipe).
class Source {
 public:
  static std::shared_ptr<Source> open(const std::string& path, const LoadOptions& options);
  static std::shared_ptr<Source> from_bytes(std::string name, std::string_view bytes, const LoadOptions& options = {});
  // To be filled by the caller.
  static std::shared_ptr<Source> allocate(std::string name, std::size_t size, const LoadOptions& options);
  ~Source();
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  const std::string& name() const { return name_; }
  std::string_view bytes() const { return {data_, size_}; }
  char* data() const { return data_; }
  std::size_t size() const { return size_; }
  const LoadOptions& options() const { return options_; }
  Budget& budget() { return budget_; }
  Remarks& remarks() { return remarks_; }
  void remark_rest(std::size_t bytes);  // that so many bytes after the end are not read

  // IoError "load: NAME: what".
  [[noreturn]] void fail(std::string_view what) const;

 private:
  Source(std::string name, char* data, std::size_t size, bool mapped, const LoadOptions& options);

  std::string name_;
  char* data_;
  std::size_t size_;
  bool mapped_;
  LoadOptions options_;
  Budget budget_;
  Remarks remarks_;
};

}  // namespace gradus::io
