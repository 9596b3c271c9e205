// Tensor: a strided array with a type, a device and a gradient. A cheap handle: copies share memory, as in Python.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <iosfwd>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <gradus/core/error.h>
#include <gradus/core/scalar.h>
#include <gradus/core/tensor_options.h>
#include <gradus/detail/tensor_impl.h>
#include <gradus/tensor_methods.h>

#ifndef __cpp_multidimensional_subscript
// Before C++23 the comma in x[0, 1] drops the 0. The compilers' warning for that is an error from here on.
#ifdef __clang__
#pragma clang diagnostic error "-Wdeprecated-comma-subscript"
#else
#pragma GCC diagnostic error "-Wcomma-subscript"
#endif
#endif

namespace gradus {

class Generator;
class Tensor;
class Indexed;
struct BackwardOptions;

// start:stop:step. An unset end, or None, reaches to the end; steps are positive.
struct Slice {
  constexpr Slice() = default;
  constexpr explicit Slice(std::optional<std::int64_t> from) : start(from) {}
  constexpr Slice(std::optional<std::int64_t> from, std::optional<std::int64_t> to, std::int64_t by = 1)
      : start(from), stop(to), step(by) {}
  std::optional<std::int64_t> start = {}, stop = {};
  std::int64_t step = 1;
};
struct EllipsisType {};
struct NewAxisType {
  constexpr operator std::optional<std::int64_t>() const { return {}; }  // Slice(0, None, 2)
};
inline constexpr EllipsisType Ellipsis{};  // as many whole dimensions as the index lacks: Python's ...
inline constexpr NewAxisType None{};       // a new dimension of size 1

// One position of an index: an integer, a Slice, Ellipsis, None, or a tensor: int64 or int32 positions, or a mask, of
// bool or uint8, in which everything but 0 is true.
using Index = std::variant<std::int64_t, Slice, EllipsisType, NewAxisType, Tensor>;
struct IndexArg;

// Its operations (`x.mean(0)`, `x.exp_()`) are in gradus/tensor_methods.h.
class Tensor : public TensorMethods {
 public:
  Tensor() = default;  // undefined: no data; allowed only where a function says so
  explicit Tensor(Ref<detail::TensorImpl> impl) : impl_(std::move(impl)) {}
  // A 0-d tensor holding a number, so that a number can stand where a tensor is wanted.
  static Tensor scalar(const Scalar& value, Dtype dtype);

  bool defined() const { return static_cast<bool>(impl_); }
  explicit operator bool() const;  // the truth of the only element
  detail::TensorImpl* impl() const { return impl_.get(); }
  const Ref<detail::TensorImpl>& ref() const { return impl_; }
  bool is_same(const Tensor& other) const { return impl_ == other.impl_; }  // Python's `is`
  Tensor* operator->() { return this; }
  const Tensor* operator->() const { return this; }

  // Properties. These throw ValueError for an undefined tensor.
  const Shape& sizes() const { return checked()->sizes; }
  const Shape& shape() const { return checked()->sizes; }
  const Shape& strides() const { return checked()->strides; }
  std::int64_t size(std::int64_t dim) const;
  std::int64_t stride(std::int64_t dim) const;
  std::int64_t dim() const { return checked()->sizes.rank(); }
  std::int64_t ndim() const { return dim(); }
  std::int64_t numel() const { return checked()->numel; }
  std::int64_t storage_offset() const;
  Dtype dtype() const { return checked()->dtype; }
  Device device() const { return checked()->storage->device; }
  bool is_contiguous() const { return checked()->contiguous; }
  bool is_floating_point() const { return gradus::is_floating_point(dtype()); }
  std::int64_t element_size() const { return gradus::element_size(dtype()); }
  std::string to_string() const;  // as PyTorch prints it; `<<` writes the same

