// Choosing between elements: where, maximum, minimum, clamp, lerp.
#include <gradus/ops.h>

#include <cmath>

#include "ops/elementwise/elementwise.h"

namespace gradus {

using namespace ops;

namespace {

struct Select {
  static constexpr const char* name = "where";
  template <class T>
  GRADUS_INLINE T f(T condition, T a, T b) const {
    return condition != 0 ? a : b;
  }
};

// g where the condition is `kept`, else zero, also for infinite g.
template <bool kept>
struct Mask {
  static constexpr const char* name = "where";
  template <class T>
  GRADUS_INLINE T f(T g, T condition) const {
    return (condition != 0) == kept ? g : T(0);
  }
};

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

// The larger of two. A NaN on either side is the result.
template <int sign>
GRADUS_INLINE bool beats(auto a, auto b) {
  return sign > 0 ? a > b : a < b;
}

// The part of g that belongs to the first of two: nothing where the second won, half where they are equal.
template <int sign>
struct Share {
  static constexpr const char* name = sign > 0 ? "maximum" : "minimum";
  template <class T>
  GRADUS_INLINE T f(T g, T a, T b) const {
    const T part = a == b ? g / 2 : g;
    return beats<sign>(b, a) ? T(0) : part;
  }
};

template <int sign>
struct Extremum {
  static constexpr const char* name = Share<sign>::name;
  static constexpr Types types = Types::all;
  static constexpr Uses da_uses{.a = true, .b = true}, db_uses{.a = true, .b = true};
  template <class T>
  GRADUS_INLINE T f(T a, T b) const {
    const T larger = beats<sign>(b, a) ? b : a;
    return b != b ? b : larger;
  }
  Tensor da(const Tensor& g, const Tensor& a, const Tensor& b) const { return linear_in(Share<sign>{}, g, a, b); }
  Tensor db(const Tensor& g, const Tensor& a, const Tensor& b) const { return linear_in(Share<sign>{}, g, b, a); }
};

// `value` in T, or T's nearest.
template <class T>
GRADUS_INLINE T saturated(double value) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(value);
  } else {
    if (value <= static_cast<double>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
    if (value >= static_cast<double>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
    return static_cast<T>(value);
  }
}

struct Clamp {
  static constexpr const char* name = "clamp";
  static constexpr Types types = Types::numeric;
  double min, max;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    const T low = saturated<T>(min), high = saturated<T>(max);
    const T raised = x < low ? low : x;
    return raised > high ? high : raised;
  }
  template <class T>
  GRADUS_INLINE bool df(T x) const {
    return (x >= static_cast<T>(min)) & (x <= static_cast<T>(max));
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
  return dtype == kBool ? kInt64 : dtype;
}

struct Lerp {
  static constexpr const char* name = "lerp";
  static constexpr Uses da_uses{}, db_uses{};
  double weight;
  // From the nearer end, so that weights of 0 and 1 give the ends exactly.
  template <class T>
  GRADUS_INLINE T f(T a, T b) const {
    const T w = static_cast<T>(weight);
    return weight < 0.5 ? a + w * (b - a) : b - (b - a) * (1 - w);
  }
  Tensor da(const Tensor& g, const Tensor&, const Tensor&) const { return g * (1 - weight); }
  Tensor db(const Tensor& g, const Tensor&, const Tensor&) const { return g * weight; }
};

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

Tensor& Tensor::clamp_(std::optional<double> min, std::optional<double> max) const {
  const Clamp bounds = make_clamp(min, max);
  check_inplace_type("clamp_", self(), clamped_type(dtype(), bounds));
  return unary_(bounds, self());
}

Tensor lerp(const Tensor& start, const Tensor& end, double weight) { return binary(Lerp{weight}, start, end); }

}  // namespace gradus
