// Random tensors: rand, randn, randint, randperm, uniform_, normal_, bernoulli_.
#include <gradus/autograd.h>
#include <gradus/ops.h>
#include <gradus/random.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/inplace.h"
#include "core/range.h"
#include "core/tensor_access.h"
#include "core/visit.h"
#include "kernels/dispatch/kernels.h"
#include "ops/elementwise/elementwise.h"

namespace gradus {

namespace {

kernel::RandomRange drawn_range(Generator* generator, std::uint64_t blocks) {
  Generator& from = generator ? *generator : default_generator();
  return {from.seed(), from.advance(blocks)};
}

// Gives x what `fill` writes into a contiguous float32 or float64 tensor, and as history that of a constant.
template <class Fill>
Tensor& filled(const char* call, Tensor& x, const Fill& fill) {
  if (!is_floating_point(x.dtype())) {
    throw DtypeError(std::string(call) + ": needs a floating-point tensor, got " + to_string(x.dtype()));
  }
  detail::check_inplace(call, x);
  const Dtype compute = ops::compute_type(x.dtype());
  const bool direct = x.is_contiguous() && x.dtype() == compute && !detail::records_inplace(x, {});
  Tensor y = direct ? x : detail::make_empty(x.sizes(), compute, x.device());
  fill(kernels(x.device()), compute, y.impl()->data, y.numel());
  if (direct) {
    detail::bump_version(x);
  } else if (detail::records_inplace(x, {})) {
    x.fill_(0);  // the gradient ends here
    NoGrad guard;
    x.copy_(y);
  } else {
    x.copy_(y);
  }
  return x;
}

// The type's numbers nearest to two given ones that lie between them; the first is above the last where there is none.
struct Numbers {
  double first, last;

  Numbers(Dtype dtype, double from, double to) : first(rounded(dtype, from)), last(rounded(dtype, to)) {
    if (first < from) first = beside(dtype, first, true);
    if (last > to) last = beside(dtype, last, false);
  }

