// A formula of two operands, one of which is a number: a loop over one tensor, with the number held in the formula.
// Written for formulas whose da and db (see elementwise.h) take numbers as well as tensors.
#pragma once

#include "ops/elementwise/elementwise.h"

namespace gradus::ops {

template <class F, Side side>
Tensor number_forward(const WithNumber<F, side>& f, const Tensor& x, const Tensor& into = Tensor()) {
  Dtype dtype = promote_scalar(x.dtype(), f.number);
  if constexpr (types_of<F>() == Types::floating) dtype = to_floating(dtype);
  const Dtype compute = compute_type(dtype);
  const Tensor* ins[] = {&x};
  const kernel::Loop loop = select_loop<WithNumber<F, side>, 1, types_of<F>()>(F::name, compute);
  return run_elementwise(F::name, loop, &f, ins, compute, dtype, into);
}

template <class F, Side side>
struct NumberOp final : Op {
  WithNumber<F, side> formula;
  Dtype x_dtype = kFloat32;
  explicit NumberOp(const WithNumber<F, side>& f) : formula(f) {}
  const char* name() const override { return F::name; }
  Tensor forward(const Tensor& x) {
    x_dtype = x.dtype();
    if (side == Side::left ? F::db_uses.b : F::da_uses.a) save(0, x);
    return number_forward(formula, x);
  }
  void backward(const Tensor& g, Grads gx) override {
    if constexpr (side == Side::left) {
      gx[0] = formula.formula.db(g, formula.number, saved(0)).to(x_dtype);
    } else {
      gx[0] = formula.formula.da(g, saved(0), formula.number).to(x_dtype);
    }
  }
};

// formula(x, number), or formula(number, x).
template <Side side = Side::right, class F>
Tensor with_number(const F& formula, const Tensor& x, const Scalar& number) {
  const WithNumber<F, side> f{formula, number};
  if (is_grad_enabled() && x.requires_grad()) return record(make_ref<NumberOp<F, side>>(f), x);
  return detail::observed(
      F::name, [&] { return number_forward(f, x); }, x);
}

template <class F>
Tensor& with_number_(const F& formula, Tensor& x, const Scalar& number) {
  Dtype result = promote_scalar(x.dtype(), number);
  if constexpr (types_of<F>() == Types::floating) result = to_floating(result);
  check_inplace_type(F::name, x, result);
  if (detail::records_inplace(x, {})) {
    detail::commit_inplace(F::name, x, with_number(formula, F::da_uses.a ? x.clone() : x, number));
  } else {
    detail::check_inplace(F::name, x);
    detail::observed(
        F::name,
        [&] {
          return number_forward(WithNumber<F, Side::right>{formula, number}, x, x);
        },
        x);
    detail::bump_version(x);
  }
  return x;
}

// Without wrapping around.
inline bool holds(Dtype dtype, const Scalar& number) {
  return number.fits(dtype) && !(dtype == kUInt8 && number.as<std::int64_t>() < 0);
}

// formula(x, number) as truth values. Integers are compared as integers: 255 is not less than 300 wrapped to uint8, as
// it is in PyTorch.
template <class F>
Tensor predicate(const F& formula, const Tensor& x, const Scalar& number) {
  const WithNumber<F, Side::right> f{formula, number};
  Dtype compute = compute_type(promote_scalar(x.dtype(), number));
  if (is_integral(compute) && !holds(compute, number)) compute = kInt64;
  const Tensor* ins[] = {&x};
  const kernel::Loop loop = select_loop<WithNumber<F, Side::right>, 1, Types::all, bool>(F::name, compute);
  return detail::observed(
      F::name, [&] { return run_elementwise(F::name, loop, &f, ins, compute, kBool); }, x);
}

}  // namespace gradus::ops
