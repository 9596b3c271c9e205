// Operands that are broadcast, transposed and converted, against one element after the other.
#include <gradus/ops.h>
#include <gradus/random.h>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <numeric>

namespace gradus {
namespace {

// A tensor that reads as `sizes`: its dimensions lie in memory in any order, some of them with stride 0.
Tensor awkward(const std::vector<std::int64_t>& sizes, Dtype dtype) {
  const int rank = static_cast<int>(sizes.size());
  std::vector<std::int64_t> order(sizes.size());
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[*rc::gen::inRange<std::size_t>(0, i)]);
  Shape stored, wanted;
  stored.resize(rank);
  wanted.resize(rank);
  std::vector<std::int64_t> back(sizes.size());
  for (int i = 0; i < rank; ++i) {
    const auto from = order[static_cast<std::size_t>(i)];
    stored[i] = *rc::gen::weightedElement<bool>({{1, true}, {2, false}}) ? 1 : sizes[static_cast<std::size_t>(from)];
    wanted[i] = sizes[static_cast<std::size_t>(from)];
    back[static_cast<std::size_t>(from)] = i;
  }
  Tensor x = (arange(stored.numel()) + *rc::gen::inRange(-9, 9)).to(dtype).view(stored);
  return permute(expand(x, wanted), std::vector<std::int64_t>(back));
}

RC_GTEST_PROP(Elementwise, AgreesWithOneElementAfterTheOther, ()) {
  const auto rank = *rc::gen::inRange<std::size_t>(1, 5);
  const auto sizes = *rc::gen::container<std::vector<std::int64_t>>(rank, rc::gen::inRange<std::int64_t>(1, 14));
  const auto dtype = rc::gen::element(kFloat32, kFloat64, kInt64, kInt32);
  const Tensor a = awkward(sizes, *dtype), b = awkward(sizes, *dtype);
  const Tensor y = sub(a, b);
  std::vector<std::int64_t> at(rank, 0);
  for (std::int64_t i = 0; i < y.numel(); ++i) {
    Tensor p = a, q = b, r = y;
    for (const std::int64_t place : at) {
      p = select(p, 0, place);
      q = select(q, 0, place);
      r = select(r, 0, place);
    }
    RC_ASSERT(r.item() == p.item() - q.item());
    for (std::size_t d = rank; d-- > 0 && ++at[d] == sizes[d];) at[d] = 0;
  }
}

// Blocks end within rows, threads begin within them.
TEST(Elementwise, LongOperandsWithShortRows) {
  for (const std::int64_t width : {1, 3, 8, 100, 511, 513}) {
    const std::int64_t rows = 40'000 / width + 1;
    const Tensor x = arange(rows * width).to(kFloat64).view({rows, width});
    const Tensor column = arange(rows).to(kFloat32).view({rows, 1}), row = arange(width).view({1, width});
    const Tensor y = x - column, z = row - x;
    const auto at = [&](const Tensor& t, std::int64_t i) { return t.view({-1})[i].item(); };
    for (std::int64_t i = 0; i < rows * width; i += 7) {
      const auto number = static_cast<double>(i);
      ASSERT_EQ(at(y, i), number - static_cast<double>(i / width)) << width << " at " << i;
      ASSERT_EQ(at(z, i), static_cast<double>(i % width) - number) << width << " at " << i;
    }
  }
}

}  // namespace
}  // namespace gradus
