#include <gradus/autograd.h>
#include <gradus/nn/init.h>
#include <gradus/ops.h>
#include <gradus/random.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/range.h"
#include "core/tensor_access.h"
#include "kernels/math.h"
#include "nn/module/initial.h"

namespace gradus::nn::init {

namespace {

constexpr std::size_t kDrawsKept = 8;  // of one tensor: a layer draws once, and a model may draw again

double fan(const char* call, const Tensor& x, FanMode mode) {
  try {
    const Fans fans = calculate_fans(x);
    return static_cast<double>(mode == FanMode::FanIn ? fans.in : fans.out);
  } catch (const ShapeError&) {
    throw ShapeError(std::string(call) + ": needs at least 2 dimensions, got sizes " + to_string(x.sizes()));
  }
}

double xavier_std(const char* call, const Tensor& x, double gain) {
  return gain * std::sqrt(2.0 / (fan(call, x, FanMode::FanIn) + fan(call, x, FanMode::FanOut)));
}

void check_rank(const char* call, const Tensor& x, std::int64_t low, std::int64_t high) {
  if (x.dim() >= low && x.dim() <= high) return;
  throw ShapeError(std::string(call) + ": needs " + std::to_string(low) +
                   (low == high ? "" : " to " + std::to_string(high)) + " dimensions, got sizes " +
                   to_string(x.sizes()));
}

FanMode::Kind kind_of(std::string_view name) {
  if (name == "fan_in") return FanMode::FanIn;
  if (name == "fan_out") return FanMode::FanOut;
  throw ValueError("mode must be 'fan_in' or 'fan_out', got '" + std::string(name) + "'");
}

}  // namespace

FanMode::FanMode(std::string_view name) : kind_(kind_of(name)) {}

double calculate_gain(std::string_view nonlinearity, std::optional<double> param) {
  if (nonlinearity == "tanh") return 5.0 / 3;
  if (nonlinearity == "relu") return std::sqrt(2.0);
  if (nonlinearity == "leaky_relu") {
    const double slope = param.value_or(0.01);
    return std::sqrt(2.0 / (1 + slope * slope));
  }
  if (nonlinearity == "selu") return 3.0 / 4;
  for (const char* plain : {"linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
                            "conv_transpose3d", "sigmoid"}) {
    if (nonlinearity == plain) return 1;
  }
  throw ValueError("calculate_gain: no gain is known for '" + std::string(nonlinearity) + "'");
}

Fans calculate_fans(const Tensor& x) {
  if (x.dim() < 2) throw ShapeError("calculate_fans: needs at least 2 dimensions, got sizes " + to_string(x.sizes()));
  std::int64_t field = 1;
  for (int i = 2; i < x.sizes().rank(); ++i) field *= x.sizes()[i];
  return {x.sizes()[1] * field, x.sizes()[0] * field};
}

Tensor& filled(Tensor& x, Generator* generator, Fill fill) {
  NoGrad guard;
  // A generator of the caller's may be gone when the values are drawn again: it is kept as it was.
  std::optional<Generator> own;
  if (generator != nullptr && generator != &default_generator()) own = *generator;
  const std::uint64_t begin = default_generator().offset();
  fill(x, generator);
  const std::uint64_t end = default_generator().offset();
  if (end == begin && !(x.impl()->extras && !x.impl()->extras->draws.empty())) return x;
  auto& draws = gradus::detail::extras(*x.impl()).draws;
  if (draws.size() == kDrawsKept) draws.erase(draws.begin());
  const auto again = [own, fill = std::move(fill)](Tensor& to) {
    std::optional<Generator> same = own;
    fill(to, same ? &*same : nullptr);
  };
  draws.push_back({begin, end, x.version(), again});
  return x;
}

Tensor& uniform_(Tensor& x, double a, double b, Generator* generator) {
  return filled(x, generator, [=](Tensor& to, Generator* by) { to.uniform_(a, b, by); });
}

Tensor& normal_(Tensor& x, double mean, double std, Generator* generator) {
  return filled(x, generator, [=](Tensor& to, Generator* by) { to.normal_(mean, std, by); });
}

Tensor& trunc_normal_(Tensor& x, double mean, double std, double a, double b, Generator* generator) {
  if (!(a < b) || !(std > 0)) throw ValueError("trunc_normal_: needs a < b and a positive std");
  // Where the interval is a rare one, rejection would not end; its mass is checked first.
  const double share =
      0.5 * (math::erf((b - mean) / (std * std::sqrt(2.0))) - math::erf((a - mean) / (std * std::sqrt(2.0))));
  if (share < 1e-4) throw ValueError("trunc_normal_: [a, b] holds too little of the distribution to draw from");
  return filled(x, generator, [=](Tensor& to, Generator* by) {
    to.normal_(mean, std, by);
    for (;;) {
      const Tensor outside = (to < a) | (to > b);
      if (!any(outside).item<bool>()) return;
      to.copy_(where(outside, empty_like(to).normal_(mean, std, by), to));
    }
  });
}

Tensor& constant_(Tensor& x, const Scalar& value) {
  return filled(x, nullptr, [value](Tensor& to, Generator*) { to.fill_(value); });
}
Tensor& ones_(Tensor& x) { return constant_(x, 1); }
Tensor& zeros_(Tensor& x) { return constant_(x, 0); }

Tensor& eye_(Tensor& x) {
  check_rank("eye_", x, 2, 2);
  return filled(x, nullptr, [](Tensor& to, Generator*) {
    to.copy_(eye(to.sizes()[0], to.sizes()[1], {.dtype = to.dtype(), .device = to.device()}));
  });
}

Tensor& dirac_(Tensor& x, std::int64_t groups) {
  check_rank("dirac_", x, 3, 5);
  if (groups < 1 || x.sizes()[0] % groups != 0) {
    throw ValueError("dirac_: groups must divide the " + std::to_string(x.sizes()[0]) + " output channels, got " +
                     std::to_string(groups));
  }
  return filled(x, nullptr, [groups](Tensor& to, Generator*) {
    to.fill_(0);
    const std::int64_t out = to.sizes()[0] / groups;
    for (std::int64_t g = 0; g < groups; ++g) {
      for (std::int64_t i = 0; i < std::min(out, to.sizes()[1]); ++i) {
        Tensor kernel = to.select(0, g * out + i).select(0, i);
        while (kernel.dim() > 0) kernel = kernel.select(0, kernel.sizes()[0] / 2);
        kernel.fill_(1);
      }
    }
  });
}

Tensor& xavier_uniform_(Tensor& x, double gain, Generator* generator) {
  const double bound = std::sqrt(3.0) * xavier_std("xavier_uniform_", x, gain);
  return uniform_(x, -bound, bound, generator);
}

Tensor& xavier_normal_(Tensor& x, double gain, Generator* generator) {
  return normal_(x, 0, xavier_std("xavier_normal_", x, gain), generator);
}

Tensor& kaiming_uniform_(Tensor& x, double a, FanMode mode, std::string_view nonlinearity, Generator* generator) {
  const double n = fan("kaiming_uniform_", x, mode);
  if (x.numel() == 0) return x;
  const double bound = std::sqrt(3.0) * calculate_gain(nonlinearity, a) / std::sqrt(n);
  return uniform_(x, -bound, bound, generator);
}

Tensor& kaiming_normal_(Tensor& x, double a, FanMode mode, std::string_view nonlinearity, Generator* generator) {
  const double n = fan("kaiming_normal_", x, mode);
  if (x.numel() == 0) return x;
  return normal_(x, 0, calculate_gain(nonlinearity, a) / std::sqrt(n), generator);
}

Tensor& orthogonal_(Tensor& x, double gain, Generator* generator) {
  if (x.dim() < 2) throw ShapeError("orthogonal_: needs at least 2 dimensions, got sizes " + to_string(x.sizes()));
  if (x.numel() == 0) return x;
  return filled(x, generator, [gain](Tensor& to, Generator* by) {
    const std::int64_t rows = to.sizes()[0], columns = to.numel() / rows;
    const std::int64_t count = std::min(rows, columns), length = std::max(rows, columns);
    // Gram-Schmidt over random vectors in double, twice for orthogonality to rounding. This is the QR factorisation
    // with a positive diagonal, which makes the result uniform over orthogonal matrices.
    const Tensor q = randn({count, length}, {.dtype = kFloat64, .device = kCPU}, by);
    double* v = q.data_ptr<double>();
    for (std::int64_t i = 0; i < count; ++i) {
      double* row = v + i * length;
      for (int pass = 0; pass < 2; ++pass) {
        for (std::int64_t j = 0; j < i; ++j) {
          const double* other = v + j * length;
          double product = 0;
          for (std::int64_t k = 0; k < length; ++k) product += row[k] * other[k];
          for (std::int64_t k = 0; k < length; ++k) row[k] -= product * other[k];
        }
      }
      double square = 0;
      for (std::int64_t k = 0; k < length; ++k) square += row[k] * row[k];
      for (std::int64_t k = 0; k < length; ++k) row[k] /= std::sqrt(square);
    }
    to.copy_(((rows < columns ? q : q.t()) * gain).reshape(to.sizes()));
  });
}

Tensor& sparse_(Tensor& x, double sparsity, double std, Generator* generator) {
  check_rank("sparse_", x, 2, 2);
  check_range("sparse_", "sparsity", sparsity, between(0, 1));
  return filled(x, generator, [=](Tensor& to, Generator* by) {
    const std::int64_t rows = to.sizes()[0];
    const auto zeros = static_cast<std::int64_t>(std::ceil(sparsity * static_cast<double>(rows)));
    to.normal_(0, std, by);
    for (std::int64_t column = 0; column < to.sizes()[1]; ++column) {
      const Tensor order = randperm(rows, {.device = kCPU}, by);
      for (std::int64_t i = 0; i < zeros; ++i)
        to.select(0, order.data_ptr<std::int64_t>()[i]).select(0, column).fill_(0);
    }
  });
}

}  // namespace gradus::nn::init
