#include <gradus/autograd.h>
#include <gradus/autograd/op.h>
#include <gradus/tensor.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/layout.h"
#include "core/memory/allocator.h"
#include "core/memory/backend.h"
#include "core/recorded_step.h"
#include "core/tensor_access.h"
#include "core/view_mode.h"
#include "core/visit.h"

namespace gradus {

namespace detail {

TensorImpl::TensorImpl() = default;

void ref_destroy(Storage* storage) noexcept {
  if (storage->deleter) {
    storage->deleter(storage->data);
  } else if (storage->data != nullptr) {
    if (storage->device.type == DeviceType::CPU) {
      core::deallocate(storage->data, storage->nbytes);
    } else {
      core::backend(storage->device.type)->deallocate(storage->device.index, storage->data, storage->nbytes);
    }
  }
  delete storage;
}

void ref_destroy(TensorImpl* impl) noexcept { delete impl; }

bool strides_contiguous(const Shape& sizes, const Shape& strides) {
  std::int64_t step = 1;
  bool follow = true;
  for (int i = sizes.rank() - 1; i >= 0; --i) {
    if (sizes[i] == 0) return true;  // nothing lies anywhere
    follow = follow && (sizes[i] == 1 || strides[i] == step);
    step *= sizes[i];
  }
  return follow;
}

namespace {

constexpr std::int64_t kMostElements = std::numeric_limits<std::int64_t>::max() / 8;  // of at most 8 bytes each

[[gnu::noinline]] void* allocate_beside_cpu(Device device, std::size_t nbytes) {
  require_available("tensor", device);
  return core::backend(device.type)->allocate(device.index, nbytes);
}

void allocate(TensorImpl& impl, std::size_t nbytes, Device device) {
  impl.storage = make_ref<Storage>();
  impl.storage->device = device;
  impl.storage->data = device.type == DeviceType::CPU ? core::allocate(nbytes) : allocate_beside_cpu(device, nbytes);
  impl.storage->nbytes = nbytes;
  impl.data = static_cast<std::byte*>(impl.storage->data);
  impl.inference = is_inference_mode();
}

}  // namespace

Tensor make_empty(const Shape& sizes, Dtype dtype, Device device) {
  auto impl = make_ref<TensorImpl>();
  impl->sizes = sizes;
  // Row-major strides, the number of elements and check_sizes() in one pass.
  impl->strides = sizes;
  std::int64_t step = 1;
  bool valid = true, empty = false;
  for (int i = sizes.rank() - 1; i >= 0; --i) {
    const std::int64_t size = sizes[i];
    impl->strides[i] = step;
    empty = empty || size == 0;
    valid = valid && size >= 0 && !__builtin_mul_overflow(step, std::max<std::int64_t>(size, 1), &step);
  }
  if (!valid || step > kMostElements) [[unlikely]]
    check_sizes("tensor", sizes);  // also broadcasting multiplies sizes
  impl->numel = empty ? 0 : step;
  impl->dtype = dtype;
  allocate(*impl, static_cast<std::size_t>(impl->numel * element_size(dtype)), device);
  return Tensor(std::move(impl));
}

Tensor make_strided(const Shape& sizes, const Shape& strides, Dtype dtype, Device device) {
  check_sizes("tensor", sizes);
  std::int64_t last = 0;
  for (int i = 0; i < sizes.rank(); ++i) last += std::max<std::int64_t>(sizes[i] - 1, 0) * strides[i];
  auto impl = make_ref<TensorImpl>();
  impl->sizes = sizes;
  impl->strides = strides;
  impl->numel = sizes.numel();
  impl->dtype = dtype;
  impl->contiguous = strides_contiguous(sizes, strides);
  allocate(*impl, impl->numel ? static_cast<std::size_t>((last + 1) * element_size(dtype)) : 0, device);
  return Tensor(std::move(impl));
}

Tensor moved(const Tensor& x, Device device) {
  if (!x.is_contiguous() && !is_channels_last(x)) return moved(x.detach().contiguous(), device);
  if (device == kCPU) core::refuse_recording("a copy to the CPU (cpu(), to_vector(), printing)", core::kWaits);
  const Tensor y = make_strided(x.sizes(), x.strides(), x.dtype(), device);
  core::transfer(device, y.impl()->data, x.device(), x.impl()->data,
                 static_cast<std::size_t>(x.numel() * x.element_size()));
  return y;
}

Tensor make_view(const Tensor& x, const Shape& sizes, const Shape& strides, std::int64_t offset) {
  const TensorImpl& from = *x.impl();
  auto impl = make_ref<TensorImpl>();
  impl->storage = from.storage;
  impl->numel = sizes.numel();
  // An empty view must not point past the end of its storage.
  impl->data = impl->numel ? from.data + offset * element_size(from.dtype) : from.data;
  impl->sizes = sizes;
  impl->strides = strides;
  impl->dtype = from.dtype;
  impl->contiguous = strides_contiguous(sizes, strides);
  impl->inference = from.inference;
  impl->base = from.base ? from.base : x.ref();
  impl->base_generation = impl->base->generation;
  impl->made = made_of_views(from.made);
  if (!is_grad_enabled()) {
    // Recording an operation clears this in its result again (set_history).
    impl->requires_grad = x.requires_grad();
    if (from.made == Made::recording) impl->made = is_inference_mode() ? Made::inference : Made::no_grad;
  }
  return Tensor(std::move(impl));
}

Tensor make_alias(const Tensor& x) {
  Tensor y = make_view(x, x.sizes(), x.strides(), 0);
  y.impl()->base.reset();
  y.impl()->requires_grad = false;
  y.impl()->made = Made::recording;
  return y;
}

Tensor make_reshaped(const Tensor& x, const Shape& sizes) { return make_view(x, sizes, contiguous_strides(sizes), 0); }

}  // namespace detail

void Tensor::undefined() { throw ValueError("tensor: this tensor is undefined (it was never given a value)"); }

void* Tensor::data_as(Dtype wanted) const {
  if (dtype() != wanted) {
    throw DtypeError(std::string("data_ptr: the tensor holds ") + gradus::to_string(dtype()) + ", asked for " +
                     gradus::to_string(wanted));
  }
  return impl_->data;
}

std::int64_t Tensor::size(std::int64_t dim) const {
  if (this->dim() == 0) throw IndexError("size: a 0-d tensor has no dimensions, got dim " + std::to_string(dim));
  return sizes()[wrap_dim("size", dim, sizes().rank())];
}

std::int64_t Tensor::stride(std::int64_t dim) const {
  if (this->dim() == 0) throw IndexError("stride: a 0-d tensor has no dimensions, got dim " + std::to_string(dim));
  return strides()[wrap_dim("stride", dim, sizes().rank())];
}

std::int64_t Tensor::storage_offset() const {
  const auto* impl = checked();
  return (impl->data - static_cast<std::byte*>(impl->storage->data)) / gradus::element_size(impl->dtype);
}

std::uint32_t Tensor::version() const { return checked()->storage->version.load(std::memory_order_relaxed); }

const std::string& Tensor::name() const {
  static const std::string none;
  return checked()->extras ? impl_->extras->name : none;
}

void Tensor::set_name(std::string name) const {
  checked();
  detail::extras(*impl_).name = std::move(name);
}

namespace {
template <class T>
T read(const std::byte* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}
}  // namespace

Scalar Tensor::item_scalar() const {
  if (numel() != 1) {
    throw ValueError("item: needs a tensor of one element, got sizes " + gradus::to_string(sizes()));
  }
  alignas(8) std::byte own[8];
  const std::byte* p = impl_->data;
  if (device() != kCPU) {
    core::refuse_recording("item", core::kWaits);
    core::transfer(kCPU, own, device(), p, static_cast<std::size_t>(element_size()));
    p = own;
  }
  Scalar value = 0;
  visit_all(impl_->dtype, [&]<class T>(T) {
    if constexpr (std::is_same_v<T, bool>) {
      value = read<std::uint8_t>(p) != 0;
    } else if constexpr (std::is_arithmetic_v<T>) {
      value = read<T>(p);
    } else {
      value = static_cast<float>(read<T>(p));
    }
  });
  return value;
}

Tensor::operator bool() const {
  if (numel() != 1) {
    throw ValueError("bool: the truth of a tensor of more or less than one element is ambiguous, got sizes " +
                     gradus::to_string(sizes()));
  }
  return item<double>() != 0;
}

}  // namespace gradus
