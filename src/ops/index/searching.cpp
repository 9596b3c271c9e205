// nonzero_numpy, msort, isin, searchsorted, bucketize, unique_consecutive.
#include <gradus/ops/searching.h>

#include <gradus/autograd.h>

#include "ops/elementwise/elementwise.h"

namespace gradus {

namespace {

// How many elements of each row come before each value: halves all ranges at once. sequence is [n], or [..., n] with
// the values' sizes but for the last one; the last dimension of both is searched.
Tensor lower_bounds(const Tensor& sequence, const Tensor& values, bool right) {
  const std::int64_t n = sequence.sizes().back();
  const TensorOptions positions{.dtype = kInt64, .device = values.device()};
  Tensor low = zeros(values.sizes(), positions), high = full(values.sizes(), n, positions);
  if (n == 0 || values.numel() == 0) return low;
  // NaN comes last: a value is passed unless what stands there is not below it.
  for (std::int64_t width = n; width > 0; width /= 2) {
    const Tensor middle = floor_divide(low + high, full({}, 2, positions));
    const Tensor there = gather(sequence, -1, minimum(middle, full({}, n - 1, positions)));
    const Tensor open = low < high;
    const Tensor passed = logical_not(right ? there > values : there >= values);
    low = where(open & passed, middle + 1, low);
    high = where(open & logical_not(passed), middle, high);
  }
  return low;
}

bool from_right(bool right, std::optional<std::string_view> side) {
  if (!side) return right;
  if (*side != "left" && *side != "right") {
    throw ValueError("searchsorted: side must be 'left' or 'right', got '" + std::string(*side) + "'");
  }
  if (right && *side == "left") throw ValueError("searchsorted: right and the side 'left' exclude each other");
  return *side == "right";
}

Tensor searched(const char* call, const Tensor& sequence, const Tensor& values, bool out_int32, bool right) {
  const NoGrad guard;
  if (sequence.dim() == 0) throw ShapeError(std::string(call) + ": needs a sequence of at least 1 dimension, got 0-d");
  if (sequence.dtype() != values.dtype()) {
    throw DtypeError(std::string(call) + ": the sequence and the values must have the same type, got " +
                     to_string(sequence.dtype()) + " and " + to_string(values.dtype()));
  }
  bool fits = sequence.dim() == 1 || sequence.dim() == values.dim();
  for (int d = 0; fits && sequence.dim() > 1 && d + 1 < sequence.dim(); ++d)
    fits = sequence.sizes()[d] == values.sizes()[d];
  if (!fits) {
    throw ShapeError(std::string(call) +
                     ": the sequence must be a vector or have the values' sizes but for the last, got " +
                     to_string(sequence.sizes()) + " and " + to_string(values.sizes()));
  }
  const Dtype compute = ops::compute_type(sequence.dtype());
  const Tensor ordered = sequence.detach().to(compute), wanted = values.detach().to(compute);
  const Tensor places = sequence.dim() > 1
                            ? lower_bounds(ordered, wanted, right)
                            : reshape(lower_bounds(ordered, reshape(wanted, {wanted.numel()}), right), values.sizes());
  return out_int32 ? places.to(kInt32) : places;
}

// A number and a tensor that it is compared with, in the type that both are converted to.
std::pair<Tensor, Tensor> beside(const Scalar& value, const Tensor& x) {
  const Dtype dtype = promote_scalar(x.dtype(), value);
  return {Tensor::scalar(value, dtype).to(x.device()), x.to(dtype)};
}

}  // namespace

std::vector<Tensor> nonzero_numpy(const Tensor& x) { return unbind(nonzero(x.dim() == 0 ? unsqueeze(x, 0) : x), 1); }

Tensor msort(const Tensor& x) { return sort(x, 0).first; }

Tensor isin(const Tensor& elements, const Tensor& test_elements, bool, bool invert) {
  const NoGrad guard;
  const Dtype promoted = promote_types(elements.dtype(), test_elements.dtype());
  const Dtype dtype = promoted == kBool ? kUInt8 : promoted;
  const Tensor wanted = elements.detach().to(dtype);
  if (test_elements.numel() == 0) {
    return full(elements.sizes(), invert, {.dtype = kBool, .device = elements.device()});
  }
  const Tensor known = sort(flatten(test_elements.detach().to(dtype)), 0).first;
  const Tensor last = full({}, known.numel() - 1, {.dtype = kInt64, .device = known.device()});
  const Tensor place = minimum(searched("isin", known, wanted, false, false), last);
  const Tensor found = eq(reshape(index_select(known, 0, reshape(place, {place.numel()})), wanted.sizes()), wanted);
  return invert ? logical_not(found) : found;
}

Tensor isin(const Tensor& elements, const Scalar& test_element, bool assume_unique, bool invert) {
  const auto [test, own] = beside(test_element, elements);
  return isin(own, test, assume_unique, invert);
}

Tensor isin(const Scalar& element, const Tensor& test_elements, bool assume_unique, bool invert) {
  const auto [own, tests] = beside(element, test_elements);
  return isin(own, tests, assume_unique, invert);
}

Tensor searchsorted(const Tensor& sorted_sequence, const Tensor& values, bool out_int32, bool right,
                    std::optional<std::string_view> side, const Tensor& sorter) {
  const bool last = from_right(right, side);
  if (!sorter.defined()) return searched("searchsorted", sorted_sequence, values, out_int32, last);
  if (!(sorter.sizes() == sorted_sequence.sizes())) {
    throw ShapeError("searchsorted: the sorter must have the sequence's sizes, got " + to_string(sorter.sizes()) +
                     " and " + to_string(sorted_sequence.sizes()));
  }
  return searched("searchsorted", gather(sorted_sequence.detach(), -1, sorter), values, out_int32, last);
}

Tensor searchsorted(const Tensor& sorted_sequence, const Scalar& value, bool out_int32, bool right,
                    std::optional<std::string_view> side, const Tensor& sorter) {
  if (sorted_sequence.dim() > 1) {
    throw ShapeError("searchsorted: a number needs a vector as its sequence, got sizes " +
                     to_string(sorted_sequence.sizes()));
  }
  const auto [wanted, sequence] = beside(value, sorted_sequence);
  return searchsorted(sequence, wanted, out_int32, right, side, sorter);
}

Tensor bucketize(const Tensor& x, const Tensor& boundaries, bool out_int32, bool right) {
  if (boundaries.dim() != 1) {
    throw ShapeError("bucketize: the boundaries must be a vector, got sizes " + to_string(boundaries.sizes()));
  }
  return searched("bucketize", boundaries, x, out_int32, right);
}

Tensor bucketize(const Scalar& x, const Tensor& boundaries, bool out_int32, bool right) {
  const auto [value, edges] = beside(x, boundaries);
  return bucketize(value, edges, out_int32, right);
}

Unique unique_consecutive(const Tensor& x, std::optional<std::int64_t> dim) {
  const NoGrad guard;
  const Tensor own = x.detach();
  const Tensor flat = dim ? own : reshape(own, {own.numel()});
  const int d = dim ? wrap_dim("unique_consecutive", *dim, own.sizes().rank()) : 0;
  const TensorOptions like{.dtype = kInt64, .device = x.device()};
  if (flat.dim() == 0) return {flat.clone(), zeros({1}, like), ones({1}, like)};
  const std::int64_t n = flat.size(d);
  const Shape places = dim ? Shape{n} : x.sizes();
  if (n == 0) return {flat.clone(), zeros(places, like), zeros({0}, like)};
  if (flat.numel() == 0) {
    throw ShapeError("unique_consecutive: dimensions other than dim must not be empty, got " +
                     gradus::to_string(x.sizes()));
  }
  const Tensor slices = reshape(transpose(flat, 0, d), {n, flat.numel() / n});
  const Tensor changes = any(ne(narrow(slices, 0, 1, n - 1), narrow(slices, 0, 0, n - 1)), 1);
  const Tensor starts = cat({ones({1}, {.dtype = kBool, .device = x.device()}), changes});
  const Tensor first = reshape(nonzero(starts), {-1}), inverse = cumsum(starts.to(kInt64), 0) - 1;
  const Tensor counts = cat({narrow(first, 0, 1, first.numel() - 1), full({1}, n, like)}) - first;
  return {index_select(flat, d, first), reshape(inverse, places), counts};
}

Unique unique(const Tensor& x, std::int64_t dim) {
  const NoGrad guard;
  const int d = wrap_dim("unique", dim, x.sizes().rank());
  const std::int64_t n = x.size(d);
  if (n == 0 || x.numel() == 0) return unique_consecutive(x, d);
  const Tensor slices = reshape(transpose(x.detach(), 0, d), {n, x.numel() / n});
  // Sorted by the last element, then by the one before, ..., without changing the order of equals.
  Tensor order = arange(n, {.device = x.device()});
  for (std::int64_t column = slices.size(1); column-- > 0;) {
    order = index_select(order, 0, argsort(index_select(select(slices, 1, column), 0, order), 0));
  }
  const Unique runs = unique_consecutive(index_select(x.detach(), d, order), d);
  return {runs.values, scatter(zeros_like(order), 0, order, runs.inverse), runs.counts};
}

}  // namespace gradus