  // A pointer to the data. T must match dtype() (DtypeError). For a tensor on another device it points into the memory
  // of that device. Values written through data_ptr() are seen by everything that reads the memory. To make sure of
  // that, results that depend on the data, such as packed weights, are no longer kept between calls once data_ptr() has
  // been called: where you can, read through const_data_ptr() and write with copy_().
  template <class T>
  T* data_ptr() const {
    return static_cast<T*>(exposed(data_as(DtypeOf<T>::value)));
  }
  void* data_ptr() const { return exposed(checked()->data); }
  template <class T>
  const T* const_data_ptr() const {
    return static_cast<const T*>(data_as(DtypeOf<T>::value));
  }
  const void* const_data_ptr() const { return checked()->data; }
  // The only element, converted to T. ValueError unless numel() == 1.
  template <class T = double>
  T item() const {
    return item_scalar().to<T>();
  }
  Scalar item_scalar() const;
  // All elements in row-major order, converted to T.
  template <class T>
  std::vector<T> to_vector() const;

  // Gradients. A const handle refers to the same tensor, so functions that change the tensor but not the handle are
  // const.
  bool requires_grad() const;
  Tensor& requires_grad_(bool requires_grad = true) const;
  bool is_leaf() const;
  const Tensor grad() const;                // undefined until a backward has reached this tensor
  void set_grad(const Tensor& grad) const;  // shape, dtype and device must match; undefined clears
  void zero_grad(bool set_to_none = true) const;
  Ref<Node> grad_fn() const;  // null for a leaf
  void retain_grad() const;   // keep .grad of a non-leaf too
  void backward(const Tensor& gradient = Tensor()) const;
  void backward(const BackwardOptions& options) const;
  void backward(const Tensor& gradient, const BackwardOptions& options) const;
  // Called with the gradient once it is complete; a defined result replaces it. Returns a handle for remove_hook.
  std::size_t register_hook(std::function<Tensor(const Tensor&)> hook) const;
  void remove_hook(std::size_t handle) const;
  Tensor detach() const;    // shares memory, outside the graph
  Tensor& detach_() const;  // takes this tensor out of the graph: it becomes a leaf; AutogradError for a view
  Tensor data() const { return detach(); }
  std::uint32_t version() const;  // in-place changes so far
  bool is_view() const { return static_cast<bool>(checked()->base); }
  // A name for messages and state dicts; modules set the path of their parameters ("encoder.0.weight").
  const std::string& name() const;
  void set_name(std::string name) const;

  // Conversion. A tensor that already has the type or device is returned as it is. to(device) copies to the memory of
  // another device, and is differentiable; ValueError, which says why, where there is no such device.
  Tensor to(Dtype dtype) const;
  Tensor to(Device device) const;
  Tensor to(Device device, const ToOptions& options) const;  // gradus/ops/pinning.h
  Tensor pin_memory(Device device = kCUDA) const;
  bool is_pinned() const;
  Tensor cpu() const { return to(kCPU); }
  Tensor cuda() const { return to(kCUDA); }
  Tensor to_float() const { return to(kFloat32); }
  Tensor to_double() const { return to(kFloat64); }
  Tensor to_long() const { return to(kInt64); }
  Tensor half() const { return to(kFloat16); }
  Tensor bfloat16() const { return to(kBFloat16); }
  Tensor clone() const;
  Tensor contiguous() const;

  // Indexing: `x[0]`, `x[{0, Slice{1, 3}}]`, `x[{mask}]`; assignment to the result writes into x. `x[0, 1]` is refused
  // below C++23, where it would mean x[1].
  Indexed operator[](const IndexArg& index) const;
  Indexed operator[](std::initializer_list<IndexArg> indices) const;
#ifdef __cpp_multidimensional_subscript
  template <std::convertible_to<IndexArg>... I>
  requires(sizeof...(I) > 1) Indexed operator[](const I&... indices) const;
#endif
  Tensor index(const std::vector<Index>& indices) const;
  Tensor index_put(const std::vector<Index>& indices, const Tensor& values, bool accumulate = false) const;
  Tensor& index_put_(const std::vector<Index>& indices, const Tensor& values, bool accumulate = false) const;
  Tensor& index_put_(const std::vector<Index>& indices, const Scalar& value, bool accumulate = false) const {
    return index_put_(indices, scalar(value, dtype()), accumulate);
  }

