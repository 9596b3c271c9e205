// Tensors over the memory of a file.
#pragma once

#include <gradus/io/value.h>
#include <gradus/tensor.h>

#include <memory>

#include "io/checkpoint/element_type.h"
#include "io/file/source.h"

namespace gradus::io {

using StorageRef = Ref<gradus::detail::Storage>;

// Bytes [offset, offset + nbytes) of the file, which the caller has checked to lie in it, as elements of `type`'s
// dtype. Borrowed where the file has them as memory must, else copied. Null where the type has no dtype, or a number
// does not fit it.
StorageRef file_storage(const std::shared_ptr<Source>& source, std::size_t offset, std::size_t nbytes,
                        const ElementType& type, bool big_endian = false);

// The same of bytes that lie elsewhere, which are copied.
StorageRef copied_storage(Source& source, std::string_view bytes, const ElementType& type, bool big_endian = false);

// What stands for a tensor of a type that has no dtype here.
Value unknown_tensor(std::string_view type, const std::vector<std::int64_t>& sizes);

// Checks every number: rank, signs, products, and that all elements lie in [start, start + room) of the storage, in
// elements of `dtype`. `offset` counts from start. IoError.
Tensor storage_tensor(Source& source, const StorageRef& storage, Dtype dtype, const std::vector<std::int64_t>& sizes,
                      const std::vector<std::int64_t>& strides, std::int64_t offset, std::int64_t start,
                      std::int64_t room);

// A contiguous tensor that is the whole storage. `nbytes` must be what the sizes need. IoError.
Tensor whole_tensor(Source& source, const StorageRef& storage, Dtype dtype, const std::vector<std::int64_t>& sizes);

// The same, but in Fortran's order if asked for: the first index moves fastest.
Tensor array_tensor(Source& source, const StorageRef& storage, Dtype dtype, const std::vector<std::int64_t>& sizes,
                    bool fortran);

// The product of sizes, and of an element's size; IoError for negative sizes, more than 16 dimensions, and overflow.
std::int64_t checked_bytes(const Source& source, std::string_view what, std::int64_t element_size,
                           const std::vector<std::int64_t>& sizes);

}  // namespace gradus::io
