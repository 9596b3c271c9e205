// Orthogonal parametrizations: the maps of torch.nn.utils.parametrizations.orthogonal. See Lezcano-Casado (2019).
#include <gradus/autograd.h>
#include <gradus/autograd/op.h>
#include <gradus/nn/parametrize.h>

#include <cmath>
#include <limits>

#include "kernels/math.h"
#include "nn/parametrize/computed.h"

namespace gradus::nn {

namespace {

Tensor transposed(const Tensor& x) { return transpose(x, -1, -2); }
Tensor identity_like(const Tensor& x) { return eye(x.size(-1), {}, {.dtype = x.dtype(), .device = x.device()}); }

// exp(A), by a Taylor series of A / 2^s, squared s times. The series is exact to double where the norm is at most 1/2.
Tensor matrix_exp(const Tensor& a) {
  const double size = amax(sum(abs(a.detach()), {-1}, false)).item();
  if (!std::isfinite(size)) throw ValueError("orthogonal: the original must be finite");
  const int squarings = size > 0.5 ? static_cast<int>(std::ceil(math::log2(size / 0.5))) : 0;
  const Tensor x = a * std::ldexp(1.0, -squarings), one = identity_like(a);
  Tensor y = one + x / 14;
  for (int k = 13; k >= 1; --k) y = one + matmul(x, y) / k;
  for (int i = 0; i < squarings; ++i) y = matmul(y, y);
  return y;
}

// Inverses of regular matrices, by Gauss-Jordan elimination in double.
struct Inverse final : Op {
  const char* name() const override { return "inverse"; }
  Tensor forward(const Tensor& x) {
    const std::int64_t n = x.size(-1), count = x.numel() / (n * n);
    std::vector<double> values = x.to_vector<double>(), inverse(values.size(), 0.0);
    const auto size = static_cast<std::size_t>(n);
    for (std::int64_t m = 0; m < count; ++m) {
      double *a = values.data() + m * n * n, *b = inverse.data() + m * n * n;
      for (std::size_t i = 0; i < size; ++i) b[i * size + i] = 1;
      for (std::size_t column = 0; column < size; ++column) {
        std::size_t pivot = column;
        for (std::size_t r = column + 1; r < size; ++r)
          if (std::abs(a[r * size + column]) > std::abs(a[pivot * size + column])) pivot = r;
        for (std::size_t j = 0; j < size && pivot != column; ++j) {
          std::swap(a[pivot * size + j], a[column * size + j]);
          std::swap(b[pivot * size + j], b[column * size + j]);
        }
        const double scale = 1 / a[column * size + column];
        for (std::size_t j = 0; j < size; ++j) {
          a[column * size + j] *= scale;
          b[column * size + j] *= scale;
        }
        for (std::size_t r = 0; r < size; ++r) {
          const double factor = a[r * size + column];
          if (r == column || factor == 0) continue;
          for (std::size_t j = 0; j < size; ++j) {
            a[r * size + j] -= factor * a[column * size + j];
            b[r * size + j] -= factor * b[column * size + j];
          }
        }
      }
    }
    const Tensor y = tensor(inverse, x.sizes(), {.dtype = x.dtype(), .device = x.device()});
    save_output(y);
    return y;
  }
  void backward(const Tensor& g, Grads gx) override {
    const Tensor y = transposed(output());
    gx[0] = -matmul(matmul(y, g), y);
  }
};

// (I - A/2)^-1 (I + A/2).
Tensor cayley(const Tensor& a) {
  const Tensor one = identity_like(a), half = a / 2;
  return matmul(apply(Inverse(), one - half), one + half);
}

// The first k columns of H_0 H_1 ... H_(k-1), H_i = I - tau v v^T, v being column i of `a` with 1 at the diagonal and 0
// above. tau is such that each is orthogonal.
Tensor householder(const Tensor& a) {
  const std::int64_t n = a.size(-2), k = a.size(-1);
  const Tensor one = eye(n, k, {.dtype = a.dtype(), .device = a.device()}), below = tril(a, -1), v_all = below + one;
  const Tensor tau = 2 / (sum(below * below, {-2}, true) + 1);
  Tensor q = one;
  for (std::int64_t i = k; i-- > 0;) {
    const Tensor v = narrow(v_all, -1, i, 1);
    q = q - matmul(v * narrow(tau, -1, i, 1), matmul(transposed(v), q));
  }
  return q;
}

using Matrix = std::vector<double>;

// Gram-Schmidt on the columns of [n, k], k <= n, twice: the Q of the QR factorisation whose R has a positive diagonal.
void make_orthonormal(double* q, std::size_t n, std::size_t k) {
  for (std::size_t i = 0; i < k; ++i) {
    for (int pass = 0; pass < 2; ++pass) {
      for (std::size_t j = 0; j < i; ++j) {
        double product = 0;
        for (std::size_t r = 0; r < n; ++r) product += q[r * k + i] * q[r * k + j];
        for (std::size_t r = 0; r < n; ++r) q[r * k + i] -= product * q[r * k + j];
      }
    }
    double square = 0;
    for (std::size_t r = 0; r < n; ++r) square += q[r * k + i] * q[r * k + i];
    for (std::size_t r = 0; r < n; ++r) q[r * k + i] /= std::sqrt(square);
  }
}

// The reflections that make [n, k] an upper triangle, below the diagonal as LAPACK's geqrf leaves them; on the diagonal
// the signs for which householder(a) * diagonal is the Q whose R has a positive diagonal.
void reflections(double* a, std::size_t n, std::size_t k) {
  for (std::size_t i = 0; i < k; ++i) {
    double square = 0;
    for (std::size_t r = i + 1; r < n; ++r) square += a[r * k + i] * a[r * k + i];
    const double alpha = a[i * k + i];
    if (square == 0) {
      // LAPACK leaves this reflection out, so that there is no sign to undo; householder() has it, which changes one.
      a[i * k + i] = alpha < 0 ? 1 : -1;
      continue;
    }
    const double beta = alpha > 0 ? -std::sqrt(alpha * alpha + square) : std::sqrt(alpha * alpha + square);
    for (std::size_t r = i + 1; r < n; ++r) a[r * k + i] /= alpha - beta;
    const double tau = (beta - alpha) / beta;
    for (std::size_t j = i + 1; j < k; ++j) {
      double product = a[i * k + j];
      for (std::size_t r = i + 1; r < n; ++r) product += a[r * k + i] * a[r * k + j];
      a[i * k + j] -= tau * product;
      for (std::size_t r = i + 1; r < n; ++r) a[r * k + j] -= tau * product * a[r * k + i];
    }
    a[i * k + i] = beta > 0 ? 1 : -1;
  }
}

template <class Change>
Tensor changed(const Tensor& x, Change change) {
  Matrix values = x.to_vector<double>();
  const auto n = static_cast<std::size_t>(x.size(-2)), k = static_cast<std::size_t>(x.size(-1));
  for (std::size_t at = 0; at < values.size(); at += n * k) change(values.data() + at, n, k);
  return tensor(values, x.sizes(), {.dtype = x.dtype(), .device = x.device()});
}

bool is_orthogonal(const Tensor& q) {
  const double epsilon = q.dtype() == kFloat64 ? std::numeric_limits<double>::epsilon()
                                               : static_cast<double>(std::numeric_limits<float>::epsilon());
  const Tensor product = matmul(transposed(q), q);
  return allclose(product, expand(identity_like(product), product.sizes()), 1e-5,
                  10 * static_cast<double>(q.size(-2)) * epsilon);
}

enum class Map { Exponential, Cayley, Householder };

class Orthogonal final : public Parametrization {
 public:
  Buffer base = add("base", Buffer());
  Orthogonal(Map map, bool trivialization)
      : Parametrization("_Orthogonal"), map_(map), trivialization_(trivialization) {}

