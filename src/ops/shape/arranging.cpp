// movedim, ravel, tile, rot90, squeeze over several dimensions, atleast_1d, ..., broadcast_tensors.
#include <gradus/ops/arranging.h>

#include <algorithm>
#include <array>

namespace gradus {

namespace {

// The dimensions, not negative, each at most once.
Shape distinct(const char* call, const char* what, const Shape& dims, int rank) {
  Shape wrapped = dims;
  std::array<bool, kMaxRank> seen{};
  for (std::int64_t& dim : wrapped) {
    dim = wrap_dim(call, dim, rank);
    if (std::exchange(seen[static_cast<std::size_t>(dim)], true)) {
      throw ValueError(std::string(call) + ": " + what + " must be different dimensions, got " + to_string(dims));
    }
  }
  return wrapped;
}

void check_rank(const char* call, const Tensor& x, int rank) {
  if (x.sizes().rank() >= rank) return;
  throw ShapeError(std::string(call) + ": needs at least " + std::to_string(rank) + " dimensions, got sizes " +
                   to_string(x.sizes()));
}

template <Tensor f(const Tensor&)>
std::vector<Tensor> each(const std::vector<Tensor>& xs) {
  std::vector<Tensor> ys;
  ys.reserve(xs.size());
  for (const Tensor& x : xs) ys.push_back(f(x));
  return ys;
}

}  // namespace

Tensor movedim(const Tensor& x, const Dims& source, const Dims& destination) {
  if (source.rank() != destination.rank()) {
    throw ValueError("movedim: needs a destination for each source, got " + to_string(source) + " and " +
                     to_string(destination));
  }
  const int rank = x.sizes().rank();
  const Shape from = distinct("movedim", "source", source, rank);
  const Shape to = distinct("movedim", "destination", destination, rank);
  if (rank == 0) return alias(x);
  std::array<bool, kMaxRank> moved{};
  Shape order;
  order.resize(rank);
  for (std::int64_t& place : order) place = -1;
  for (int i = 0; i < from.rank(); ++i) {
    order[static_cast<int>(to[i])] = from[i];
    moved[static_cast<std::size_t>(from[i])] = true;
  }
  int next = 0;
  for (std::int64_t& place : order) {
    if (place >= 0) continue;
    while (moved[static_cast<std::size_t>(next)]) ++next;
    place = next++;
  }
  return permute(x, order);
}

Tensor ravel(const Tensor& x) { return reshape(x.contiguous(), {x.numel()}); }

Tensor tile(const Tensor& x, const Shape& dims) {
  Shape counts = dims;
  while (counts.rank() < x.sizes().rank()) counts.insert(0, 1);
  for (const std::int64_t n : dims)
    if (n < 0) throw ShapeError("tile: counts must not be negative, got " + to_string(dims));
  return repeat(x, counts);
}

Tensor squeeze(const Tensor& x, const Dims& dims) {
  Shape order = distinct("squeeze", "dims", dims, x.sizes().rank());
  std::sort(order.begin(), order.end());
  Tensor y = alias(x);
  for (int i = order.rank() - 1; i >= 0; --i) y = squeeze(y, order[i]);
  return y;
}

Tensor rot90(const Tensor& x, std::int64_t k, const Dims& dims) {
  check_rank("rot90", x, 2);
  if (dims.rank() != 2) throw ValueError("rot90: needs two dimensions, got " + to_string(dims));
  const Shape d = distinct("rot90", "dims", dims, x.sizes().rank());
  switch ((k % 4 + 4) % 4) {
    case 1:
      return transpose(flip(x, d[1]), d[0], d[1]);
    case 2:
      return flip(x, d);
    case 3:
      return transpose(flip(x, d[0]), d[0], d[1]);
    default:
      return x.clone();
  }
}

Tensor fliplr(const Tensor& x) {
  check_rank("fliplr", x, 2);
  return flip(x, 1);
}

Tensor flipud(const Tensor& x) {
  check_rank("flipud", x, 1);
  return flip(x, 0);
}

Tensor atleast_1d(const Tensor& x) { return x.dim() == 0 ? view(x, {1}) : x; }

Tensor atleast_2d(const Tensor& x) {
  if (x.dim() == 0) return view(x, {1, 1});
  return x.dim() == 1 ? unsqueeze(x, 0) : x;
}

Tensor atleast_3d(const Tensor& x) {
  if (x.dim() == 0) return view(x, {1, 1, 1});
  if (x.dim() == 1) return unsqueeze(unsqueeze(x, 0), -1);
  return x.dim() == 2 ? unsqueeze(x, -1) : x;
}

std::vector<Tensor> atleast_1d(const std::vector<Tensor>& xs) { return each<atleast_1d>(xs); }
std::vector<Tensor> atleast_2d(const std::vector<Tensor>& xs) { return each<atleast_2d>(xs); }
std::vector<Tensor> atleast_3d(const std::vector<Tensor>& xs) { return each<atleast_3d>(xs); }

Shape broadcast_shapes(const std::vector<Shape>& shapes) {
  Shape sizes;
  for (const Shape& own : shapes) {
    check_sizes("broadcast_shapes", own);
    sizes = broadcast_shapes("broadcast_shapes", sizes, own);
  }
  return sizes;
}

std::vector<Tensor> broadcast_tensors(const std::vector<Tensor>& xs) {
  Shape sizes;
  for (const Tensor& x : xs) sizes = broadcast_shapes("broadcast_tensors", sizes, x.sizes());
  std::vector<Tensor> ys;
  ys.reserve(xs.size());
  for (const Tensor& x : xs) ys.push_back(expand(x, sizes));
  return ys;
}

}  // namespace gradus
