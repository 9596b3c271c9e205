// MixUp and CutMix: numerics of torchvision.transforms.v2.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "gradus/core/error.h"
#include "gradus/data/random.h"
#include "gradus/data/transforms.h"
#include "gradus/ops.h"
#include "kernels/math.h"

namespace gradus::data::transforms {

namespace {

double random_normal() {  // Box and Muller (1958)
  const double radius = std::sqrt(-2 * math::log1p(-random_uniform()));
  return radius * math::cos(2 * std::numbers::pi * random_uniform());
}

double random_gamma(double alpha) {  // Marsaglia and Tsang (2000)
  if (alpha < 1) {
    const double boost = math::pow(1 - random_uniform(), 1 / alpha);
    return random_gamma(alpha + 1) * boost;
  }
  const double d = alpha - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  while (true) {
    const double x = random_normal(), v = math::pow(1 + c * x, 3);
    if (v > 0 && math::log1p(-random_uniform()) < 0.5 * x * x + d * (1 - v + math::log(v))) return d * v;
  }
}

double random_beta(double alpha) {
  const double a = random_gamma(alpha), b = random_gamma(alpha);
  return a + b > 0 ? a / (a + b) : 0.5;
}

void check(const char* transform, const MixOptions& options) {
  if (!(options.alpha > 0) || !std::isfinite(options.alpha)) {
    throw ValueError(fmt::format("{}: need a positive alpha, got {}", transform, options.alpha));
  }
}

// [N, classes] in floating point.
Tensor distributions(const char* transform, const Batch& batch, std::int64_t num_classes) {
  const Tensor& target = batch.target;
  if (!target.defined() || batch.data.dim() != 4 || target.size(0) != batch.data.size(0) ||
      !(target.dim() == 1 || (target.dim() == 2 && target.is_floating_point()))) {
    throw ShapeError(fmt::format(
        "{}: need data [N, C, H, W] with classes [N] or floating-point [N, classes], got {} and {}", transform,
        to_string(batch.data.sizes()), target.defined() ? to_string(target.sizes()) : "no targets"));
  }
  if (target.dim() == 2) return target;
  if (num_classes < 1) throw ValueError(fmt::format("{}: need num_classes for targets that are classes", transform));
  return one_hot(target.to(kInt64), num_classes).to(kFloat32);
}

Tensor blended(const Tensor& x, double share) { return roll(x, 1, 0) * (1 - share) + x * share; }

}  // namespace

MixUp::MixUp(MixOptions options) : options_(options) { check("MixUp", options); }

Batch MixUp::operator()(Batch batch) const {
  const Tensor target = distributions("MixUp", batch, options_.num_classes);
  if (!batch.data.is_floating_point()) {
    throw DtypeError(fmt::format("MixUp: need floating-point data, got {}", to_string(batch.data.dtype())));
  }
  const double share = random_beta(options_.alpha);
  batch.data = blended(batch.data, share);
  batch.target = blended(target, share);
  return batch;
}

CutMix::CutMix(MixOptions options) : options_(options) { check("CutMix", options); }

Batch CutMix::operator()(Batch batch) const {
  const Tensor target = distributions("CutMix", batch, options_.num_classes);
  const std::int64_t height = batch.data.size(2), width = batch.data.size(3);
  const double r = 0.5 * std::sqrt(1 - random_beta(options_.alpha));
  const std::int64_t x = random_integer(0, width), y = random_integer(0, height);
  const auto half_width = static_cast<std::int64_t>(r * static_cast<double>(width));
  const auto half_height = static_cast<std::int64_t>(r * static_cast<double>(height));
  const std::int64_t left = std::max<std::int64_t>(x - half_width, 0), right = std::min(x + half_width, width);
  const std::int64_t top = std::max<std::int64_t>(y - half_height, 0), bottom = std::min(y + half_height, height);
  const std::int64_t w = right - left, h = bottom - top;
  if (w > 0 && h > 0) {
    const Tensor part = batch.data.narrow(2, top, h).narrow(3, left, w);
    Tensor mixed = batch.data.clone();
    mixed.narrow(2, top, h).narrow(3, left, w).copy_(roll(part, 1, 0));
    batch.data = mixed;
  }
  batch.target = blended(target, 1 - static_cast<double>(w * h) / static_cast<double>(width * height));
  return batch;
}

}  // namespace gradus::data::transforms
