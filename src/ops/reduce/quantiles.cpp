// What stands at a place in the order of elements: kthvalue, nanmedian, quantile.
#include <gradus/autograd.h>
#include <gradus/ops/choice.h>
#include <gradus/ops/further.h>
#include <gradus/ops/statistics.h>

#include <array>
#include <limits>

namespace gradus {

namespace {

using Pair = std::pair<Tensor, Tensor>;

Pair without_dim(const Pair& y, int dim, bool keepdim) {
  return keepdim ? y : Pair{squeeze(y.first, dim), squeeze(y.second, dim)};
}

void refuse_bool(const char* call, const Tensor& x) {
  if (x.dtype() == kBool) throw DtypeError(std::string(call) + ": not defined for bool tensors");
}

void check_interpolation(const char* call, std::string_view name) {
  constexpr std::array<std::string_view, 5> known{"linear", "lower", "higher", "midpoint", "nearest"};
  for (std::string_view k : known)
    if (name == k) return;
  throw ValueError(std::string(call) + ": interpolation must be linear, lower, higher, midpoint or nearest, got \"" +
                   std::string(name) + "\"");
}

void check_quantile(const char* call, const Tensor& x, const Tensor& q) {
  if (x.dtype() != kFloat32 && x.dtype() != kFloat64) {
    throw DtypeError(std::string(call) + ": needs float32 or float64, got " + to_string(x.dtype()));
  }
  if (q.dtype() != x.dtype()) {
    throw DtypeError(std::string(call) + ": q must have the type of the input, got " + to_string(q.dtype()) + " and " +
                     to_string(x.dtype()));
  }
  if (q.dim() > 1)
    throw ShapeError(std::string(call) + ": q must be a number or a vector, got " + to_string(q.sizes()));
  if (x.numel() == 0) throw ShapeError(std::string(call) + ": needs at least one element, got " + to_string(x.sizes()));
  if (!all((q >= 0) & (q <= 1)).item<bool>()) throw ValueError(std::string(call) + ": q must be in [0, 1]");
}

// Places between elements, [..., q] for rows that are sorted with NaN last.
Tensor ranks(const Tensor& rows, const Tensor& q, bool ignore_nan) {
  const NoGrad guard;
  const Tensor nan = isnan(rows);
  const Tensor list = reshape(q, {q.numel()});
  if (ignore_nan) return clamp(list * (sum(logical_not(nan).to(rows.dtype()), -1, true) - 1), 0);
  const auto last = static_cast<double>(rows.size(-1) - 1);
  return where(any(nan, -1, true), last, list * last);
}

// Rows at these places; from the nearer side, so that whole places give the elements exactly.
Tensor at(const Tensor& rows, const Tensor& places, std::string_view interpolation) {
  if (interpolation == "lower") return gather(rows, -1, floor(places).to(kInt64));
  if (interpolation == "higher") return gather(rows, -1, ceil(places).to(kInt64));
  if (interpolation == "nearest") return gather(rows, -1, round(places).to(kInt64));
  const Tensor below = floor(places);
  const Tensor low = gather(rows, -1, below.to(kInt64)), high = gather(rows, -1, ceil(places).to(kInt64));
  const Tensor weight = interpolation == "midpoint" ? full_like(places, 0.5) : places - below;
  const Tensor step = high - low;
  return where(weight < 0.5, low + weight * step, high - step * (1 - weight));
}

Tensor quantiles(const char* call, const Tensor& x, const Tensor& q, std::optional<std::int64_t> dim, bool keepdim,
                 std::string_view interpolation, bool ignore_nan) {
  check_interpolation(call, interpolation);
  check_quantile(call, x, q);
  const int d = dim ? wrap_dim(call, *dim, x.sizes().rank()) : -1;
  // The sizes of the result for one q.
  Shape sizes;
  for (int i = 0; i < x.sizes().rank(); ++i) {
    const bool reduced = d < 0 || i == d;
    if (!reduced || keepdim) sizes.push_back(reduced ? 1 : x.sizes()[i]);
  }
  const Tensor lines = !dim || x.dim() == 0 ? reshape(x, {1, x.numel()})
                       : d == x.dim() - 1   ? x
                                            : transpose(unsqueeze(x, -1), d, -1);
  const Tensor rows = sort(lines, -1).first;
  Tensor places = ranks(rows, q, ignore_nan);
  Shape wide = rows.sizes();
  wide[wide.rank() - 1] = q.numel();
  places = expand(places, wide);
  // The quantiles come first.
  const Tensor y = at(rows, places.contiguous(), interpolation);
  if (q.dim() == 0) return reshape(y, sizes);
  Shape order{y.dim() - 1};
  for (int i = 0; i + 1 < y.dim(); ++i) order.push_back(i);
  sizes.insert(0, q.numel());
  return reshape(permute(y, order), sizes);
}

Tensor as_q(const Tensor& x, double q) { return tensor(q, {.dtype = x.dtype(), .device = x.device()}); }

}  // namespace

Pair kthvalue(const Tensor& x, std::int64_t k, std::int64_t dim, bool keepdim) {
  refuse_bool("kthvalue", x);
  const int d = wrap_dim("kthvalue", dim, x.sizes().rank());
  const std::int64_t n = x.dim() == 0 ? 1 : x.size(d);
  if (k < 1 || k > n) {
    throw ValueError("kthvalue: k must be in [1, " + std::to_string(n) + "] along dimension " + std::to_string(d) +
                     " of " + to_string(x.sizes()) + ", got " + std::to_string(k));
  }
  if (x.dim() == 0) return {x.clone(), zeros({}, {.dtype = kInt64, .device = x.device()})};
  const auto [values, places] = sort(x, d);
  return without_dim({narrow(values, d, k - 1, 1), narrow(places, d, k - 1, 1)}, d, keepdim);
}

Pair nanmedian(const Tensor& x, std::int64_t dim, bool keepdim) {
  refuse_bool("nanmedian", x);
  const int d = wrap_dim("nanmedian", dim, x.sizes().rank());
  if (x.dim() == 0) return {x.clone(), zeros({}, {.dtype = kInt64, .device = x.device()})};
  if (x.size(d) == 0) {
    throw ShapeError("nanmedian: needs at least one element along dimension " + std::to_string(d) + ", got " +
                     to_string(x.sizes()));
  }
  const auto [values, places] = sort(x, d);
  Tensor middle;
  {
    const NoGrad guard;
    const Tensor count = sum(logical_not(isnan(x)).to(kInt64), d, true);
    middle = floor_divide(clamp(count - 1, 0), tensor(2, {.device = x.device()}));
  }
  return without_dim({gather(values, d, middle), gather(places, d, middle)}, d, keepdim);
}

Tensor nanmedian(const Tensor& x) {
  refuse_bool("nanmedian", x);
  if (x.numel() == 0) {
    if (x.is_floating_point())
      return full({}, std::numeric_limits<double>::quiet_NaN(), {.dtype = x.dtype(), .device = x.device()});
    throw ShapeError("nanmedian: needs at least one element, got " + to_string(x.sizes()));
  }
  const Tensor known = masked_select(x, logical_not(isnan(x)));
  return median(known.numel() > 0 ? known : x);  // whose elements that equal it share the gradient
}

Tensor quantile(const Tensor& x, double q, std::optional<std::int64_t> dim, bool keepdim,
                std::string_view interpolation) {
  return quantiles("quantile", x, as_q(x, q), dim, keepdim, interpolation, false);
}
Tensor quantile(const Tensor& x, const Tensor& q, std::optional<std::int64_t> dim, bool keepdim,
                std::string_view interpolation) {
  return quantiles("quantile", x, q, dim, keepdim, interpolation, false);
}
Tensor nanquantile(const Tensor& x, double q, std::optional<std::int64_t> dim, bool keepdim,
                   std::string_view interpolation) {
  return quantiles("nanquantile", x, as_q(x, q), dim, keepdim, interpolation, true);
}
Tensor nanquantile(const Tensor& x, const Tensor& q, std::optional<std::int64_t> dim, bool keepdim,
                   std::string_view interpolation) {
  return quantiles("nanquantile", x, q, dim, keepdim, interpolation, true);
}

}  // namespace gradus