  // In place. Not on a leaf that requires a gradient, except in a NoGrad scope.
  Tensor& copy_(const Tensor& source) const;  // broadcast and converted
  Tensor& fill_(const Scalar& value) const;
  Tensor& zero_() const { return fill_(0); }
  Tensor& add_(const Tensor& other, const Scalar& alpha = 1) const;
  Tensor& add_(const Scalar& other) const;
  Tensor& sub_(const Tensor& other, const Scalar& alpha = 1) const;
  Tensor& sub_(const Scalar& other) const;
  Tensor& mul_(const Tensor& other) const;
  Tensor& mul_(const Scalar& other) const;
  Tensor& div_(const Tensor& other) const;
  Tensor& div_(const Scalar& other) const;
  Tensor& div_(const Tensor& other, std::string_view rounding_mode) const;
  Tensor& div_(const Scalar& other, std::string_view rounding_mode) const;
  Tensor& operator+=(const Tensor& o) { return add_(o); }
  Tensor& operator-=(const Tensor& o) { return sub_(o); }
  Tensor& operator*=(const Tensor& o) { return mul_(o); }
  Tensor& operator/=(const Tensor& o) { return div_(o); }
  Tensor& operator+=(const Scalar& o) { return add_(o); }
  Tensor& operator-=(const Scalar& o) { return sub_(o); }
  Tensor& operator*=(const Scalar& o) { return mul_(o); }
  Tensor& operator/=(const Scalar& o) { return div_(o); }
  Tensor& uniform_(double from = 0, double to = 1, Generator* generator = nullptr) const;
  Tensor& normal_(double mean = 0, double std = 1, Generator* generator = nullptr) const;
  Tensor& bernoulli_(double p = 0.5, Generator* generator = nullptr) const;

 private:
  detail::TensorImpl* checked() const {
    if (!impl_) undefined();
    return impl_.get();
  }
  [[noreturn]] static void undefined();
  void* data_as(Dtype dtype) const;
  void* exposed(void* data) const {
    impl_->storage->exposed.store(true, std::memory_order_relaxed);
    return data;
  }

