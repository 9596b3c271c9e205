// Tensors from nothing: zeros, arange, tensor, from_blob, ...
#include <gradus/ops.h>
#include <gradus/ops/creation.h>
#include <gradus/tensor.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>

#include "autograd/inplace.h"
#include "core/tensor_access.h"
#include "core/visit.h"
#include "kernels/dispatch/kernels.h"
#include "ops/shape/element.h"

namespace gradus {

namespace {

Device device_of(const char* call, const TensorOptions& options) {
  const Device device = options.device.value_or(kCPU);
  require_available(call, device);
  return device;
}

Tensor created(const char* call, const Shape& sizes, const TensorOptions& options, Dtype fallback = kFloat32) {
  check_sizes(call, sizes);
  return detail::make_empty(sizes, options.dtype.value_or(fallback), device_of(call, options));
}

Tensor with_grad(Tensor x, const TensorOptions& options) {
  if (options.requires_grad) x.requires_grad_();
  return x;
}

TensorOptions like(const Tensor& x, TensorOptions options) {
  if (!options.dtype) options.dtype = x.dtype();
  if (!options.device) options.device = x.device();
  return options;
}

}  // namespace

Tensor Tensor::scalar(const Scalar& value, Dtype dtype) {
  if (is_integral(dtype)) check_fits("Tensor::scalar", value, dtype);
  Tensor x = detail::make_empty({}, dtype, kCPU);
  const kernel::Element element = ops::element_of(value, dtype);
  std::memcpy(x.impl()->data, element.bytes, static_cast<std::size_t>(gradus::element_size(dtype)));
  return x;
}

Tensor empty(const Shape& sizes, const TensorOptions& options) {
  return with_grad(created("empty", sizes, options), options);
}

Tensor full(const Shape& sizes, const Scalar& value, const TensorOptions& options) {
  const Dtype fallback = value.kind() == kFloat64 ? kFloat32 : value.kind();
  check_fits("full", value, options.dtype.value_or(fallback));
  const Tensor x = created("full", sizes, options, fallback);
  detail::fill_data(x, value);
  return with_grad(x, options);
}

Tensor zeros(const Shape& sizes, const TensorOptions& options) {
  Tensor x = created("zeros", sizes, options);
  if (x.numel() > 0) kernels(x.device()).zero(x.impl()->data, x.impl()->storage->nbytes);
  return with_grad(x, options);
}

Tensor ones(const Shape& sizes, const TensorOptions& options) { return full(sizes, 1.0, options); }

Tensor arange(const Scalar& end, const TensorOptions& options) { return arange(0, end, 1, options); }

namespace {

// In unsigned arithmetic, which holds the distance between any two bounds.
Tensor whole_range(std::int64_t start, std::int64_t end, std::int64_t step) {
  const auto from = static_cast<std::uint64_t>(start), to = static_cast<std::uint64_t>(end);
  const auto by = static_cast<std::uint64_t>(step);
  const std::uint64_t length = step > 0 ? (end > start ? to - from : 0) : (start > end ? from - to : 0);
  const std::uint64_t each = step > 0 ? by : 0 - by, count = length / each + (length % each != 0);
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  Tensor x = created("arange", {static_cast<std::int64_t>(std::min(count, most))}, {.dtype = kInt64, .device = kCPU});
  auto* out = x.data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    out[i] = static_cast<std::int64_t>(from + static_cast<std::uint64_t>(i) * by);
  }
  return x;
}

Tensor real_range(double from, double to, double by) {
  const double count = std::max(0.0, std::ceil((to - from) / by));
  if (!(count <= 1e15)) throw ShapeError("arange: too many elements to address, got " + std::to_string(count));
  Tensor x = created("arange", {static_cast<std::int64_t>(count)}, {.dtype = kFloat64, .device = kCPU});
  for (std::int64_t i = 0; i < x.numel(); ++i) x.data_ptr<double>()[i] = from + static_cast<double>(i) * by;
  return x;
}

}  // namespace

Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step, const TensorOptions& options) {
  const double from = start.to<double>(), to = end.to<double>(), by = step.to<double>();
  if (!(std::isfinite(from) && std::isfinite(to) && std::isfinite(by)) || by == 0) {
    throw ValueError("arange: needs finite bounds and a step other than zero, got " + to_string(from) + ", " +
                     to_string(to) + " and " + to_string(by));
  }
  const bool integral = start.kind() != kFloat64 && end.kind() != kFloat64 && step.kind() != kFloat64;
  const Dtype dtype = options.dtype.value_or(integral ? kInt64 : kFloat32);
  if (!integral && is_integral(dtype))
    for (const double bound : {from, to, by}) check_fits("arange", bound, kInt64);
  const Tensor x = integral ? whole_range(start.to<std::int64_t>(), end.to<std::int64_t>(), step.to<std::int64_t>())
                            : real_range(from, to, by);
  return with_grad(x.to(device_of("arange", options)).to(dtype), options);
}

