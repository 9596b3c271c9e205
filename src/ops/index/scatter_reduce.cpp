// scatter_reduce and index_reduce.
#include <gradus/autograd.h>
#include <gradus/autograd/op.h>
#include <gradus/ops.h>
#include <gradus/ops/placing.h>

#include "ops/index/positions.h"

namespace gradus {

namespace {

using Combine = Tensor (*)(const Tensor&, const Tensor&);

Tensor times(const Tensor& a, const Tensor& b) { return mul(a, b); }

Tensor constant_like(const Tensor& x, double value) {
  return full({}, value, {.dtype = x.dtype(), .device = x.device()});
}

// x, [n], with all of the values that go to a place combined there, and with x's own where `include_self`. Neighbours
// among those of one place are combined in pairs until one is left of each: in about log2 of the most for a place
// steps.
Tensor reduced(const Tensor& x, const Tensor& place, const Tensor& src, Combine combine, bool include_self) {
  if (src.numel() == 0) return x.clone();
  const auto [sorted, order] = sort(place, 0);
  Tensor at = sorted, values = index_select(src, 0, order);
  const TensorOptions positions{.dtype = kInt64, .device = x.device()};
  const Tensor yes = ones({1}, {.dtype = kBool, .device = x.device()});
  while (true) {
    const std::int64_t n = at.numel();
    const Tensor same = eq(narrow(at, 0, 1, n - 1), narrow(at, 0, 0, n - 1));
    if (!same.any().item<bool>()) break;
    // Which one each is of those of its place, counted from 0.
    const Tensor starts = cat({yes, logical_not(same)}), all = arange(0, n, 1, positions);
    const Tensor first = masked_select(all, starts);
    const Tensor rank = all - index_select(first, 0, cumsum(starts.to(kInt64), 0) - 1);
    const Tensor even = eq(remainder(rank, full({}, 2, positions)), 0);
    const Tensor kept = masked_select(all, even);
    const Tensor partner = masked_select(cat({same, logical_not(yes)}), even);
    const Tensor left = index_select(values, 0, kept);
    const Tensor right = index_select(values, 0, kept + partner.to(kInt64));
    values = where(partner, combine(left, right), left);
    at = index_select(at, 0, kept);
  }
  const Tensor last = include_self ? combine(index_select(x, 0, at), values) : values;
  return ops::put("scatter_reduce", x, {.dims = {0}}, at, last, false);
}

// The gradient of an extreme: what is equal to it shares.
struct ScatterExtreme final : Op {
  bool largest, include_self;
  ScatterExtreme(bool l, bool i) : largest(l), include_self(i) {}
  const char* name() const override { return "scatter_reduce"; }
  Tensor forward(const Tensor& x, const Tensor& place, const Tensor& src) {
    const Tensor y = reduced(x, place, src, largest ? maximum : minimum, include_self);
    if (!needs(0) && !needs(2)) return y;
    Tensor own = eq(x, y).to(y.dtype());
    if (!include_self) {
      // Where something came, x has no part.
      own = ops::put("scatter_reduce", own, {.dims = {0}}, place, expand(constant_like(own, 0), place.sizes()), false);
    }
    const Tensor came = eq(src, index_select(y, 0, place)).to(y.dtype());
    const Tensor count = index_add(own, 0, place, came);
    save(3, own / count);
    save(1, place);
    save(4, came / index_select(count, 0, place));
    return y;
  }
  void backward(const Tensor& g, Grads gx) override {
    if (needs(0)) gx[0] = g * saved(3);
    if (needs(2)) gx[2] = index_select(g, 0, saved(1)) * saved(4);
  }
};

bool is_reduction(std::string_view reduce) {
  return reduce == "prod" || reduce == "mean" || reduce == "amax" || reduce == "amin";
}

// A 0-d tensor counts as one of one element.
Tensor one_dimension(const Tensor& x) { return x.dim() == 0 ? unsqueeze(x, 0) : x; }

Tensor summed(const Tensor& x, std::int64_t dim, const Tensor& index, const Tensor& src, bool mean, bool include_self) {
  const Tensor start = include_self ? x : scatter(x, dim, index, Scalar(0));
  const Tensor sum = scatter_add(start, dim, index, src);
  if (!mean) return sum;
  const Tensor one = constant_like(x, 1);
  Tensor count = expand(one, x.sizes()).clone();
  if (!include_self) count = scatter(count, dim, index, Scalar(0));
  count = scatter_add(count, dim, index, expand(one, index.sizes()));
  return is_integral(x.dtype()) ? floor_divide(sum, count) : sum / count;
}

}  // namespace

Tensor scatter_reduce(const Tensor& x, std::int64_t dim, const Tensor& index, const Tensor& src,
                      std::string_view reduce, bool include_self) {
  if (reduce != "sum" && !is_reduction(reduce)) {
    throw ValueError("scatter_reduce: reduce must be 'sum', 'prod', 'mean', 'amax' or 'amin', got '" +
                     std::string(reduce) + "'");
  }
  if (x.dtype() == kBool) throw DtypeError("scatter_reduce: needs numbers, got bool");
  if (x.dtype() != src.dtype()) {
    throw DtypeError(std::string("scatter_reduce: both tensors must have the same type, got ") + to_string(x.dtype()) +
                     " and " + to_string(src.dtype()));
  }
  if (reduce == "sum" || reduce == "mean") return summed(x, dim, index, src, reduce == "mean", include_self);
  {
    // Refuses what does not fit.
    const NoGrad guard;
    scatter(x, dim, index, src);
  }
  if (index.numel() == 0) return x.clone();
  const Tensor own = one_dimension(x), at = one_dimension(index);
  Tensor values = one_dimension(src);
  for (int d = 0; d < at.sizes().rank(); ++d) values = narrow(values, d, 0, at.sizes()[d]);
  const Tensor all = reshape(arange(0, own.numel(), 1, {.dtype = kInt64, .device = x.device()}), own.sizes());
  const Tensor place = reshape(gather(all, dim, at), {at.numel()});
  const Tensor flat = reshape(own, {own.numel()}), from = reshape(values, {at.numel()});
  const Tensor y = reduce == "prod" ? reduced(flat, place, from, times, include_self)
                                    : apply(ScatterExtreme(reduce == "amax", include_self), flat, place, from);
  return reshape(y, x.sizes());
}

Tensor index_reduce(const Tensor& x, std::int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce,
                    bool include_self) {
  if (!is_reduction(reduce)) {
    throw ValueError("index_reduce: reduce must be 'prod', 'mean', 'amax' or 'amin', got '" + std::string(reduce) +
                     "'");
  }
  const int d = wrap_dim("index_reduce", dim, x.sizes().rank());
  Shape needed = one_dimension(x).sizes(), along;
  needed[d] = index.numel();
  for (int i = 0; i < needed.rank(); ++i) along.push_back(i == d ? index.numel() : 1);
  if (index.dim() > 1 || !(one_dimension(src).sizes() == needed)) {
    throw ShapeError("index_reduce: needs an index of at most 1 dimension and a source of sizes " + to_string(needed) +
                     ", got " + to_string(index.sizes()) + " and " + to_string(src.sizes()));
  }
  const Tensor every = expand(reshape(index, along), needed);
  return reshape(scatter_reduce(one_dimension(x), d, every, one_dimension(src), reduce, include_self), x.sizes());
}

}  // namespace gradus
