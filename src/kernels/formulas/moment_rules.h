// The updates of optimizers by one element: those that keep moments as Adam does, and the Schedule-Free ones. Each is
// explained where its numbers are made, in src/optim.
#pragma once

#include <cmath>
#include <limits>

#include "kernels/inline.h"

namespace gradus::optim {

struct AdamUpdate {
  double shrink, decay, sign, beta1, beta2, step_size, root_correction, eps;

  template <class T>
  GRADUS_INLINE void update(T& p, T g, T& m, T& v) const {
    moments(p, g, m, v);
    p -= T(step_size) * m / (std::sqrt(v) * T(root_correction) + T(eps));
  }
  template <class T>
  GRADUS_INLINE void update(T& p, T g, T& m, T& v, T& largest) const {
    moments(p, g, m, v);
    largest = v > largest ? v : largest;
    p -= T(step_size) * m / (std::sqrt(largest) * T(root_correction) + T(eps));
  }

 private:
  template <class T>
  GRADUS_INLINE void moments(T& p, T g, T& m, T& v) const {
    p *= T(shrink);
    g = T(sign) * g + T(decay) * p;
    m += T(1 - beta1) * (g - m);
    v = T(beta2) * v + T(1 - beta2) * g * g;
  }
};

struct AdamaxUpdate {
  double step_size, beta1, beta2, eps, decay, sign;

  template <class T>
  GRADUS_INLINE void update(T& p, T g, T& m, T& u) const {
    g = T(sign) * g + T(decay) * p;
    m += T(1 - beta1) * (g - m);
    const T size = std::abs(g) + T(eps), kept = T(beta2) * u;
    u = kept > size ? kept : size;
    p -= T(step_size) * m / u;
  }
};

struct NadamUpdate {
  double shrink, decay, sign, beta1, beta2, root_correction, eps, of_gradient, of_mean;

  template <class T>
  GRADUS_INLINE void update(T& p, T g, T& m, T& v) const {
    p *= T(shrink);
    g = T(sign) * g + T(decay) * p;
    m += T(1 - beta1) * (g - m);
    v = T(beta2) * v + T(1 - beta2) * g * g;
    p -= (T(of_gradient) * g + T(of_mean) * m) / (std::sqrt(v) * T(root_correction) + T(eps));
  }
};

struct RadamUpdate {
  double shrink, decay, sign, beta1, beta2, step_size, eps;
  bool rectified;

  template <class T>
  GRADUS_INLINE void update(T& p, T g, T& m, T& v) const {
    p *= T(shrink);
    g = T(sign) * g + T(decay) * p;
    m += T(1 - beta1) * (g - m);
    v = T(beta2) * v + T(1 - beta2) * g * g;
    p -= T(step_size) * m / (rectified ? std::sqrt(v) + T(eps) : T(1));
  }
};

struct AdemamixUpdate {
  double lr, shrink, sign, beta1, beta2, beta3, alpha, correction, root_correction, eps;

  template <class T>
  GRADUS_INLINE void update(T& p, T g, T& fast, T& slow, T& v) const {
    g *= T(sign);
    fast += T(1 - beta1) * (g - fast);
    slow += T(1 - beta3) * (g - slow);
    v = T(beta2) * v + T(1 - beta2) * g * g;
    const T direction = (T(correction) * fast + T(alpha) * slow) / (std::sqrt(v) * T(root_correction) + T(eps));
    p = T(shrink) * p - T(lr) * direction;
  }
};

struct Averaging {
  double momentum, part;
  bool fresh;

  // One expression for both places that compute y, so that they give the same bits.
  template <class T>
  GRADUS_INLINE static T training_point(T x, T z, double momentum) {
    return z + T(momentum) * (x - z);
  }
  template <class T>
  GRADUS_INLINE void start(T p, T& x, T& z) const {
    x = fresh ? p : x;
    z = fresh ? p : z;
  }
  template <class T>
  GRADUS_INLINE T average(T& x, T z) const {
    x += T(part) * (z - x);
    return training_point(x, z, momentum);
  }
};

struct ShowTraining {
  double momentum;
  template <class T>
  GRADUS_INLINE void update(T& p, T, T& x, T& z) const {
    p = Averaging::training_point(x, z, momentum);
  }
};

struct SgdScheduleFreeUpdate : Averaging {
  double rate, decay, sign;

  template <class T>
  GRADUS_INLINE void update(T& p, T g, T& x, T& z) const {
    start(p, x, z);
    z -= T(rate) * (T(sign) * g + T(decay) * p);
    p = average(x, z);
  }
};

struct AdamwScheduleFreeUpdate : Averaging {
  double rate, beta2, eps, decay, sign;

  template <class T>
  GRADUS_INLINE void update(T& p, T g, T& x, T& z, T& v) const {
    start(p, x, z);
    v = T(beta2) * v + T(1 - beta2) * g * g;
    z -= T(rate) * (T(sign) * g / (std::sqrt(v) + T(eps)) + T(decay) * p);
    p = average(x, z);
  }
};

}  // namespace gradus::optim