  Ref<detail::TensorImpl> impl_;
};

template <std::integral T>
Tensor TensorMethods::bernoulli(T p, Generator* generator) const {
  return bernoulli(static_cast<double>(p), generator);
}

inline Tensor& TensorMethods::self() const { return static_cast<Tensor&>(const_cast<TensorMethods&>(*this)); }

struct BackwardOptions {
  std::optional<bool> retain_graph = {};  // unset: as create_graph
  bool create_graph = false;
  // When given, gradients are computed for and stored in these tensors only. Empty: all leaves.
  std::vector<Tensor> inputs = {};
};

inline void Tensor::backward(const Tensor& gradient) const { backward(gradient, BackwardOptions()); }
inline void Tensor::backward(const BackwardOptions& options) const { backward(Tensor(), options); }

std::ostream& operator<<(std::ostream& out, const Tensor& x);
std::ostream& operator<<(std::ostream& out, Dtype dtype);    // "float32"
std::ostream& operator<<(std::ostream& out, Device device);  // "cpu"

struct IndexArg {
  Index index;
  template <std::integral T>
  IndexArg(T i) : index(static_cast<std::int64_t>(i)) {}
  IndexArg(Slice s) : index(s) {}
  IndexArg(EllipsisType e) : index(e) {}
  IndexArg(NewAxisType n) : index(n) {}
  IndexArg(const Tensor& t) : index(t) {}
};

// What x[...] returns: the tensor read. Assigned to while it is a temporary (`x[0] = y`, `x[{mask}] += 1`), it writes
// into x, as in Python. Once it has a name (`auto y = x[0]`) it is an ordinary tensor.
class Indexed : public Tensor {
 public:
  Indexed(Tensor value, Tensor self, std::vector<Index> indices)
      : Tensor(std::move(value)), self_(std::move(self)), indices_(std::move(indices)) {}
  Indexed(const Indexed&) = default;
  void operator=(const Tensor& values) && { self_.index_put_(indices_, values); }
  void operator=(const Indexed& values) && { self_.index_put_(indices_, values); }
  void operator=(const Scalar& value) && { self_.index_put_(indices_, Tensor::scalar(value, self_.dtype())); }
  Indexed& operator=(const Tensor& other) & {
    Tensor::operator=(other);
    return *this;
  }
  Indexed& operator=(const Indexed&) & = default;
#define GRADUS_INDEXED_UPDATE(symbol)              \
  void operator symbol(const Tensor& other)&& {    \
    Tensor changed(*this);                         \
    changed symbol other;                          \
    store(changed);                                \
  }                                                \
  void operator symbol(const Scalar& other)&& {    \
    Tensor changed(*this);                         \
    changed symbol other;                          \
    store(changed);                                \
  }                                                \
  Indexed& operator symbol(const Tensor& other)& { \
    Tensor::operator symbol(other);                \
    return *this;                                  \
  }                                                \
  Indexed& operator symbol(const Scalar& other)& { \
    Tensor::operator symbol(other);                \
    return *this;                                  \
  }
  GRADUS_INDEXED_UPDATE(+=)
  GRADUS_INDEXED_UPDATE(-=)
  GRADUS_INDEXED_UPDATE(*=)
  GRADUS_INDEXED_UPDATE(/=)
#undef GRADUS_INDEXED_UPDATE

 private:
  void store(const Tensor& changed);  // into self, unless `changed` is a view of it

  Tensor self_;
  std::vector<Index> indices_;
};

#ifdef __cpp_multidimensional_subscript
template <std::convertible_to<IndexArg>... I>
requires(sizeof...(I) > 1) Indexed Tensor::operator[](const I&... indices) const {
  return (*this)[{IndexArg(indices)...}];
}
#endif

namespace detail {
[[noreturn]] void throw_beyond_int64(std::uint64_t value);
[[noreturn]] void throw_ragged_rows(std::size_t first, std::size_t other);
template <std::integral T>
std::int64_t to_int64(T value) {
  if (!std::in_range<std::int64_t>(value)) throw_beyond_int64(static_cast<std::uint64_t>(value));
  return static_cast<std::int64_t>(value);
}
Tensor tensor_of_bools(const std::vector<bool>& values, const Shape& sizes, const TensorOptions& options);
}  // namespace detail

// Creation.
Tensor empty(const Shape& sizes, const TensorOptions& options = {});
Tensor zeros(const Shape& sizes, const TensorOptions& options = {});
Tensor ones(const Shape& sizes, const TensorOptions& options = {});
Tensor full(const Shape& sizes, const Scalar& value, const TensorOptions& options = {});
// start, start + step, ... below end. int64 when all three are integers, else float32.
Tensor arange(const Scalar& end, const TensorOptions& options = {});
Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step = 1, const TensorOptions& options = {});
Tensor linspace(double start, double end, std::int64_t steps, const TensorOptions& options = {});
Tensor eye(std::int64_t n, std::optional<std::int64_t> m = {}, const TensorOptions& options = {});
Tensor rand(const Shape& sizes, const TensorOptions& options = {}, Generator* generator = nullptr);
Tensor randn(const Shape& sizes, const TensorOptions& options = {}, Generator* generator = nullptr);
Tensor randint(std::int64_t low, std::int64_t high, const Shape& sizes, const TensorOptions& options = {},
               Generator* generator = nullptr);  // int64 in [low, high)
