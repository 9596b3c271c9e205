#include "io/storage.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "core/allocator.h"
#include "core/tensor_access.h"

namespace gradus::io {

namespace {

void copy_elements(char* to, const char* from, std::size_t nbytes, const StorageFormat& format) {
  const auto size = static_cast<std::size_t>(format.element_size);
  if (!format.big_endian || size == 1) {
    std::memcpy(to, from, nbytes);
    return;
  }
  for (std::size_t at = 0; at + size <= nbytes; at += size) std::reverse_copy(from + at, from + at + size, to + at);
}

}  // namespace

void fill_storage(gradus::detail::Storage& storage, const std::shared_ptr<Source>& source, std::size_t offset,
                  std::size_t nbytes, const StorageFormat& format) {
  storage.nbytes = nbytes;
  if (nbytes == 0) return;
  char* from = source->data() + offset;
  if (format.is_bool) {
    const auto bad = std::find_if(from, from + nbytes, [](char c) { return static_cast<unsigned char>(c) > 1; });
    if (bad != from + nbytes) {
      source->fail(fmt::format("a bool must be 0 or 1, got {} at byte {}", static_cast<unsigned char>(*bad),
                               bad - source->data()));
    }
  }
  const bool aligned = reinterpret_cast<std::uintptr_t>(from) % static_cast<std::uintptr_t>(format.element_size) == 0;
  if (aligned && (!format.big_endian || format.element_size == 1)) {
    storage.data = from;
    storage.deleter = [source](void*) {};
    return;
  }
  source->budget().charge(nbytes);
  storage.data = core::allocate(nbytes);
  copy_elements(static_cast<char*>(storage.data), from, nbytes, format);
}

StorageRef file_storage(const std::shared_ptr<Source>& source, std::size_t offset, std::size_t nbytes,
                        const StorageFormat& format) {
  auto storage = make_ref<gradus::detail::Storage>();
  fill_storage(*storage, source, offset, nbytes, format);
  return storage;
}

std::int64_t checked_bytes(const Source& source, std::string_view what, Dtype dtype,
                           const std::vector<std::int64_t>& sizes) {
  if (sizes.size() > static_cast<std::size_t>(kMaxRank)) {
    source.fail(fmt::format("{} has {} dimensions, more than the {} supported", what, sizes.size(), kMaxRank));
  }
  // Zero-size dimensions do not excuse a product that overflows.
  std::int64_t product = element_size(dtype);
  bool empty = false;
  for (const std::int64_t size : sizes) {
    if (size < 0) source.fail(fmt::format("{} has a negative size: [{}]", what, fmt::join(sizes, ", ")));
    empty = empty || size == 0;
    if (__builtin_mul_overflow(product, std::max<std::int64_t>(size, 1), &product)) {
      source.fail(fmt::format("{} has too many elements to address: [{}]", what, fmt::join(sizes, ", ")));
    }
  }
  return empty ? 0 : product;
}

Tensor storage_tensor(Source& source, const StorageRef& storage, Dtype dtype, const std::vector<std::int64_t>& sizes,
                      const std::vector<std::int64_t>& strides, std::int64_t offset, std::int64_t start,
                      std::int64_t room) {
  const std::int64_t nbytes = checked_bytes(source, "a tensor", dtype, sizes);
  const auto refuse = [&] {
    source.fail(
        fmt::format("a tensor of sizes [{}], strides [{}] and offset {} does not fit its storage of {} elements",
                    fmt::join(sizes, ", "), fmt::join(strides, ", "), offset, room));
  };
  if (sizes.size() != strides.size() || offset < 0) refuse();
  std::int64_t last = offset;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    std::int64_t span = 0;
    if (strides[i] < 0 || __builtin_mul_overflow(std::max<std::int64_t>(sizes[i] - 1, 0), strides[i], &span) ||
        __builtin_add_overflow(last, span, &last)) {
      refuse();
    }
  }
  if (nbytes > 0 && last >= room) refuse();
  // An expanded tensor is larger than its storage; whoever copies it pays for its whole size.
  if (nbytes > 0 && static_cast<std::uint64_t>(nbytes) > source.budget().limit()) {
    source.budget().charge(static_cast<std::uint64_t>(nbytes));
  }
  source.budget().charge(sizeof(gradus::detail::TensorImpl) + 32);
  auto impl = make_ref<gradus::detail::TensorImpl>();
  impl->storage = storage;
  impl->sizes = Shape(sizes);
  impl->strides = Shape(strides);
  impl->numel = nbytes / element_size(dtype);
  impl->dtype = dtype;
  impl->contiguous = gradus::detail::strides_contiguous(impl->sizes, impl->strides);
  impl->data = static_cast<std::byte*>(storage->data);
  if (impl->numel > 0 && impl->data != nullptr) impl->data += (start + offset) * element_size(dtype);
  return Tensor(std::move(impl));
}

Tensor whole_tensor(Source& source, const StorageRef& storage, Dtype dtype, const std::vector<std::int64_t>& sizes) {
  const std::int64_t nbytes = checked_bytes(source, "a tensor", dtype, sizes);
  if (static_cast<std::uint64_t>(nbytes) != storage->nbytes) {
    source.fail(
        fmt::format("a tensor of sizes [{}] needs {} bytes, got {}", fmt::join(sizes, ", "), nbytes, storage->nbytes));
  }
  const Shape strides = contiguous_strides(Shape(sizes));
  return storage_tensor(source, storage, dtype, sizes, {strides.begin(), strides.end()}, 0, 0,
                        nbytes / element_size(dtype));
}

}  // namespace gradus::io
