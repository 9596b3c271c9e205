// The loop of one formula, and tables of them.
#pragma once

#include <array>
#include <vector>

#include "kernels/formulas/formula.h"
#include "kernels/formulas/name.h"
#include "kernels/gpu/elementwise/formulas.h"
#include "kernels/gpu/places.h"

namespace gradus::gpu {

template <class F, class R, class T, int N>
struct Apply {
  F formula;
  Places<N + 1> places;
  Global<typename kernel::Stored<R>::type> out;
  Global<const T> in[N];

  GRADUS_DEVICE void operator()(std::int64_t i) const {
    std::int64_t at[N + 1];
    places.find(i, at);
    const auto value = of(at);
    if constexpr (std::is_same_v<R, bool>) {
      out[at[0]] = value != 0 ? 1 : 0;
    } else {
      out[at[0]] = static_cast<R>(value);
    }
  }

 private:
  GRADUS_DEVICE auto of(const std::int64_t (&at)[N + 1]) const {
    if constexpr (N == 1) return formula.f(in[0][at[1]]);
    if constexpr (N == 2) return formula.f(in[0][at[1]], in[1][at[2]]);
    if constexpr (N == 3) return formula.f(in[0][at[1]], in[1][at[2]], in[2][at[3]]);
  }
};

template <class F, class R, class T, int N>
void apply(const void* formula, const Shape& sizes, const kernel::Operand& out, std::span<const kernel::Operand> ins) {
  using Tin = typename kernel::Stored<T>::type;
  std::array<const Shape*, N + 1> strides{&out.strides};
  for (std::size_t k = 0; k < N; ++k) strides[k + 1] = &ins[k].strides;
  Apply<F, R, Tin, N> all{*static_cast<const F*>(formula),
                          Places<N + 1>(sizes, strides),
                          output<typename kernel::Stored<R>::type>(out.data),
                          {}};
  for (std::size_t k = 0; k < N; ++k) all.in[k] = input<Tin>(ins[k].data);
  launch(sizes.numel(), all);
}

// A table in the making.
class Formulas {
 public:
  template <class F, class R, class T, int N>
  void add() {
    entries_.push_back({kernel::loop_name<F, R, T, N>(), apply<F, R, T, N>});
  }
  // For each type that F computes in.
  template <class F, int N, ops::Types types = ops::types_of<F>()>
  void add_types() {
    for_types<types>([this]<class T>(T) { add<F, T, T, N>(); });
  }
  // With its derivative, where it has one.
  template <class F>
  void add_unary() {
    add_types<F, 1>();
    if constexpr (requires(const F& f) { f.df(1.0f); }) add_types<ops::Slope<F>, 2, ops::Types::floating>();
  }
  // Of two tensors, and of a tensor and a number.
  template <class F>
  void add_binary() {
    add_types<F, 2>();
  }
  template <class F>
  void add_with_number() {
    add_types<ops::WithNumber<F, ops::Side::right>, 1>();
  }
  template <class F>
  void add_number_with() {
    add_types<ops::WithNumber<F, ops::Side::left>, 1>();
  }
  template <class F, int N>
  void add_predicate() {
    for_types<ops::Types::all>([this]<class T>(T) { add<F, bool, T, N>(); });
  }
  template <class F>
  void add_comparison() {
    add_predicate<F, 2>();
    add_predicate<ops::WithNumber<F, ops::Side::right>, 1>();
  }
  std::span<const ElementwiseEntry> entries() const { return entries_; }

 private:
  template <ops::Types types, class Fn>
  static void for_types(const Fn& fn) {
    fn(float());
    fn(double());
    if constexpr (types != ops::Types::floating) {
      fn(std::int64_t());
      fn(std::int32_t());
      fn(std::uint8_t());
    }
    if constexpr (types == ops::Types::all) fn(bool());
  }

  std::vector<ElementwiseEntry> entries_;
};

}  // namespace gradus::gpu