  Tensor forward(const Tensor& original) override {
    const bool wide = original.size(-2) < original.size(-1);
    Tensor x = wide ? transposed(original) : original;
    const std::int64_t n = x.size(-2), k = x.size(-1);
    Tensor q;
    if (map_ == Map::Householder) {
      // The diagonal is made of signs; it does not train.
      const Tensor one = eye(n, k, {.dtype = x.dtype(), .device = x.device()});
      q = householder(x) * sign(sum(x.detach() * one, {-2}, true));
    } else {
      x = tril(x);
      if (n != k) {
        Shape sizes = x.sizes();
        sizes[sizes.rank() - 1] = n - k;
        x = cat({x, zeros(sizes, {.dtype = x.dtype(), .device = x.device()})}, -1);
      }
      const Tensor skew = x - transposed(x);
      q = map_ == Map::Cayley ? cayley(skew) : matrix_exp(skew);
      if (n != k) q = narrow(q, -1, 0, k);
    }
    if (base.defined()) q = matmul(base, q);
    return wide ? transposed(q) : q;
  }

  std::vector<Tensor> right_inverse(const Tensor& value) override {
    const NoGrad guard;
    const bool wide = value.size(-2) < value.size(-1);
    Tensor q = wide ? transposed(value) : value;
    const std::int64_t n = q.size(-2), k = q.size(-1);
    if (!trivialization_) {
      if (map_ != Map::Householder) {
        if (!std::exchange(registered_, true)) return {value.clone()};  // an original like any other
        throw ValueError("orthogonal: without the trivialization only 'householder' can be assigned to");
      }
      const Tensor a = changed(q, reflections);
      return {wide ? transposed(a).contiguous() : a};
    }
    if (n != k) {
      Shape sizes = q.sizes();
      sizes[sizes.rank() - 1] = n - k;
      q = cat({q, randn(sizes, {.dtype = q.dtype(), .device = q.device()})}, -1);
    }
    base = Buffer(n == k && is_orthogonal(q) ? q.clone() : changed(q, make_orthonormal));
    // What maps to the identity: the householder map takes its signs from the diagonal.
    const Tensor minus_one =
        eye(value.size(-2), value.size(-1), {.dtype = value.dtype(), .device = value.device()}) * -1;
    return {expand(minus_one, value.sizes()).contiguous()};
  }

 private:
  Map map_;
  bool trivialization_, registered_ = false;
};

}  // namespace

Module& orthogonal(Module& module, const std::string& name, const OrthogonalOptions& options) {
  const Tensor weight = module.state()->parameter(detail::ComputedParameters::place_of("orthogonal", module, name));
  if (weight.dim() < 2 || weight.numel() == 0) {
    throw ValueError("orthogonal: needs a matrix or several, got a parameter " + gradus::to_string(weight.sizes()));
  }
  const std::string map =
      options.orthogonal_map.value_or(weight.size(-2) == weight.size(-1) ? "matrix_exp" : "householder");
  if (map != "matrix_exp" && map != "cayley" && map != "householder") {
    throw ValueError("orthogonal: orthogonal_map must be 'matrix_exp', 'cayley' or 'householder', got '" + map + "'");
  }
  const Map kind = map == "cayley" ? Map::Cayley : map == "householder" ? Map::Householder : Map::Exponential;
  return register_parametrization(module, name, Orthogonal(kind, options.use_trivialization), true);
}

}  // namespace gradus::nn
