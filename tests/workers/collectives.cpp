#include "worker.h"

namespace gradus::test {

namespace {

// Sums whose bits depend on the order: numbers of very different sizes.
Tensor uneven(int rank) {
  Generator generator(static_cast<std::uint64_t>(rank) + 1);
  return randn({1001}, {}, &generator) * exp(randn({1001}, {}, &generator) * 8);
}

Tensor tree_sum(std::vector<Tensor> parts) {
  if (parts.size() == 1) return parts[0];
  std::size_t half = 1;
  while (half * 2 < parts.size()) half *= 2;
  const auto middle = parts.begin() + static_cast<std::ptrdiff_t>(half);
  return tree_sum({parts.begin(), middle}) + tree_sum({middle, parts.end()});
}

bool same(const Tensor& a, const Tensor& b) { return a.dtype() == b.dtype() && equal(a, b); }

void reductions() {
  const int n = distributed::size(), me = distributed::rank();
  std::vector<Tensor> all;
  for (int rank = 0; rank < n; ++rank) all.push_back(uneven(rank));
  const Tensor sum = uneven(me), mean = uneven(me), most = uneven(me), least = uneven(me);
  distributed::all_reduce(sum);
  require(same(sum, tree_sum(all)), "the sum is that of the fixed tree");
  distributed::all_reduce(mean, distributed::ReduceOp::Avg);
  require(same(mean, tree_sum(all) * (1.0 / n)), "the mean is the sum times 1/n");
  distributed::all_reduce(most, distributed::ReduceOp::Max);
  distributed::all_reduce(least, distributed::ReduceOp::Min);
  require(same(most, amax(stack(all), 0)) && same(least, amin(stack(all), 0)), "extremes");

  for (const Dtype dtype : {kInt64, kInt32, kInt16, kInt8, kUInt8, kFloat64, kFloat16, kBFloat16}) {
    const Tensor x = full({3}, me + 1, {.dtype = dtype});
    distributed::all_reduce(x);
    require(same(x, full({3}, n * (n + 1) / 2, {.dtype = dtype})), "sums of every type");
  }
  const Tensor product = full({1}, 2, {.dtype = kInt64}), nothing = empty({0}), scalar = tensor(1.0);
  distributed::all_reduce(product, distributed::ReduceOp::Product);
  distributed::all_reduce(nothing);
  distributed::all_reduce(scalar);
  require(product.item() == (1 << n) && scalar.item() == n, "a product, and a tensor without dimensions");
  const Tensor strange = full({2}, me == n - 1 ? NAN : 1.0);
  distributed::all_reduce(strange, distributed::ReduceOp::Max);
  require(std::isnan(strange.to_vector<double>()[0]), "what is not a number stays");
  const Tensor large = full({5000000}, me);  // more than one message
  distributed::all_reduce(large);
  require(same(large, full({5000000}, n * (n - 1) / 2)), "a large tensor");
}

void others() {
  const int n = distributed::size(), me = distributed::rank();
  for (int src = 0; src < n; ++src) {
    const Tensor x = full({2, 3}, me, {.dtype = kFloat32});
    distributed::broadcast(x, src);
    require(same(x, full({2, 3}, src, {.dtype = kFloat32})), "broadcast");
  }
  const auto all = distributed::all_gather(full({2}, me));
  const auto texts = distributed::all_gather_object(std::string(static_cast<std::size_t>(me) * 1000, 'x'));
  for (int rank = 0; rank < n; ++rank) {
    const auto i = static_cast<std::size_t>(rank);
    require(same(all[i], full({2}, rank)) && texts[i].size() == i * 1000, "all_gather");
  }
  distributed::barrier();
}

}  // namespace

void collectives(const Arguments&) {
  reductions();
  others();
  say("collectives of " + std::to_string(distributed::size()) + " with " + distributed::backend() + ": ok", true);
}

}  // namespace gradus::test