 private:
  static double rounded(Dtype dtype, double x) { return Tensor::scalar(x, kFloat64).to(dtype).item<double>(); }
  // The next one up or down: patterns of bits are ordered as what they stand for, but for the sign.
  static double beside(Dtype dtype, double x, bool up) {
    const double end = up ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity();
    double next = x;
    visit<Float16, BFloat16, float, double>("uniform_", dtype, [&]<class T>(T) {
      if constexpr (std::is_floating_point_v<T>) {
        next = std::nextafter(static_cast<T>(x), static_cast<T>(end));
      } else {
        T h(static_cast<float>(x));
        int place = (h.bits & 0x8000) != 0 ? -(h.bits & 0x7fff) : h.bits;
        place += up ? 1 : -1;
        h.bits = static_cast<std::uint16_t>(place < 0 ? 0x8000 | -place : place);
        next = static_cast<float>(h);
      }
    });
    return next;
  }
};

TensorOptions floating(const char* call, TensorOptions options) {
  options.dtype = options.dtype.value_or(kFloat32);
  options.requires_grad = false;
  if (!is_floating_point(*options.dtype)) {
    throw DtypeError(std::string(call) + ": needs a floating-point type, got " + to_string(*options.dtype));
  }
  return options;
}

// Refuses integer types too small for numbers from `low` to `last`.
void check_holds(const char* call, Dtype dtype, std::int64_t low, std::int64_t last) {
  bool holds = true;
  visit_all(dtype, [&]<class T>(T) {
    using Limits = std::numeric_limits<T>;
    if constexpr (std::is_integral_v<T>)
      holds = low >= std::int64_t{Limits::min()} && last <= std::int64_t{Limits::max()};
  });
  if (holds) return;
  throw ValueError(std::string(call) + ": " + to_string(dtype) + " cannot hold the numbers from " +
                   std::to_string(low) + " to " + std::to_string(last));
}

}  // namespace

Tensor& Tensor::uniform_(double from, double to, Generator* generator) const {
  const double most = dtype() == kFloat64 ? std::numeric_limits<double>::max() : std::numeric_limits<float>::max();
  if (!(from >= -most && to <= most && from <= to && to - from <= most)) {
    throw ValueError("uniform_: needs from <= to with a difference that " + std::string(gradus::to_string(dtype())) +
                     " can hold, got " + gradus::to_string(from) + " and " + gradus::to_string(to));
  }
  double last = std::numeric_limits<double>::infinity();
  if (dtype() != kFloat32 && dtype() != kFloat64 && from < to) {
    // Drawn in float32, and rounded: to numbers of the type within the range.
    const Numbers held(dtype(), from, std::nextafter(to, from));
    if (held.first <= held.last) {
      from = held.first;
      last = held.last;
    } else {
      to = from;
    }
  }
  return filled("uniform_", self(), [&](const Kernels& of, Dtype dtype, void* out, std::int64_t n) {
    of.fill_uniform(drawn_range(generator, kernel::uniform_blocks(n, gradus::element_size(dtype))), dtype, out, n, from,
                    to, last);
  });
}

Tensor& Tensor::normal_(double mean, double std, Generator* generator) const {
  if (!(std::isfinite(mean) && std >= 0 && std::isfinite(std))) {
    throw ValueError("normal_: needs a finite mean and a finite std of at least 0, got " + gradus::to_string(mean) +
                     " and " + gradus::to_string(std));
  }
  return filled("normal_", self(), [&](const Kernels& of, Dtype dtype, void* out, std::int64_t n) {
    of.fill_normal(drawn_range(generator, kernel::normal_blocks(n, gradus::element_size(dtype))), dtype, out, n, mean,
                   std);
  });
}

Tensor& Tensor::bernoulli_(double p, Generator* generator) const {
  check_range("bernoulli_", "p", p, between(0, 1));
  detail::check_inplace("bernoulli_", self());
  Tensor drawn = detail::make_empty(sizes(), kBool, device());
  kernels(device()).fill_bernoulli(drawn_range(generator, kernel::uniform_blocks(drawn.numel(), 4)),
                                   static_cast<std::uint8_t*>(drawn.data_ptr()), drawn.numel(), p);
  if (detail::records_inplace(self(), {})) fill_(0);
  NoGrad guard;
  return copy_(drawn);
}

Tensor rand(const Shape& sizes, const TensorOptions& options, Generator* generator) {
  Tensor x = empty(sizes, floating("rand", options));
  x.uniform_(0, 1, generator);
  return x.requires_grad_(options.requires_grad);
}

Tensor randn(const Shape& sizes, const TensorOptions& options, Generator* generator) {
  Tensor x = empty(sizes, floating("randn", options));
  x.normal_(0, 1, generator);
  return x.requires_grad_(options.requires_grad);
}

Tensor randint(std::int64_t low, std::int64_t high, const Shape& sizes, const TensorOptions& options,
               Generator* generator) {
  if (low >= high) {
    throw ValueError("randint: needs low < high, got " + std::to_string(low) + " and " + std::to_string(high));
  }
  const Dtype dtype = options.dtype.value_or(kInt64);
  check_holds("randint", dtype, low, high - 1);
  if (is_floating_point(dtype)) {
    // Not beyond the bounds when rounded.
    const Numbers held(dtype, static_cast<double>(low), static_cast<double>(high - 1));
    if (held.first <= held.last && held.last < 0x1p63) {
      low = static_cast<std::int64_t>(held.first);
      high = static_cast<std::int64_t>(held.last) + 1;
    }
  }
  const Tensor x = empty(sizes, {.dtype = kInt64, .device = options.device});
  kernels(x.device())
      .fill_integers(drawn_range(generator, kernel::integer_blocks(x.numel())), x.data_ptr<std::int64_t>(), x.numel(),
                     low, high);
  Tensor y = x.to(dtype);
  return options.requires_grad ? y.requires_grad_() : y;
}

Tensor randperm(std::int64_t n, const TensorOptions& options, Generator* generator) {
  if (n < 0) throw ValueError("randperm: n must not be negative, got " + std::to_string(n));
  check_holds("randperm", options.dtype.value_or(kInt64), 0, std::max<std::int64_t>(n - 1, 0));
  const Tensor x = empty({n}, {.dtype = kInt64, .device = options.device});
  kernels(x.device())
      .fill_permutation(drawn_range(generator, kernel::integer_blocks(n)), x.data_ptr<std::int64_t>(), n);
  return x.to(options.dtype.value_or(kInt64));
}

}  // namespace gradus
