// Choosing between elements: where, maximum, minimum, clamp, lerp.
#include <gradus/ops.h>
#include <gradus/ops/mathematics.h>

#include <cmath>

#include "kernels/formulas/choice.h"
#include "ops/elementwise/elementwise.h"

namespace gradus {

using namespace ops;

namespace {

struct Where final : Op {
  static constexpr bool takes_numbers = true;
  Shape a_sizes, b_sizes;
  Dtype a_dtype = kFloat32, b_dtype = kFloat32;
  const char* name() const override { return "where"; }
  Tensor forward(const Tensor& condition, const Tensor& a, const Tensor& b) {
    a_sizes = a.sizes();
    b_sizes = b.sizes();
    a_dtype = a.dtype();
    b_dtype = b.dtype();
    save(0, condition);
    const Dtype dtype = a.dtype() == b.dtype() ? a.dtype() : result_type(a, b);
    const Dtype compute = compute_type(dtype);
    const Tensor* ins[] = {&condition, &a, &b};
    const Select select;
    return run_elementwise("where", select_loop<Select, 3, Types::all>("where", compute), &select, ins, compute, dtype);
  }
  void backward(const Tensor& g, Grads gx) override {
    const Tensor condition = saved(0);
    if (needs(1)) gx[1] = sum_to(linear_in(Mask<true>{}, g, condition), a_sizes).to(a_dtype);
    if (needs(2)) gx[2] = sum_to(linear_in(Mask<false>{}, g, condition), b_sizes).to(b_dtype);
  }
};

Clamp make_clamp(std::optional<double> min, std::optional<double> max) {
  if (!min && !max) throw ValueError("clamp: needs min, max or both");
  if ((min && std::isnan(*min)) || (max && std::isnan(*max))) throw ValueError("clamp: a bound must not be NaN");
  constexpr double inf = std::numeric_limits<double>::infinity();
  return {min.value_or(-inf), max.value_or(inf)};
}

// Bounds that are not whole numbers make integers floating, as other arithmetic with such numbers does.
Dtype clamped_type(Dtype dtype, const Clamp& bounds) {
  const auto whole = [](double v) { return std::isinf(v) || v == std::trunc(v); };
  if (!is_integral(dtype)) return dtype;
  if (!(whole(bounds.min) && whole(bounds.max))) return kFloat32;
  if (dtype == kBool) return kInt64;
  // Bounds beyond the type are no bounds, unless they leave no value of it.
  if (bounds.min > 0) check_fits("clamp", bounds.min, dtype);
  if (bounds.max < 0) check_fits("clamp", bounds.max, dtype);
  return dtype;
}

}  // namespace

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  if (condition.dtype() != kBool && condition.dtype() != kUInt8) {
    throw DtypeError(std::string("where: the condition must be bool or uint8, got ") + to_string(condition.dtype()));
  }
  return apply(Where{}, condition, a, b);
}

Tensor maximum(const Tensor& a, const Tensor& b) { return binary(Extremum<1>{}, a, b); }
Tensor minimum(const Tensor& a, const Tensor& b) { return binary(Extremum<-1>{}, a, b); }

Tensor clamp(const Tensor& x, std::optional<double> min, std::optional<double> max) {
  const Clamp bounds = make_clamp(min, max);
  return unary(bounds, x.to(clamped_type(x.dtype(), bounds)));
}

Tensor& TensorMethods::clamp_(std::optional<double> min, std::optional<double> max) const {
  const Clamp bounds = make_clamp(min, max);
  check_inplace_type("clamp_", self(), clamped_type(self().dtype(), bounds));
  return unary_(bounds, self());
}

Tensor lerp(const Tensor& start, const Tensor& end, double weight) { return binary(Lerp{weight}, start, end); }

// From the nearer end, so that weights of 0 and 1 return the ends themselves.
Tensor lerp(const Tensor& start, const Tensor& end, const Tensor& weight) {
  for (const Tensor* x : {&end, &weight}) {
    if (x->dtype() != start.dtype()) {
      throw DtypeError(std::string("lerp: start, end and weight must be of one type, got ") + to_string(start.dtype()) +
                       " and " + to_string(x->dtype()));
    }
  }
  const Tensor way = end - start;
  return where(abs(weight) < 0.5, start + weight * way, end - way * (1 - weight));
}

}  // namespace gradus