Tensor randperm(std::int64_t n, const TensorOptions& options = {}, Generator* generator = nullptr);
Tensor empty_like(const Tensor& x, const TensorOptions& options = {});
Tensor zeros_like(const Tensor& x, const TensorOptions& options = {});
Tensor ones_like(const Tensor& x, const TensorOptions& options = {});
Tensor full_like(const Tensor& x, const Scalar& value, const TensorOptions& options = {});
Tensor rand_like(const Tensor& x, const TensorOptions& options = {}, Generator* generator = nullptr);
Tensor randn_like(const Tensor& x, const TensorOptions& options = {}, Generator* generator = nullptr);

// From data, copied: `tensor({1.0, 2.0})`, `tensor(3)`, `tensor({{1, 2.5}, {3, 4}})`, `tensor(values, {2, 3})`. Unset
// dtype: float32 for floating values, int64 for integers, bool for bools. ValueError for a number that an integer type
// cannot hold, ShapeError for nested lists of unequal lengths.
Tensor tensor(const Scalar& value, const TensorOptions& options = {});
template <class T>
Tensor tensor(std::span<const T> values, const Shape& sizes, const TensorOptions& options = {});
template <std::integral T>
requires(!requires { DtypeOf<T>::value; }) Tensor
    tensor(std::span<const T> values, const Shape& sizes, const TensorOptions& options = {}) {
  std::vector<std::int64_t> converted;
  converted.reserve(values.size());
  for (const T value : values) converted.push_back(detail::to_int64(value));
  return tensor(std::span<const std::int64_t>(converted), sizes, options);
}
template <class T>
Tensor tensor(const std::vector<T>& values, const Shape& sizes, const TensorOptions& options = {}) {
  if constexpr (std::same_as<T, bool>) {
    return detail::tensor_of_bools(values, sizes, options);
  } else {
    return tensor(std::span<const T>(values), sizes, options);
  }
}
template <class T>
Tensor tensor(const std::vector<T>& values, const TensorOptions& options = {}) {
  return tensor(values, {static_cast<std::int64_t>(values.size())}, options);
}
template <class T>
Tensor tensor(std::initializer_list<T> values, const TensorOptions& options = {}) {
  return tensor(std::span<const T>(values.begin(), values.size()), {static_cast<std::int64_t>(values.size())}, options);
}

// Rows of numbers of one type: `tensor<std::int64_t>({{1, 2}, {3, 4}})`.
template <class T>
Tensor tensor(std::initializer_list<std::initializer_list<T>> rows, const TensorOptions& options = {}) {
  std::vector<T> values;
  const std::size_t width = rows.size() > 0 ? rows.begin()->size() : 0;
  for (const auto& row : rows) {
    if (row.size() != width) detail::throw_ragged_rows(width, row.size());
    values.insert(values.end(), row.begin(), row.end());
  }
  return tensor(values, {static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(width)}, options);
}

// Braces around numbers of several kinds, or around braces, to any depth.
class NestedList {
 public:
  template <class T>
  requires std::is_arithmetic_v<T> NestedList(T value) : values_{Scalar(value)} {}
  NestedList(std::initializer_list<NestedList> items);
  const Shape& sizes() const { return sizes_; }
  const std::vector<Scalar>& values() const { return values_; }  // in row-major order

 private:
  Shape sizes_;
  std::vector<Scalar> values_;
};
Tensor tensor(std::initializer_list<NestedList> values, const TensorOptions& options = {});

// Borrowed: the memory must outlive the tensor, unless `deleter` is given: the last user calls it with `data`.
Tensor from_blob(void* data, const Shape& sizes, Dtype dtype, std::function<void(void*)> deleter = {});
template <class T>
requires(!std::is_void_v<T> && !std::is_const_v<T>) Tensor
    from_blob(T* data, const Shape& sizes, std::function<void(void*)> deleter = {}) {
  return from_blob(static_cast<void*>(data), sizes, DtypeOf<T>::value, std::move(deleter));
}

}  // namespace gradus