Tensor linspace(double start, double end, std::int64_t steps, const TensorOptions& options) {
  if (steps < 0) throw ValueError("linspace: the number of steps must not be negative, got " + std::to_string(steps));
  const Dtype dtype = options.dtype.value_or(kFloat32);
  if (is_integral(dtype))
    for (const double bound : {start, end}) check_fits("linspace", bound, dtype);
  Tensor x = created("linspace", {steps}, {.dtype = kFloat64, .device = kCPU});
  const double by = steps > 1 ? (end - start) / static_cast<double>(steps - 1) : 0;
  for (std::int64_t i = 0; i < steps; ++i) {
    // From both ends, so that the last element is `end` exactly.
    x.data_ptr<double>()[i] = i < steps / 2 || steps == 1 ? start + by * static_cast<double>(i)
                                                          : end - by * static_cast<double>(steps - 1 - i);
  }
  return with_grad(x.to(device_of("linspace", options)).to(dtype), options);
}

Tensor eye(std::int64_t n, std::optional<std::int64_t> m, const TensorOptions& options) {
  TensorOptions plain = options;
  plain.requires_grad = false;
  const std::int64_t columns = m.value_or(n);
  Tensor x = zeros({n, columns}, plain);
  const std::int64_t length = std::min(n, columns);
  if (length > 0) detail::make_view(x, {length}, {columns + 1}, 0).fill_(1);
  return with_grad(x, options);
}

Tensor empty_like(const Tensor& x, const TensorOptions& options) { return empty(x.sizes(), like(x, options)); }
Tensor zeros_like(const Tensor& x, const TensorOptions& options) { return zeros(x.sizes(), like(x, options)); }
Tensor ones_like(const Tensor& x, const TensorOptions& options) { return full(x.sizes(), 1, like(x, options)); }
Tensor full_like(const Tensor& x, const Scalar& value, const TensorOptions& options) {
  return full(x.sizes(), value, like(x, options));
}
Tensor rand_like(const Tensor& x, const TensorOptions& options, Generator* generator) {
  return rand(x.sizes(), like(x, options), generator);
}
Tensor randn_like(const Tensor& x, const TensorOptions& options, Generator* generator) {
  return randn(x.sizes(), like(x, options), generator);
}

Tensor tensor(const Scalar& value, const TensorOptions& options) {
  const Device device = device_of("tensor", options);
  const Dtype fallback = value.kind() == kFloat64 ? kFloat32 : value.kind();
  const Dtype dtype = options.dtype.value_or(fallback);
  if (is_integral(dtype)) check_fits("tensor", value, dtype);
  return with_grad(Tensor::scalar(value, dtype).to(device), options);
}

template <class T>
Tensor tensor(std::span<const T> values, const Shape& sizes, const TensorOptions& options) {
  check_sizes("tensor", sizes);
  if (sizes.numel() != static_cast<std::int64_t>(values.size())) {
    throw ShapeError("tensor: " + std::to_string(values.size()) + " values do not fill sizes " + to_string(sizes));
  }
  const Device device = device_of("tensor", options);
  if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) {
    if (options.dtype && is_integral(*options.dtype) && *options.dtype != DtypeOf<T>::value)
      for (const T& value : values) check_fits("tensor", value, *options.dtype);
  }
  Tensor x = detail::make_empty(sizes, DtypeOf<T>::value, kCPU);
  if (!values.empty()) std::memcpy(x.impl()->data, values.data(), values.size_bytes());
  const Dtype fallback = std::is_same_v<T, double> ? kFloat32 : std::is_same_v<T, std::int32_t> ? kInt64 : x.dtype();
  return with_grad(x.to(device).to(options.dtype.value_or(fallback)), options);
}
// Exported, as the header says; GCC forgets that of a function that is instantiated by hand.
template __attribute__((visibility("default"))) Tensor tensor(std::span<const float>, const Shape&,
                                                              const TensorOptions&);
template __attribute__((visibility("default"))) Tensor tensor(std::span<const double>, const Shape&,
                                                              const TensorOptions&);
template __attribute__((visibility("default"))) Tensor tensor(std::span<const std::int64_t>, const Shape&,
                                                              const TensorOptions&);
template __attribute__((visibility("default"))) Tensor tensor(std::span<const std::int32_t>, const Shape&,
                                                              const TensorOptions&);
template __attribute__((visibility("default"))) Tensor tensor(std::span<const std::uint8_t>, const Shape&,
                                                              const TensorOptions&);
template __attribute__((visibility("default"))) Tensor tensor(std::span<const bool>, const Shape&,
                                                              const TensorOptions&);
template __attribute__((visibility("default"))) Tensor tensor(std::span<const std::int8_t>, const Shape&,
                                                              const TensorOptions&);
template __attribute__((visibility("default"))) Tensor tensor(std::span<const std::int16_t>, const Shape&,
                                                              const TensorOptions&);
template __attribute__((visibility("default"))) Tensor tensor(std::span<const Float16>, const Shape&,
                                                              const TensorOptions&);
template __attribute__((visibility("default"))) Tensor tensor(std::span<const BFloat16>, const Shape&,
                                                              const TensorOptions&);

Tensor detail::tensor_of_bools(const std::vector<bool>& values, const Shape& sizes, const TensorOptions& options) {
  const auto plain = std::make_unique<bool[]>(values.size());
  std::copy(values.begin(), values.end(), plain.get());
  return tensor(std::span<const bool>(plain.get(), values.size()), sizes, options);
}

