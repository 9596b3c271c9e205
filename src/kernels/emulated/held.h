// Arguments of kernels while they wait in the queue: copies, with pointers to device memory made such that kernels can
// work with them, and what lies in the host's memory copied too.
#pragma once

#include <cstring>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

#include "kernels/dispatch/kernels.h"

namespace gradus::emulated {

template <class T, class... Of>
inline constexpr bool is_one_of = (std::is_same_v<T, Of> || ...);

// What holds no pointers.
template <class T>
inline constexpr bool is_plain =
    std::is_arithmetic_v<T> || std::is_enum_v<T> ||
    is_one_of<T, Shape, kernel::Element, kernel::Batch, kernel::Extent, kernel::Normalization, kernel::RowsNorm,
              kernel::Convolution, kernel::Pooling, kernel::Taps, kernel::IndexRange, kernel::RandomRange,
              kernel::Recurrence>;

// Calls fn(pointer) for each pointer to device memory in x. A struct that has some and is not named here, nor above,
// does not compile.
template <class T, class F>
requires is_plain<T>
void for_pointers(T&, F&&) {}
template <class T, class F>
void for_pointers(T*& p, F&& fn) {
  fn(p);
}
template <class F>
void for_pointers(kernel::Operand& x, F&& fn) {
  fn(x.data);
}
template <class F>
void for_pointers(kernel::Elements& x, F&& fn) {
  fn(x.data);
}
template <class F>
void for_pointers(kernel::Rows& x, F&& fn) {
  fn(x.index);
}
template <class F>
void for_pointers(kernel::Scatter& x, F&& fn) {
  fn(x.index);
}
template <class F>
void for_pointers(kernel::Product& x, F&& fn) {
  fn(x.a);
  fn(x.b);
  fn(x.c);
  fn(x.bias);
}
template <class F>
void for_pointers(kernel::Piece& x, F&& fn) {
  fn(x.p);
  fn(x.g);
  for (void*& state : x.state) fn(state);
}
template <class F>
void for_pointers(kernel::RowsGradients& x, F&& fn) {
  for (const void** p : {&x.g, &x.x, &x.y}) fn(*p);
  for (const float** p : {&x.mean, &x.rstd, &x.weight, &x.bias}) fn(*p);
  for (void** p : {&x.gx, &x.g_residual}) fn(*p);
  for (float** p : {&x.gw, &x.gb}) fn(*p);
}

template <class F>
void for_pointers(kernel::RecurrentForward<void>& x, F&& fn) {
  for (const void** p : {&x.w_hh, &x.w_hr, &x.b_hn, &x.h0, &x.c0}) fn(*p);
  for (void** p : {&x.gates, &x.from, &x.cells, &x.y, &x.c_n}) fn(*p);
}
template <class F>
void for_pointers(kernel::RecurrentBackward<void>& x, F&& fn) {
  for (const void** p : {&x.w_hh, &x.w_hr, &x.h0, &x.c0, &x.gates, &x.from, &x.cells, &x.y, &x.g_y}) fn(*p);
  for (void** p : {&x.g_gates, &x.g_from, &x.g_h, &x.g_c, &x.g_projected, &x.unprojected}) fn(*p);
}

// Bytes of the host's memory.
inline std::shared_ptr<void> kept(const void* data, std::size_t bytes) {
  if (data == nullptr) return nullptr;
  std::shared_ptr<void> copy(::operator new (bytes, std::align_val_t{64}),
                             [](void* p) { ::operator delete (p, std::align_val_t{64}); });
  std::memcpy(copy.get(), data, bytes);
  return copy;
}

template <class A>
class Held {
 public:
  template <class Fix>
  Held(const std::remove_reference_t<A>& given, const Fix& fix) : value_(given) {
    for_pointers(value_, fix);
    if constexpr (std::is_same_v<Value, kernel::Product>) {
      bytes_ = kept(given.then.formula, given.then.bytes);
      value_.then.formula = bytes_.get();
    }
  }
  const std::remove_reference_t<A>& get() const { return value_; }

 private:
  using Value = std::remove_const_t<std::remove_reference_t<A>>;
  Value value_;
  std::shared_ptr<void> bytes_;
};

template <>
class Held<const kernel::Formula&> {
 public:
  template <class Fix>
  Held(const kernel::Formula& given, const Fix&) : bytes_(kept(given.data, given.loop.bytes)) {
    value_ = {given.loop, bytes_.get()};
  }
  const kernel::Formula& get() const { return value_; }

 private:
  std::shared_ptr<void> bytes_;
  kernel::Formula value_{};
};

template <>
class Held<const kernel::Rules&> {
 public:
  template <class Fix>
  Held(const kernel::Rules& given, const Fix&) : bytes_(kept(given.data, given.bytes * given.count)), value_(given) {
    value_.data = bytes_.get();
  }
  const kernel::Rules& get() const { return value_; }

 private:
  std::shared_ptr<void> bytes_;
  kernel::Rules value_;
};

template <class T>
class Held<std::span<const T>> {
 public:
  template <class Fix>
  Held(std::span<const T> given, const Fix& fix) : values_(given.begin(), given.end()) {
    for (T& value : values_) for_pointers(value, fix);
  }
  std::span<const T> get() const { return values_; }

 private:
  std::vector<T> values_;
};

template <>
class Held<std::span<const void* const>> {
 public:
  template <class Fix>
  Held(std::span<const void* const> given, const Fix& fix) : values_(given.begin(), given.end()) {
    for (const void*& value : values_) fix(value);
  }
  std::span<const void* const> get() const { return values_; }

 private:
  std::vector<const void*> values_;
};

}  // namespace gradus::emulated
