// The updates of optimizers by one element: SGD and its like, and the steps of Muon and LBFGS. Each is explained where
// its numbers are made, in src/optim.
#pragma once

#include <cmath>
#include <limits>

#include "kernels/inline.h"

namespace gradus::optim {

struct SgdUpdate {
  double lr, momentum, taken, decay, sign;
  bool nesterov;

  template <class T>
  GRADUS_INLINE void update(T& p, T g) const {
    p -= T(lr) * (T(sign) * g + T(decay) * p);
  }
  template <class T>
  GRADUS_INLINE void update(T& p, T g, T& v) const {
    g = T(sign) * g + T(decay) * p;
    v = T(momentum) * v + T(taken) * g;
    p -= T(lr) * (nesterov ? g + T(momentum) * v : v);
  }
};

struct RmspropUpdate {
  double lr, alpha, eps, decay, momentum, sign;
  bool centered;

  template <class T>
  GRADUS_INLINE void update(T& p, T g, T& s) const {
    g = gradient(p, g, s);
    p -= T(lr) * g / (std::sqrt(s) + T(eps));
  }
  // `other` is the mean gradient or the momentum.
  template <class T>
  GRADUS_INLINE void update(T& p, T g, T& s, T& other) const {
    g = gradient(p, g, s);
    if (centered) {
      p -= T(lr) * g / deviation(g, s, other);
    } else {
      other = T(momentum) * other + g / (std::sqrt(s) + T(eps));
      p -= T(lr) * other;
    }
  }
  template <class T>
  GRADUS_INLINE void update(T& p, T g, T& s, T& mean, T& b) const {
    g = gradient(p, g, s);
    const T d = deviation(g, s, mean);  // its branch first: a product and its sum round alike only side by side
    b = T(momentum) * b + g / d;
    p -= T(lr) * b;
  }

 private:
  template <class T>
  GRADUS_INLINE T gradient(T p, T g, T& s) const {
    g = T(sign) * g + T(decay) * p;
    s = T(alpha) * s + T(1 - alpha) * g * g;
    return g;
  }
  template <class T>
  GRADUS_INLINE T deviation(T g, T s, T& mean) const {
    mean += T(1 - alpha) * (g - mean);
    const T variance = s - mean * mean, least = std::numeric_limits<T>::epsilon() * s;
    return std::sqrt(variance > least ? variance : least) + T(eps);
  }
};

struct AdadeltaUpdate {
  double lr, rho, eps, decay, sign;

  template <class T>
  GRADUS_INLINE void update(T& p, T g, T& s, T& a) const {
    g = T(sign) * g + T(decay) * p;
    s = T(rho) * s + T(1 - rho) * g * g;
    const T d = std::sqrt(a + T(eps)) / std::sqrt(s + T(eps)) * g;
    a = T(rho) * a + T(1 - rho) * d * d;
    p -= T(lr) * d;
  }
};

struct AdagradUpdate {
  double rate, decay, eps, sign;

  template <class T>
  GRADUS_INLINE void update(T& p, T g, T& s) const {
    g = T(sign) * g + T(decay) * p;
    s += g * g;
    p -= T(rate) * g / (std::sqrt(s) + T(eps));
  }
};

struct AsgdUpdate {
  double eta, mu, shrink, decay, sign;

  template <class T>
  GRADUS_INLINE void update(T& p, T g, T& average) const {
    g = T(sign) * g + T(decay) * p;
    p = T(shrink) * p - T(eta) * g;
    average = mu == 1 ? p : average + T(mu) * (p - average);
  }
};

struct LionUpdate {
  double lr, shrink, sign, beta1, beta2;

  template <class T>
  GRADUS_INLINE void update(T& p, T g, T& m) const {
    g *= T(sign);
    const T direction = m + T(1 - beta1) * (g - m);
    p = p * T(shrink) - T(lr) * (direction > 0 ? T(1) : direction < 0 ? T(-1) : direction);
    m += T(1 - beta2) * (g - m);
  }
};

struct RpropUpdate {
  double shrink, grow, least, most, sign;

  template <class T>
  GRADUS_INLINE void update(T& p, T g, T& previous, T& step) const {
    g *= T(sign);
    const T same = g * previous;
    step *= same > 0 ? T(grow) : same < 0 ? T(shrink) : T(1);
    step = step < T(least) ? T(least) : step > T(most) ? T(most) : step;
    g = same < 0 ? T(0) : g;
    p -= step * (g > 0 ? T(1) : g < 0 ? T(-1) : g);
    previous = g;
  }
};

struct AddScaled {
  double factor;
  template <class T>
  GRADUS_INLINE void update(T& x, T y) const {
    x += T(factor) * y;
  }
};

struct SetScaled {
  double factor;
  template <class T>
  GRADUS_INLINE void update(T& x, T y) const {
    x = T(factor) * y;
  }
};

// b += (1 - momentum) (g - b), and the update before it is made orthogonal: b, or with nesterov g + momentum (b - g).
struct MuonMomentum {
  double momentum;
  bool nesterov;
  template <class T>
  GRADUS_INLINE void update(T& x, T g, T& b) const {
    b += T(1 - momentum) * (g - b);
    x = nesterov ? g + T(momentum) * (b - g) : b;
  }
};

struct Scale {
  double factor;
  template <class T>
  GRADUS_INLINE void update(T& x, T) const {
    x *= T(factor);
  }
};

struct Move {
  double shrink, rate;
  template <class T>
  GRADUS_INLINE void update(T& p, T x) const {
    p = p * T(shrink) - T(rate) * x;
  }
};

}  // namespace gradus::optim
