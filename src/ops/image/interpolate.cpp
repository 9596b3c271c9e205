// interpolate. All modes are weighed sums along one dimension after the other, and so linear in x.
#include <gradus/autograd/op.h>
#include <gradus/ops.h>
#include <gradus/ops/resampling.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "core/tensor_access.h"
#include "kernels/dispatch/kernels.h"
#include "ops/elementwise/elementwise.h"
#include "ops/reduce/reduce.h"
#include "ops/shape/layout.h"

namespace gradus {

using namespace ops;

namespace {

using kernel::Taps;

enum class Mode { nearest, nearest_exact, linear, cubic };

// Along one dimension.
struct Sampling {
  Mode mode;
  std::int64_t in, out;
  double step;                   // input elements from one output element to the next
  std::optional<double> factor;  // its inverse, where sizes do not say it
  bool align;                    // corners
};

// Keys (1981) with a = -0.75, as in PyTorch.
double cubic(double distance) {
  constexpr double a = -0.75;
  const double d = std::abs(distance);
  return d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
}

// The element nearest to output element o: the one that its near edge lies in, or its centre ("nearest-exact"). In
// whole numbers where there is no factor, and else by one division, so that no pick falls short by rounding.
std::int64_t nearest_to(std::int64_t o, std::int64_t in, std::int64_t out, std::optional<double> factor, bool centre) {
  __extension__ using Product = unsigned __int128;
  const std::int64_t halves = 2 * o + (centre ? 1 : 0);
  if (factor) {
    return static_cast<std::int64_t>(
        std::min(std::floor(static_cast<double>(halves) / (2 * *factor)), static_cast<double>(in - 1)));
  }
  return static_cast<std::int64_t>(static_cast<Product>(halves) * static_cast<Product>(in) /
                                   (2 * static_cast<Product>(out)));
}

Taps taps_of(const Sampling& sampling) {
  const auto [mode, in, out, step, factor, align] = sampling;
  const bool nearest = mode == Mode::nearest || mode == Mode::nearest_exact, bicubic = mode == Mode::cubic;
  Taps taps{.in = in, .out = out, .count = nearest ? 1 : bicubic ? 4 : 2, .index = {}, .weights = {}};
  const auto add = [&](double place, double weight) {
    taps.index.push_back(static_cast<std::int64_t>(std::clamp(place, 0.0, static_cast<double>(in - 1))));
    taps.weights.push_back(weight);
  };
  for (std::int64_t o = 0; o < out; ++o) {
    if (nearest) {
      taps.index.push_back(nearest_to(o, in, out, factor, mode == Mode::nearest_exact));
      taps.weights.push_back(1);
      continue;
    }
    const auto position = static_cast<double>(o);
    double place = align ? position * step : (position + 0.5) * step - 0.5;
    if (!bicubic) place = std::max(place, 0.0);
    const double low = std::floor(place), rest = place - low;
    if (bicubic) {
      for (int t = -1; t <= 2; ++t) add(low + t, cubic(rest - t));
    } else {
      add(low, 1 - rest);
      add(low + 1, rest);
    }
  }
  return taps;
}

// What lies around a spatial dimension where the channels of a place are beside each other.
kernel::Extent channels_last_extent(const Tensor& x, int dim) {
  const std::int64_t inner = detail::channels_last_strides(x.sizes())[dim], size = x.sizes()[dim];
  return {x.numel() / (inner * size), size, inner};
}

struct Resample final : Op {
  Sampling sampling;
  std::shared_ptr<const Taps> taps;  // null before the first pass
  int dim;
  bool backwards, channels_last;
  Resample(const Sampling& s, std::shared_ptr<const Taps> t, int d, bool b, bool last)
      : sampling(s), taps(std::move(t)), dim(d), backwards(b), channels_last(last) {}
  const char* name() const override { return backwards ? "interpolate_backward" : "interpolate"; }
  Tensor forward(const Tensor& x_given) {
    const Tensor x = laid_out(x_given.to(compute_type(x_given.dtype())), channels_last);
    Shape sizes = x.sizes();
    const kernel::Extent extent = channels_last ? channels_last_extent(x, dim) : extent_around(sizes, dim);
    sizes[dim] = backwards ? sampling.in : sampling.out;
    const Tensor y = channels_last ? detail::make_channels_last(sizes, x.dtype(), x.device())
                                   : detail::make_empty(sizes, x.dtype(), x.device());  // first: it may be too large
    if (!taps) taps = std::make_shared<const Taps>(taps_of(sampling));
    const Kernels& of = kernels(x.device());
    (backwards ? of.resample_backward : of.resample)(x.dtype(), *taps, extent.outer, extent.inner, x.data_ptr(),
                                                     y.data_ptr());
    return y.to(x_given.dtype());
  }
  void backward(const Tensor& g, Grads gx) override {
    gx[0] = apply(Resample(sampling, taps, dim, !backwards, channels_last), g);
  }
  std::int64_t flops(const Tensor& y, const Tensor& x) const { return 2 * taps->count * (backwards ? x : y).numel(); }
};

template <class T>
std::string list(const std::vector<T>& values) {
  std::string text = "[";
  for (std::size_t i = 0; i < values.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(values[i]);
  return text + "]";
}

void check(const Tensor& x, const InterpolateOptions& o, std::size_t n) {
  if (x.dim() < 3 || x.dim() > 5) {
    throw ShapeError("interpolate: needs x [N, C, 1 to 3 spatial sizes], got " + to_string(x.sizes()));
  }
  if (!x.is_floating_point()) {
    throw DtypeError(std::string("interpolate: needs a floating-point tensor, got ") + to_string(x.dtype()));
  }
  const bool nearest = o.mode == "nearest" || o.mode == "nearest-exact";
  const std::size_t wanted = o.mode == "linear"                            ? 1
                             : o.mode == "bilinear" || o.mode == "bicubic" ? 2
                             : o.mode == "trilinear"                       ? 3
                                                                           : 0;
  if (!nearest && wanted == 0) {
    throw ValueError(
        "interpolate: mode must be 'nearest', 'nearest-exact', 'linear', 'bilinear', 'bicubic' or 'trilinear', got '" +
        std::string(o.mode) + "'");
  }
  if (!nearest && wanted != n) {
    throw ValueError("interpolate: mode '" + std::string(o.mode) + "' needs " + std::to_string(wanted) +
                     " spatial sizes, got x " + to_string(x.sizes()));
  }
  if (nearest && o.align_corners) throw ValueError("interpolate: align_corners means nothing to mode 'nearest'");
  if (o.size.empty() == o.scale_factor.empty()) {
    throw ValueError("interpolate: needs size or scale_factor, got size " + list(o.size) + " and scale_factor " +
                     list(o.scale_factor));
  }
  const std::size_t given = std::max(o.size.size(), o.scale_factor.size());
  if (given != 1 && given != n) {
    throw ValueError("interpolate: needs one number or " + std::to_string(n) + ", got size " + list(o.size) +
                     " and scale_factor " + list(o.scale_factor));
  }
  for (int d = 1; d < x.sizes().rank(); ++d) {
    if (x.sizes()[d] == 0) {
      throw ShapeError("interpolate: only the batch may be empty, got x " + to_string(x.sizes()));
    }
  }
}

}  // namespace

Tensor interpolate(const Tensor& x, const InterpolateOptions& o) {
  const auto n = static_cast<std::size_t>(std::max<std::int64_t>(0, x.dim() - 2));
  check(x, o, n);
  const bool align = o.align_corners.value_or(false);
  const Mode mode = o.mode == "nearest"         ? Mode::nearest
                    : o.mode == "nearest-exact" ? Mode::nearest_exact
                    : o.mode == "bicubic"       ? Mode::cubic
                                                : Mode::linear;
  std::vector<Sampling> samplings;
  Shape sizes = x.sizes();
  for (std::size_t d = 0; d < n; ++d) {
    const std::int64_t in = x.sizes()[static_cast<int>(2 + d)];
    double step = 0;
    std::optional<double> given;  // factor
    std::int64_t out = 0;
    if (o.size.empty()) {
      const double factor = o.scale_factor[o.scale_factor.size() == 1 ? 0 : d];
      const double wanted = std::floor(static_cast<double>(in) * factor);
      if (!(factor > 0) || !(wanted >= 1 && wanted <= std::numeric_limits<std::int32_t>::max())) {
        throw ValueError("interpolate: scale_factor must be above 0 and give sizes in [1, 2^31 - 1], got " +
                         list(o.scale_factor) + " for x " + to_string(x.sizes()));
      }
      out = static_cast<std::int64_t>(wanted);
      if (!o.recompute_scale_factor) given = factor;
      step = given ? 1 / factor : static_cast<double>(in) / wanted;
    } else {
      out = o.size[o.size.size() == 1 ? 0 : d];
      if (out < 1 || out > std::numeric_limits<std::int32_t>::max()) {
        throw ValueError("interpolate: size must be in [1, 2^31 - 1], got " + list(o.size));
      }
      step = static_cast<double>(in) / static_cast<double>(out);
    }
    if (align) step = out > 1 ? static_cast<double>(in - 1) / static_cast<double>(out - 1) : 0;
    sizes[static_cast<int>(2 + d)] = out;
    check_sizes("interpolate", sizes);
    samplings.push_back({mode, in, out, step, given, align});
  }
  Tensor y = x;
  for (std::size_t d = 0; d < n; ++d) {
    y = apply(Resample(samplings[d], nullptr, static_cast<int>(2 + d), false, prefers_channels_last(y)), y);
  }
  return y;
}

namespace {

std::int64_t checked_factor(const char* call, const Tensor& x, std::int64_t factor, bool shuffle) {
  const bool fits = factor >= 1 && factor < (std::int64_t{1} << 31) && x.dim() >= 3;
  if (!fits || (shuffle ? x.size(-3) % (factor * factor) != 0 : x.size(-1) % factor != 0 || x.size(-2) % factor != 0)) {
    throw ShapeError(std::string(call) + ": need x " + (shuffle ? "[..., C r^2, H, W]" : "[..., C, H r, W r]") +
                     " and r of at least 1, got " + to_string(x.sizes()) + " and " + std::to_string(factor));
  }
  return factor;
}

// The last three dimensions as five of the given sizes, permuted and joined to three again.
Tensor rearranged(const Tensor& x, const Shape& five, const Shape& order, const Shape& three) {
  Shape split = x.sizes(), dims, joined = x.sizes();
  const int outer = x.sizes().rank() - 3;
  split.resize(outer);
  joined.resize(outer);
  for (int d = 0; d < outer; ++d) dims.push_back(d);
  for (std::int64_t s : five) split.push_back(s);
  for (std::int64_t d : order) dims.push_back(outer + d);
  for (std::int64_t s : three) joined.push_back(s);
  return reshape(permute(reshape(x, split), dims), joined);
}

}  // namespace

Tensor pixel_shuffle(const Tensor& x, std::int64_t upscale_factor) {
  const std::int64_t r = checked_factor("pixel_shuffle", x, upscale_factor, true);
  const std::int64_t c = x.size(-3) / (r * r), h = x.size(-2), w = x.size(-1);
  return rearranged(x, {c, r, r, h, w}, {0, 3, 1, 4, 2}, {c, h * r, w * r});
}

Tensor pixel_unshuffle(const Tensor& x, std::int64_t downscale_factor) {
  const std::int64_t r = checked_factor("pixel_unshuffle", x, downscale_factor, false);
  const std::int64_t c = x.size(-3), h = x.size(-2) / r, w = x.size(-1) / r;
  return rearranged(x, {c, h, r, w, r}, {0, 2, 4, 1, 3}, {c * r * r, h, w});
}

}  // namespace gradus
