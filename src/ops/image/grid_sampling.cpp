// affine_grid and grid_sample.
#include <gradus/ops.h>
#include <gradus/ops/grid_sampling.h>

#include <algorithm>

namespace gradus {

namespace {

enum class Outside { zeros, border, reflection };

Outside outside(std::string_view mode) {
  if (mode == "zeros") return Outside::zeros;
  if (mode == "border") return Outside::border;
  if (mode == "reflection") return Outside::reflection;
  throw ValueError("grid_sample: padding_mode must be 'zeros', 'border' or 'reflection', got '" + std::string(mode) +
                   "'");
}

// Mirrored at both ends of [low, high] as often as it takes.
Tensor reflected(const Tensor& at, double low, double high) {
  if (low == high) return at * 0;
  const double span = high - low;
  const Tensor distance = abs(at - low), turns = floor(distance.detach() / span);
  const Tensor rest = distance - turns * span;
  const Tensor forwards = eq(turns - floor(turns / 2) * 2, 0);
  return where(forwards, rest, span - rest) + low;
}

// Coordinates in elements from those in [-1, 1].
Tensor in_elements(const Tensor& at, std::int64_t size, bool align_corners, Outside mode) {
  const double n = static_cast<double>(size);
  Tensor place = align_corners ? (at + 1) * ((n - 1) / 2) : ((at + 1) * n - 1) / 2;
  if (mode == Outside::reflection) place = reflected(place, align_corners ? 0 : -0.5, align_corners ? n - 1 : n - 0.5);
  if (mode != Outside::zeros) {
    // No slope at the ends, as in PyTorch.
    const Tensor inside = (place > 0) & (place < n - 1);
    place = where(inside, place, clamp(place.detach(), 0, n - 1));
  }
  // NaN fails the comparison, too.
  return where(abs(place.detach()) < 0x1p31, place, full({}, -100, {.dtype = at.dtype(), .device = at.device()}));
}

// x, [N, C, elements], at one element for each position, times a weight: nothing where that lies outside. `corner`: one
// coordinate for each of the spatial sizes, [N, 1, positions] as the weight.
Tensor corner_of(const Tensor& x, const Shape& spatial, const std::vector<Tensor>& corner, const Tensor& weight) {
  const Tensor nothing = zeros({}, {.dtype = x.dtype(), .device = x.device()});
  Tensor inside, place;
  for (std::size_t d = 0; d < corner.size(); ++d) {
    const std::int64_t size = spatial[static_cast<int>(d)];
    const Tensor here = (corner[d] >= 0) & (corner[d] <= size - 1);
    const Tensor own = where(here, corner[d], nothing).to(kInt64);
    inside = d == 0 ? here : inside & here;
    place = d == 0 ? own : place * size + own;
  }
  Shape sizes = place.sizes();
  sizes[1] = x.size(1);
  const Tensor values = where(inside, gather(x, 2, expand(place, sizes)), nothing);
  return weight.defined() ? values * weight : values;
}

}  // namespace

Tensor affine_grid(const Tensor& theta, const Shape& size, bool align_corners) {
  const int n = size.rank() - 2;
  if ((n != 2 && n != 3) || !(theta.sizes() == Shape{size[0], n, n + 1})) {
    throw ShapeError(
        "affine_grid: needs theta [N, 2, 3] and size [N, C, H, W], or [N, 3, 4] and [N, C, D, H, W], got " +
        to_string(theta.sizes()) + " and " + to_string(size));
  }
  if (!theta.is_floating_point()) {
    throw DtypeError(std::string("affine_grid: needs a floating-point theta, got ") + to_string(theta.dtype()));
  }
  check_sizes("affine_grid", size);
  Shape spatial;
  for (int d = 0; d < n; ++d) spatial.push_back(size[d + 2]);
  std::vector<Tensor> columns;
  for (int d = n - 1; d >= 0; --d) {
    const std::int64_t length = spatial[d];
    const double end = length <= 1 ? 0 : align_corners ? 1 : 1 - 1 / static_cast<double>(length);
    Shape along;
    for (int i = 0; i < n; ++i) along.push_back(i == d ? length : 1);
    const Tensor places = linspace(-end, end, length, {.dtype = theta.dtype(), .device = theta.device()});
    columns.push_back(expand(reshape(places, along), spatial));
  }
  columns.push_back(expand(ones({}, {.dtype = theta.dtype(), .device = theta.device()}), spatial));
  const Tensor base = reshape(stack(columns, -1), {spatial.numel(), n + 1});
  Shape sizes = spatial;
  sizes.insert(0, size[0]);
  sizes.push_back(n);
  return reshape(matmul(base, transpose(theta, 1, 2)), sizes);
}

Tensor grid_sample(const Tensor& x, const Tensor& grid, std::string_view mode, std::string_view padding_mode,
                   bool align_corners) {
  const int n = x.sizes().rank() - 2;
  if ((n != 2 && n != 3) || grid.dim() != n + 2 || grid.size(-1) != n || grid.size(0) != x.size(0)) {
    throw ShapeError(
        "grid_sample: needs x [N, C, H, W] and grid [N, H', W', 2], or [N, C, D, H, W] and "
        "[N, D', H', W', 3], got " +
        to_string(x.sizes()) + " and " + to_string(grid.sizes()));
  }
  if (!x.is_floating_point() || x.dtype() != grid.dtype()) {
    throw DtypeError(std::string("grid_sample: both tensors must have one floating-point type, got ") +
                     to_string(x.dtype()) + " and " + to_string(grid.dtype()));
  }
  if (mode != "bilinear" && mode != "nearest") {
    throw ValueError("grid_sample: mode must be 'bilinear' or 'nearest', got '" + std::string(mode) + "'");
  }
  const Outside beyond = outside(padding_mode);
  Shape spatial, result{x.size(0), x.size(1)};
  for (int d = 0; d < n; ++d) {
    spatial.push_back(x.sizes()[d + 2]);
    result.push_back(grid.sizes()[d + 1]);
  }
  if (spatial.numel() == 0) {
    throw ShapeError("grid_sample: the spatial sizes must not be 0, got " + to_string(x.sizes()));
  }
  const std::int64_t positions = grid.numel() / std::max<std::int64_t>(n * x.size(0), 1);
  const Tensor flat = reshape(x, {x.size(0), x.size(1), spatial.numel()});
  std::vector<Tensor> at;  // as the spatial sizes are ordered
  for (int d = 0; d < n; ++d) {
    const Tensor own = reshape(select(grid, -1, n - 1 - d), {x.size(0), 1, positions});
    at.push_back(in_elements(own, spatial[d], align_corners, beyond));
  }
  if (mode == "nearest") {
    for (Tensor& place : at) place = round(place.detach());
    return reshape(corner_of(flat, spatial, at, Tensor()), result);
  }
  Tensor sum;
  for (int corner = 0; corner < 1 << n; ++corner) {
    std::vector<Tensor> here;
    Tensor weight;
    for (int d = 0; d < n; ++d) {
      const std::size_t i = static_cast<std::size_t>(d);
      const Tensor low = floor(at[i].detach());
      const bool upper = (corner >> (n - 1 - d) & 1) != 0;
      const Tensor upper_share = at[i] - low;  // exact also where low + 1 is not, in 16 bits
      const Tensor share = upper ? upper_share : 1 - upper_share;
      here.push_back(upper ? low + 1 : low);
      weight = d == 0 ? share : weight * share;
    }
    const Tensor part = corner_of(flat, spatial, here, weight);
    sum = sum.defined() ? sum + part : part;
  }
  return reshape(sum, result);
}

}  // namespace gradus
