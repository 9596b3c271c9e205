// Views that show one element several times, of a base that is changed in place afterwards.
#include <gradus/autograd.h>
#include <gradus/ops.h>

#include <gtest/gtest.h>

namespace gradus {
namespace {

TEST(ExpandedView, GradientsOfElementsThatShareAPlaceAddUp) {
  const Tensor a = tensor({1.0, 2.0, 3.0}, {.dtype = kFloat64}).requires_grad_();
  const Tensor s = tensor(-1.5, {.dtype = kFloat64}).requires_grad_();
  Tensor x = a * 2;
  const Tensor rows = x.expand({4, 3}), deep = rows.unsqueeze(0).expand({2, 4, 3})[{Ellipsis, Slice{1, 3}}];
  x[{Slice{0, 2}}] = s;
  x.mul_(3.0);
  sum(rows).backward(BackwardOptions{.retain_graph = true});
  EXPECT_EQ(a.grad().to_vector<double>(), (std::vector<double>{0, 0, 24}));
  EXPECT_EQ(s.grad().item(), 24);
  const Tensor g = autograd::grad({sum(deep * deep)}, {a}, {}, {.create_graph = true})[0];
  EXPECT_EQ(g.to_vector<double>(), (std::vector<double>{0, 0, 8 * 2 * 18 * 6}));
  EXPECT_EQ(autograd::grad({sum(g)}, {a})[0].to_vector<double>(), (std::vector<double>{0, 0, 8 * 2 * 6 * 6}));
}

TEST(ExpandedView, OfNothingMayBeChanged) {
  Tensor x = zeros({1, 0}).expand({3, 0});
  EXPECT_EQ(x.add_(1).numel(), 0);
}

}  // namespace
}  // namespace gradus
