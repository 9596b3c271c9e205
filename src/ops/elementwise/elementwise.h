// The shape of element-wise operations: a formula for one element, and what its derivative is.
//
//   struct Tanh {
//     static constexpr const char* name = "tanh";
//     static constexpr bool from_output = true;                       // derivatives are functions of the result
//     template <class T> GRADUS_INLINE T f(T x) const { return math::tanh(x); }
//     template <class T> GRADUS_INLINE T df(T y) const { return 1 - y * y; }
//     Tensor d2(const Tensor& y) const { return -2 * y; }             // d df / d(what df takes); absent: zero
//   };
//   Tensor tanh(const Tensor& x) { return unary(Tanh{}, x); }
//
// A df that is true or false passes the gradient on or stops it, also where it is infinite. Without df it is zero.
#pragma once

#include <gradus/autograd/op.h>
#include <gradus/ops.h>

#include "autograd/inplace.h"
#include "core/tensor_access.h"
#include "core/visit.h"
#include "kernels/dispatch/kernels.h"
#include "kernels/dispatch/loop.h"
#include "kernels/formulas/formula.h"

namespace gradus::ops {

// Runs a loop over broadcast operands; the result is `into` if that is defined.
Tensor run_elementwise(const char* name, const kernel::Loop& loop, const void* formula,
                       std::span<const Tensor* const> ins, Dtype compute, Dtype result, const Tensor& into = Tensor());

// Whether writing `into` changes elements of x that are read later: their memory overlaps, but not place for place.
bool disturbs(const Tensor& into, const Tensor& x);

// The type to compute in: 16 bits and int8 are stored only.
inline Dtype compute_type(Dtype dtype) {
  if (dtype == kFloat16 || dtype == kBFloat16) return kFloat32;
  return dtype == kInt8 || dtype == kInt16 ? kInt32 : dtype;
}

// In place, a result may lose precision but not its kind (float into integer, integer into bool): DtypeError.
void check_inplace_type(const char* name, const Tensor& self, Dtype result);

// The loop for formula F with N operands of `compute`; R is bool for predicates, else void: what is computed in.
template <class F, int N, Types types, class R = void>
kernel::Loop select_loop(const char* name, Dtype compute) {
  kernel::Loop loop;
  const auto choose = [&]<class T>(T) {
    loop = kernel::loop_of<F, std::conditional_t<std::is_void_v<R>, T, R>, T, N>();
  };
  if constexpr (types == Types::floating) {
    visit<float, double>(name, compute, choose);
  } else if constexpr (types == Types::numeric) {
    visit<float, double, std::int64_t, std::int32_t, std::uint8_t>(name, compute, choose);
  } else {
    visit<float, double, std::int64_t, std::int32_t, std::uint8_t, bool>(name, compute, choose);
  }
  return loop;
}

// As apply(), for callers that know that there is something to record, with the operation made where it stays.
template <class O, std::same_as<Tensor>... T>
Tensor record(Ref<O> op, const T&... xs) {
  const std::array<const Tensor*, sizeof...(T)> inputs{&xs...};
  return detail::record(std::move(op), std::span<const Tensor* const>(inputs), xs...);
}

// --- one operand ---------------------------------------------------------------------------------------------------

template <class F>
Tensor unary_forward(const F& f, const Tensor& x, const Tensor& into = Tensor()) {
  constexpr Types types = types_of<F>();
  const Dtype dtype = types == Types::floating ? to_floating(x.dtype()) : x.dtype();
  const Dtype compute = compute_type(dtype);
  const Tensor* ins[] = {&x};
  return run_elementwise(F::name, select_loop<F, 1, types>(F::name, compute), &f, ins, compute, dtype, into);
}

template <class F>
struct UnaryBackward final : Op {
  F formula;
  explicit UnaryBackward(F f) : formula(f) {}
  const char* name() const override { return F::name; }
  Tensor forward(const Tensor& g, const Tensor& x) {
    if (needs(0) || needs(1)) save(1, x);
    if (needs(1)) save(0, g);
    const Slope<F> slope{formula};
    const Dtype compute = compute_type(g.dtype());
    const Tensor* ins[] = {&g, &x};
    return run_elementwise(F::name, select_loop<Slope<F>, 2, Types::floating>(F::name, compute), &slope, ins, compute,
                           g.dtype());
  }
  void backward(const Tensor& gg, Grads gx) override {
    const Tensor x = saved(1);
    if (needs(0)) gx[0] = apply(UnaryBackward(formula), gg, x);
    if (needs(1)) {
      if constexpr (requires { formula.d2(x); }) {
        gx[1] = gg * saved(0) * formula.d2(x);
      } else {
        gx[1] = zeros_like(x);
      }
    }
  }
};

template <class F>
struct UnaryOp final : Op {
  F formula;
  explicit UnaryOp(F f) : formula(f) {}
  const char* name() const override { return F::name; }
  Tensor forward(const Tensor& x) {
    Tensor y = unary_forward(formula, x);
    if constexpr (requires { formula.df(1.0f); }) {
      if constexpr (from_output<F>()) {
        save_output(y);
      } else {
        save(0, x);
      }
    }
    return y;
  }
  void backward(const Tensor& g, Grads gx) override {
    if constexpr (!requires { formula.df(1.0f); }) {
      gx[0] = zeros_like(g);
    } else if constexpr (from_output<F>()) {
      gx[0] = apply(UnaryBackward<F>(formula), g, output());
    } else {
      gx[0] = apply(UnaryBackward<F>(formula), g, saved(0));
    }
  }
};

template <class F>
Tensor unary(const F& f, const Tensor& x) {
  if (is_grad_enabled() && x.requires_grad()) return record(make_ref<UnaryOp<F>>(f), x);
  return detail::observed(
      F::name, [&] { return unary_forward(f, x); }, x);
}

template <class F>
Tensor& unary_(const F& f, Tensor& x) {
  if constexpr (types_of<F>() == Types::floating) check_inplace_type(F::name, x, to_floating(x.dtype()));
  if (detail::records_inplace(x, {})) {
    // What the derivative reads must not be what is about to change.
    constexpr bool keeps_input = requires { f.df(1.0f); }
    &&!from_output<F>();
    detail::commit_inplace(F::name, x, unary(f, keeps_input ? x.clone() : x));
  } else {
    detail::check_inplace(F::name, x);
    detail::observed(
        F::name, [&] { return unary_forward(f, x, x); }, x);
    detail::bump_version(x);
  }
  return x;
}

// --- two operands --------------------------------------------------------------------------------------------------

// Sums g over the dimensions along which `sizes` was broadcast.
Tensor sum_to(const Tensor& g, const Shape& sizes);

template <class F>
Dtype binary_type(const Tensor& a, const Tensor& b) {
  // A 0-d tensor takes part in promotion as a number does: only across kinds.
  Dtype dtype = a.dtype() == b.dtype() ? a.dtype() : result_type(a, b);
  if constexpr (types_of<F>() == Types::floating) dtype = to_floating(dtype);
  return dtype;
}

template <class F>
Tensor binary_forward(const F& f, const Tensor& a, const Tensor& b, const Tensor& into = Tensor()) {
  const Dtype dtype = binary_type<F>(a, b);
  const Dtype compute = compute_type(dtype);
  const Tensor* ins[] = {&a, &b};
  return run_elementwise(F::name, select_loop<F, 2, types_of<F>()>(F::name, compute), &f, ins, compute, dtype, into);
}

// F has `f(a, b)`, and `da(g, a, b)`, `db(g, a, b)` written with operations; `uses` says which of a, b are read
// by which derivative, so that nothing else is kept: e.g. mul's da reads b only.
template <class F>
struct BinaryOp final : Op {
  static constexpr bool takes_numbers = true;
  F formula;
  Shape a_sizes, b_sizes;
  Dtype a_dtype = kFloat32, b_dtype = kFloat32;
  explicit BinaryOp(F f) : formula(f) {}
  const char* name() const override { return F::name; }
  Tensor forward(const Tensor& a, const Tensor& b) {
    a_sizes = a.sizes();
    b_sizes = b.sizes();
    a_dtype = a.dtype();
    b_dtype = b.dtype();
    if ((needs(0) && F::da_uses.a) || (needs(1) && F::db_uses.a)) save(0, a);
    if ((needs(0) && F::da_uses.b) || (needs(1) && F::db_uses.b)) save(1, b);
    return binary_forward(formula, a, b);
  }
  void backward(const Tensor& g, Grads gx) override {
    const Tensor a = saved(0), b = saved(1);
    if (needs(0)) gx[0] = sum_to(formula.da(g, a, b), a_sizes).to(a_dtype);
    if (needs(1)) gx[1] = sum_to(formula.db(g, a, b), b_sizes).to(b_dtype);
  }
};

template <class F>
Tensor binary(const F& f, const Tensor& a, const Tensor& b) {
  if (is_grad_enabled() && (a.requires_grad() || b.requires_grad())) return record(make_ref<BinaryOp<F>>(f), a, b);
  return detail::observed(
      F::name, [&] { return binary_forward(f, a, b); }, a, b);
}

template <class F>
Tensor& binary_(const F& f, Tensor& a, const Tensor& b) {
  check_inplace_type(F::name, a, binary_type<F>(a, b));
  if (detail::records_inplace(a, {&b})) {
    const bool keeps_a = (a.requires_grad() && F::da_uses.a) || (b.requires_grad() && F::db_uses.a);
    detail::commit_inplace(F::name, a, binary(f, keeps_a ? a.clone() : a, b));
  } else {
    detail::check_inplace(F::name, a);
    detail::observed(
        F::name, [&] { return binary_forward(f, a, b, a); }, a, b);
    detail::bump_version(a);
  }
  return a;
}

// --- the shape of many backward passes: linear in g, with weights that depend on other tensors ----------------------

// y = f(g, others...), differentiable in g only: the gradient of y passes through the same formula.
template <class F, int N>
struct LinearOp final : Op {
  static constexpr bool takes_numbers = true;
  F formula;
  explicit LinearOp(F f) : formula(f) {}
  const char* name() const override { return F::name; }
  template <std::same_as<Tensor>... T>
  Tensor forward(const Tensor& g, const T&... others) {
    int slot = 0;
    (save(++slot, others), ...);
    const Dtype compute = compute_type(g.dtype());
    const Tensor* ins[] = {&g, &others...};
    return run_elementwise(F::name, select_loop<F, N, Types::floating>(F::name, compute), &formula, ins, compute,
                           g.dtype());
  }
  void backward(const Tensor& gg, Grads gx) override {
    if constexpr (N == 2) gx[0] = apply(LinearOp(formula), gg, saved(1));
    if constexpr (N == 3) gx[0] = apply(LinearOp(formula), gg, saved(1), saved(2));
  }
};

template <class F, std::same_as<Tensor>... T>
Tensor linear_in(const F& f, const Tensor& g, const T&... others) {
  return apply(LinearOp<F, 1 + sizeof...(T)>(f), g, others...);
}

// --- predicates: bool results, no gradient --------------------------------------------------------------------------

template <class F>
Tensor predicate(const F& f, const Tensor& x) {
  const Dtype compute = compute_type(x.dtype());
  const Tensor* ins[] = {&x};
  const kernel::Loop loop = select_loop<F, 1, Types::all, bool>(F::name, compute);
  return detail::observed(
      F::name, [&] { return run_elementwise(F::name, loop, &f, ins, compute, kBool); }, x);
}

template <class F>
Tensor predicate(const F& f, const Tensor& a, const Tensor& b) {
  const Dtype compute = compute_type(a.dtype() == b.dtype() ? a.dtype() : result_type(a, b));
  const Tensor* ins[] = {&a, &b};
  const kernel::Loop loop = select_loop<F, 2, Types::all, bool>(F::name, compute);
  return detail::observed(
      F::name, [&] { return run_elementwise(F::name, loop, &f, ins, compute, kBool); }, a, b);
}

}  // namespace gradus::ops
