// Tensors over the memory of a file.
#pragma once

#include <gradus/tensor.h>

#include <memory>

#include "io/source.h"

namespace gradus::io {

using StorageRef = Ref<gradus::detail::Storage>;

// How to use the bytes of a file as elements.
struct StorageFormat {
  std::int64_t element_size = 1;
  bool is_bool = false;     // every byte must be 0 or 1
  bool big_endian = false;  // turned round
};

// Bytes [offset, offset + nbytes) of the file, which the caller has checked to lie in it. Borrowed where elements are
// aligned and little-endian, else copied.
StorageRef file_storage(const std::shared_ptr<Source>& source, std::size_t offset, std::size_t nbytes,
                        const StorageFormat& format);

// Sets the memory of a storage made earlier, as file_storage does.
void fill_storage(gradus::detail::Storage& storage, const std::shared_ptr<Source>& source, std::size_t offset,
                  std::size_t nbytes, const StorageFormat& format);

// Checks every number: rank, signs, products, and that all elements lie in [start, start + room) of the storage, in
// elements of `dtype`. `offset` counts from start. IoError.
Tensor storage_tensor(Source& source, const StorageRef& storage, Dtype dtype, const std::vector<std::int64_t>& sizes,
                      const std::vector<std::int64_t>& strides, std::int64_t offset, std::int64_t start,
                      std::int64_t room);

// A contiguous tensor that is the whole storage. `nbytes` must be what the sizes need. IoError.
Tensor whole_tensor(Source& source, const StorageRef& storage, Dtype dtype, const std::vector<std::int64_t>& sizes);

// The product of sizes, and of an element's size; IoError for negative sizes, more than 16 dimensions, and overflow.
std::int64_t checked_bytes(const Source& source, std::string_view what, Dtype dtype,
                           const std::vector<std::int64_t>& sizes);

}  // namespace gradus::io
