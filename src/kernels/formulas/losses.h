// The element-wise part of losses.
#pragma once

#include <cmath>

#include "kernels/formulas/formula.h"
#include "kernels/math.h"

namespace gradus::ops {

// Each is a function of a - b, so its slope for b is that for a, negated.
struct SquaredError {
  static constexpr const char* name = "mse_loss";
  static constexpr Uses da_uses{.a = true, .b = true}, db_uses = da_uses;
  template <class T>
  GRADUS_INLINE T f(T a, T b) const {
    return (a - b) * (a - b);
  }
  template <class X>
  X da(const X& g, const X& a, const X& b) const {
    return g * 2 * (a - b);
  }
  template <class X>
  X db(const X& g, const X& a, const X& b) const {
    return g * 2 * (b - a);
  }
};

struct AbsoluteError {
  static constexpr const char* name = "l1_loss";
  static constexpr Uses da_uses{.a = true, .b = true}, db_uses = da_uses;
  template <class T>
  GRADUS_INLINE T f(T a, T b) const {
    return std::abs(a - b);
  }
  template <class X>
  X da(const X& g, const X& a, const X& b) const {
    return g * sign(a - b);
  }
  template <class X>
  X db(const X& g, const X& a, const X& b) const {
    return g * sign(b - a);
  }
};

struct Huber {
  static constexpr const char* name = "huber_loss";
  static constexpr Uses da_uses{.a = true, .b = true}, db_uses = da_uses;
  double delta;
  template <class T>
  GRADUS_INLINE T f(T a, T b) const {
    const T e = std::abs(a - b), edge = static_cast<T>(delta);
    return e <= edge ? T(0.5) * e * e : edge * (e - T(0.5) * edge);
  }
  template <class X>
  X da(const X& g, const X& a, const X& b) const {
    return g * clamp(a - b, -delta, delta);
  }
  template <class X>
  X db(const X& g, const X& a, const X& b) const {
    return g * clamp(b - a, -delta, delta);
  }
};

struct SmoothL1 {
  static constexpr const char* name = "smooth_l1_loss";
  static constexpr Uses da_uses{.a = true, .b = true}, db_uses = da_uses;
  double beta;
  template <class T>
  GRADUS_INLINE T f(T a, T b) const {
    const T e = std::abs(a - b), edge = static_cast<T>(beta);
    return e < edge ? T(0.5) * e * e / edge : e - T(0.5) * edge;
  }
  template <class X>
  X da(const X& g, const X& a, const X& b) const {
    return g * clamp((a - b) / beta, -1, 1);
  }
  template <class X>
  X db(const X& g, const X& a, const X& b) const {
    return g * clamp((b - a) / beta, -1, 1);
  }
};

// t (log t - x), for log-probabilities x and probabilities t.
struct Divergence {
  static constexpr const char* name = "kl_div";
  static constexpr Uses da_uses{.b = true}, db_uses{.a = true, .b = true};
  template <class T>
  GRADUS_INLINE T f(T x, T t) const {
    const T own = t == 0 ? T(0) : t * math::log(t);
    return own - t * x;
  }
  template <class X>
  X da(const X& g, const X&, const X& t) const {
    return -(g * t);
  }
  template <class X>
  X db(const X& g, const X& x, const X& t) const {
    const X nothing = t == 0;
    return g * masked_fill(log(masked_fill(t, nothing, 1)) + 1 - x, nothing, 0);
  }
};

// Of probabilities p: the logarithms end at -100, and the slope's denominator at float's 1e-12, as in PyTorch.
struct Bce {
  static constexpr const char* name = "binary_cross_entropy";
  static constexpr Uses da_uses{.a = true, .b = true}, db_uses{.a = true};
  template <class T>
  GRADUS_INLINE T f(T p, T t) const {
    const T yes = math::log(p), no = math::log1p(-p);
    return (t - 1) * (no < -100 ? T(-100) : no) - t * (yes < -100 ? T(-100) : yes);
  }
  template <class X>
  X da(const X& g, const X& p, const X& t) const {
    return g * (p - t) / clamp((1 - p) * p, 1e-12f);
  }
  template <class X>
  X db(const X& g, const X& p, const X&) const {
    return g * (log1p(-p) - log(p));
  }
};

// Of logits x: (1 - t) x + log(1 + exp(-x)), arranged so that exp never overflows.
struct BceWithLogits {
  static constexpr const char* name = "binary_cross_entropy_with_logits";
  static constexpr Uses da_uses{.a = true, .b = true}, db_uses{.a = true};
  template <class T>
  GRADUS_INLINE T f(T x, T t) const {
    return (1 - t) * x + (x < 0 ? -x : T(0)) + math::log1p(math::exp(-std::abs(x)));
  }
  template <class X>
  X da(const X& g, const X& x, const X& t) const {
    return g * (sigmoid(x) - t);
  }
  template <class X>
  X db(const X& g, const X& x, const X&) const {
    return -(g * x);
  }
};

}  // namespace gradus::ops
