#include "io/file/storage.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "core/memory/allocator.h"
#include "core/tensor_access.h"

namespace gradus::io {

namespace {

// Big-endian elements in the machine's order.
void turn_round(std::string_view from, char* to, std::size_t size) {
  for (std::size_t at = 0; at + size <= from.size(); at += size)
    std::reverse_copy(from.data() + at, from.data() + at + size, to + at);
}

void check_bools(const Source& source, std::string_view bytes) {
  const auto bad = std::find_if(bytes.begin(), bytes.end(), [](char c) { return static_cast<unsigned char>(c) > 1; });
  if (bad == bytes.end()) return;
  source.fail(fmt::format("a bool must be 0 or 1, got {} at element {}", static_cast<unsigned char>(*bad),
                          bad - bytes.begin()));
}

}  // namespace

StorageRef copied_storage(Source& source, std::string_view bytes, const ElementType& type, bool big_endian) {
  if (!type.dtype) return nullptr;
  const auto size = static_cast<std::size_t>(type.size);
  const std::size_t count = bytes.size() / size;
  auto storage = make_ref<gradus::detail::Storage>();
  storage->nbytes =
      type.convert != nullptr ? count * static_cast<std::size_t>(element_size(*type.dtype)) : bytes.size();
  if (bytes.empty()) return storage;
  if (type.dtype == kBool) check_bools(source, bytes);
  source.budget().charge(storage->nbytes);
  storage->data = core::allocate(storage->nbytes);
  char* to = static_cast<char*>(storage->data);
  const bool turn = big_endian && size > 1;
  if (type.convert == nullptr) {
    if (turn) {
      turn_round(bytes, to, size);
    } else {
      std::memcpy(to, bytes.data(), bytes.size());
    }
    return storage;
  }
  // In pieces, so that turning round takes no second copy.
  const std::size_t piece = size * 4096;
  std::string turned(turn ? std::min(piece, bytes.size()) : 0, '\0');
  for (std::size_t at = 0; at < count * size; at += piece) {
    const std::string_view part = bytes.substr(at, std::min(piece, count * size - at));
    if (turn) turn_round(part, turned.data(), size);
    if (!type.convert(turn ? turned.data() : part.data(), to, part.size() / size)) return nullptr;
    to += part.size() / size * static_cast<std::size_t>(element_size(*type.dtype));
  }
  source.remarks().stored_as.emplace(storage.get(), type.torch);
  return storage;
}

StorageRef file_storage(const std::shared_ptr<Source>& source, std::size_t offset, std::size_t nbytes,
                        const ElementType& type, bool big_endian) {
  const std::string_view bytes = source->bytes().substr(offset, nbytes);
  const auto place = reinterpret_cast<std::uintptr_t>(bytes.data());
  const bool as_it_is = type.dtype && type.convert == nullptr && place % static_cast<std::uintptr_t>(type.size) == 0 &&
                        (!big_endian || type.size == 1);
  if (!as_it_is || nbytes == 0) return copied_storage(*source, bytes, type, big_endian);
  if (type.dtype == kBool) check_bools(*source, bytes);
  auto storage = make_ref<gradus::detail::Storage>();
  storage->nbytes = nbytes;
  storage->data = source->data() + offset;
  storage->deleter = [source](void*) {};
  return storage;
}

Value unknown_tensor(std::string_view type, const std::vector<std::int64_t>& sizes) {
  return Value::object("torch.Tensor",
                       Value::dict({{"dtype", type}, {"size", Value::tuple({sizes.begin(), sizes.end()})}}));
}

std::int64_t checked_bytes(const Source& source, std::string_view what, std::int64_t element_size,
                           const std::vector<std::int64_t>& sizes) {
  if (sizes.size() > static_cast<std::size_t>(kMaxRank)) {
    source.fail(fmt::format("{} has {} dimensions, more than the {} supported", what, sizes.size(), kMaxRank));
  }
  // As of every tensor: elements may become 8 bytes wide, and zero-size dimensions do not excuse a product that
  // overflows.
  const std::int64_t widest = std::max<std::int64_t>(element_size, 8);
  std::int64_t product = widest;
  bool empty = false;
  for (const std::int64_t size : sizes) {
    if (size < 0) source.fail(fmt::format("{} has a negative size: [{}]", what, fmt::join(sizes, ", ")));
    empty = empty || size == 0;
    if (__builtin_mul_overflow(product, std::max<std::int64_t>(size, 1), &product)) {
      source.fail(fmt::format("{} has too many elements to address: [{}]", what, fmt::join(sizes, ", ")));
    }
  }
  return empty ? 0 : product / widest * element_size;
}

Tensor storage_tensor(Source& source, const StorageRef& storage, Dtype dtype, const std::vector<std::int64_t>& sizes,
                      const std::vector<std::int64_t>& strides, std::int64_t offset, std::int64_t start,
                      std::int64_t room) {
  const std::int64_t nbytes = checked_bytes(source, "a tensor", element_size(dtype), sizes);
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
  const std::int64_t nbytes = checked_bytes(source, "a tensor", element_size(dtype), sizes);
  if (static_cast<std::uint64_t>(nbytes) != storage->nbytes) {
    source.fail(
        fmt::format("a tensor of sizes [{}] needs {} bytes, got {}", fmt::join(sizes, ", "), nbytes, storage->nbytes));
  }
  const Shape strides = contiguous_strides(Shape(sizes));
  return storage_tensor(source, storage, dtype, sizes, {strides.begin(), strides.end()}, 0, 0,
                        nbytes / element_size(dtype));
}

Tensor array_tensor(Source& source, const StorageRef& storage, Dtype dtype, const std::vector<std::int64_t>& sizes,
                    bool fortran) {
  if (!fortran || sizes.size() < 2) return whole_tensor(source, storage, dtype, sizes);
  const std::int64_t nbytes = checked_bytes(source, "an array", element_size(dtype), sizes);
  std::vector<std::int64_t> strides;
  std::int64_t step = 1;
  for (const std::int64_t length : sizes) {
    strides.push_back(step);
    step *= std::max<std::int64_t>(length, 1);
  }
  return storage_tensor(source, storage, dtype, sizes, strides, 0, 0, nbytes / element_size(dtype));
}

}  // namespace gradus::io
