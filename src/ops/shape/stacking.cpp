// hstack, vstack, dstack, column_stack, cartesian_prod, combinations.
#include <gradus/ops/arranging.h>
#include <gradus/ops/further.h>

namespace gradus {

namespace {

void check_some(const char* call, const std::vector<Tensor>& xs) {
  if (xs.empty()) throw ValueError(std::string(call) + ": needs at least one tensor");
}

// The positions of every choice of r of n, ascending, one after the other.
std::vector<std::int64_t> choices(std::int64_t n, std::int64_t r, bool repeated) {
  std::vector<std::int64_t> all;
  if (n == 0 || (!repeated && r > n)) return all;
  std::vector<std::int64_t> chosen(static_cast<std::size_t>(r));
  for (std::int64_t i = 0; i < r; ++i) chosen[static_cast<std::size_t>(i)] = repeated ? 0 : i;
  while (true) {
    all.insert(all.end(), chosen.begin(), chosen.end());
    std::int64_t i = r - 1;
    // The last that can go on does, and those after it follow as closely as they may.
    while (i >= 0 && chosen[static_cast<std::size_t>(i)] == (repeated ? n - 1 : n - r + i)) --i;
    if (i < 0) return all;
    std::int64_t next = ++chosen[static_cast<std::size_t>(i)];
    while (++i < r) chosen[static_cast<std::size_t>(i)] = repeated ? next : ++next;
  }
}

}  // namespace

Tensor hstack(const std::vector<Tensor>& xs) {
  check_some("hstack", xs);
  const std::vector<Tensor> parts = atleast_1d(xs);
  return cat(parts, parts[0].dim() == 1 ? 0 : 1);
}

Tensor vstack(const std::vector<Tensor>& xs) {
  check_some("vstack", xs);
  return cat(atleast_2d(xs), 0);
}

Tensor dstack(const std::vector<Tensor>& xs) {
  check_some("dstack", xs);
  return cat(atleast_3d(xs), 2);
}

Tensor column_stack(const std::vector<Tensor>& xs) {
  check_some("column_stack", xs);
  std::vector<Tensor> columns;
  for (const Tensor& x : xs) columns.push_back(x.dim() <= 1 ? reshape(x, {x.numel(), 1}) : x);
  return cat(columns, 1);
}

Tensor cartesian_prod(const std::vector<Tensor>& xs) {
  check_some("cartesian_prod", xs);
  for (const Tensor& x : xs)
    if (x.dim() != 1) throw ShapeError("cartesian_prod: needs vectors, got sizes " + to_string(x.sizes()));
  if (xs.size() == 1) return xs[0];
  std::vector<Tensor> columns;
  for (const Tensor& grid : meshgrid(xs)) columns.push_back(flatten(grid));
  return stack(columns, 1);
}

Tensor combinations(const Tensor& x, std::int64_t r, bool with_replacement) {
  if (x.dim() != 1) throw ShapeError("combinations: needs a vector, got sizes " + to_string(x.sizes()));
  if (r < 0) throw ValueError("combinations: r must not be negative, got " + std::to_string(r));
  if (r == 0) return empty({0}, {.dtype = x.dtype(), .device = x.device()});
  const Tensor index = tensor(choices(x.numel(), r, with_replacement), {.device = x.device()});
  return view(index_select(x, 0, index), {index.numel() / r, r});
}

}  // namespace gradus