void detail::throw_beyond_int64(std::uint64_t value) {
  throw ValueError("tensor: " + std::to_string(value) + " does not fit int64");
}

void detail::throw_ragged_rows(std::size_t first, std::size_t other) {
  throw ShapeError("tensor: rows must have one length, got " + std::to_string(first) + " and " + std::to_string(other));
}

NestedList::NestedList(std::initializer_list<NestedList> items) {
  sizes_.push_back(static_cast<std::int64_t>(items.size()));
  if (items.size() == 0) return;
  const Shape& first = items.begin()->sizes_;
  for (const std::int64_t size : first) sizes_.push_back(size);
  std::size_t i = 0;
  for (const NestedList& item : items) {
    if (item.sizes_ != first) {
      throw ShapeError("tensor: element 0 of a list has sizes " + to_string(first) + ", element " + std::to_string(i) +
                       " has " + to_string(item.sizes_));
    }
    values_.insert(values_.end(), item.values_.begin(), item.values_.end());
    ++i;
  }
}

namespace {

template <class T>
Tensor tensor_of(const NestedList& list, const TensorOptions& options) {
  const auto values = std::make_unique<T[]>(list.values().size());
  std::transform(list.values().begin(), list.values().end(), values.get(), [](const Scalar& s) { return s.to<T>(); });
  return tensor(std::span<const T>(values.get(), list.values().size()), list.sizes(), options);
}

}  // namespace

Tensor tensor(std::initializer_list<NestedList> values, const TensorOptions& options) {
  const NestedList list(values);
  bool floating = list.values().empty(), integral = false;
  for (const Scalar& value : list.values()) {
    floating = floating || value.kind() == kFloat64;
    integral = integral || value.kind() == kInt64;
  }
  return floating   ? tensor_of<double>(list, options)
         : integral ? tensor_of<std::int64_t>(list, options)
                    : tensor_of<bool>(list, options);
}

Tensor from_blob(void* data, const Shape& sizes, Dtype dtype, std::function<void(void*)> deleter) {
  check_sizes("from_blob", sizes);
  if (data == nullptr && sizes.numel() > 0) throw ValueError("from_blob: the data pointer is null");
  auto impl = make_ref<detail::TensorImpl>();
  impl->storage = make_ref<detail::Storage>();
  impl->storage->data = data;
  impl->storage->nbytes = static_cast<std::size_t>(sizes.numel() * element_size(dtype));
  impl->storage->exposed.store(true, std::memory_order_relaxed);
  impl->storage->deleter = deleter ? std::move(deleter) : [](void*) {};
  impl->data = static_cast<std::byte*>(data);
  impl->sizes = sizes;
  impl->strides = contiguous_strides(sizes);
  impl->numel = sizes.numel();
  impl->dtype = dtype;
  return Tensor(std::move(impl));
}

Tensor from_blob(void* data, const Shape& sizes, const Shape& strides, Dtype dtype,
                 std::function<void(void*)> deleter) {
  check_sizes("from_blob", sizes);
  if (sizes.rank() != strides.rank())
    throw ShapeError("from_blob: needs a stride for each size, got " + to_string(sizes) + " and " + to_string(strides));
  std::int64_t extent = sizes.numel() > 0 ? 1 : 0;
  for (int d = 0; d < sizes.rank(); ++d) {
    std::int64_t last = 0;
    const bool negative = strides[d] < 0;
    if (negative || __builtin_mul_overflow(std::max<std::int64_t>(sizes[d] - 1, 0), strides[d], &last) ||
        __builtin_add_overflow(extent, sizes.numel() > 0 ? last : 0, &extent))
      throw ValueError("from_blob: strides must " + std::string(negative ? "not be negative" : "stay within memory") +
                       ", got " + to_string(strides));
  }
  const Tensor x = from_blob(data, {extent}, dtype, std::move(deleter));
  detail::TensorImpl& impl = *x.impl();
  impl.sizes = sizes;
  impl.strides = strides;
  impl.numel = sizes.numel();
  impl.contiguous = detail::strides_contiguous(sizes, strides);
  return x;
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  checked();
  const Tensor x = detail::make_alias(*this).to(DtypeOf<T>::value).contiguous().cpu();
  const T* p = static_cast<const T*>(x.const_data_ptr());
  return numel() ? std::vector<T>(p, p + numel()) : std::vector<T>();
}
template std::vector<float> Tensor::to_vector() const;
template std::vector<double> Tensor::to_vector() const;
template std::vector<std::int64_t> Tensor::to_vector() const;
template std::vector<std::int32_t> Tensor::to_vector() const;
template std::vector<std::uint8_t> Tensor::to_vector() const;
template std::vector<bool> Tensor::to_vector() const;
template std::vector<std::int8_t> Tensor::to_vector() const;
template std::vector<std::int16_t> Tensor::to_vector() const;
template std::vector<Float16> Tensor::to_vector() const;
template std::vector<BFloat16> Tensor::to_vector() const;

}  // namespace gradus
