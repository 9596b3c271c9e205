// Gradients that others return: operations of a user, hooks, set_grad, retain_grad.
#include <gradus/autograd/op.h>
#include <gradus/ops.h>

#include <gmock/gmock.h>

#include "support/message.h"

namespace gradus {
namespace {

using testing::HasSubstr;

struct Doubled : Op {
  std::function<void(const Tensor&, Grads)> give;
  explicit Doubled(std::function<void(const Tensor&, Grads)> f) : give(std::move(f)) {}
  const char* name() const override { return "doubled"; }
  Tensor forward(const Tensor& x) { return x * 2; }
  void backward(const Tensor& g, Grads gx) override { give(g, gx); }
};

template <class Error>
std::string refusal(const Tensor& x, const std::function<void(const Tensor&, Grads)>& give) {
  return test::message_of<Error>([&] { apply(Doubled(give), x).sum().backward(); });
}

TEST(Gradients, OfAnOperationMustBeLikeItsInputs) {
  Tensor leaf = ones({2, 3}, {.requires_grad = true});
  for (const Tensor& x : {leaf, leaf * 1}) {
    EXPECT_EQ(refusal<ShapeError>(x, [](auto&, Grads gx) { gx[0] = randn({10}); }),
              "backward of doubled: the gradient of input 0 must have its sizes [2, 3], got [10]");
    EXPECT_EQ(refusal<ShapeError>(x, [](auto&, Grads gx) { gx[0] = tensor(1.0f); }),
              "backward of doubled: the gradient of input 0 must have its sizes [2, 3], got []");
    EXPECT_EQ(refusal<DtypeError>(x, [](auto& g, Grads gx) { gx[0] = g.to(kFloat64); }),
              "backward of doubled: the gradient of input 0 must be float32 as it is, got float64");
    EXPECT_THAT(refusal<IndexError>(x, [](auto& g, Grads gx) { gx[1] = g; }),
                HasSubstr("backward of doubled: there is no input 1 to give a gradient to, forward took 1"));
    EXPECT_FALSE(leaf.grad().defined());
  }
  apply(Doubled([](auto&, Grads) {}), leaf).sum().backward();  // none: as if it were zero
  EXPECT_FALSE(leaf.grad().defined());
  apply(Doubled([](auto& g, Grads gx) { gx[0] = g * 2; }), leaf).sum().backward();
  EXPECT_TRUE(equal(leaf.grad(), full({2, 3}, 2.0)));
}

struct Reversed final : Op {  // of gradients, as in domain adaptation
  const char* name() const override { return "reversed"; }
  Tensor forward(const Tensor& x) { return x; }
  void backward(const Tensor& g, Grads gx) override { gx[0] = -g; }
};

TEST(Gradients, PassThroughAnOperationThatReturnsItsInput) {
  Tensor x = ones({3}, {.requires_grad = true}), h = x * 2;
  for (Tensor input : {x, h}) {
    const Tensor y = apply(Reversed{}, input);
    EXPECT_FALSE(y.is_same(input));
    EXPECT_EQ(input.is_leaf(), input.is_same(x));
    x.zero_grad();
    y.sum().backward(Tensor(), {.retain_graph = true});
    EXPECT_EQ(x.grad()[0].item(), input.is_same(x) ? -1 : -2);
  }
  h.sum().backward();
  EXPECT_EQ(x.grad()[0].item(), 0);  // -2, and 2 from h itself
}

TEST(Gradients, OfHooksMustKeepSizesAndType) {
  for (const bool of_leaf : {true, false}) {
    Tensor x = ones({3}, {.requires_grad = true}), h = x * 2;
    Tensor& hooked = of_leaf ? x : h;
    const auto handle = hooked.register_hook([](const Tensor& g) { return g.to(kFloat64); });
    EXPECT_THROW(h.sum().backward(Tensor(), {.retain_graph = true}), DtypeError);
    hooked.remove_hook(handle);
    EXPECT_THROW(hooked.remove_hook(handle), IndexError);
    EXPECT_THROW(hooked.remove_hook(77), IndexError);
    hooked.register_hook([](const Tensor&) { return ones({4}); });
    EXPECT_THROW(h.sum().backward(), ShapeError);
    EXPECT_FALSE(x.grad().defined());
  }
}

TEST(Gradients, ThatAreRetainedAddUp) {
  Tensor x = ones({1, 3}, {.requires_grad = true}), h = x * 3, y = (h * h).sum();
  h.retain_grad();
  y.backward(Tensor(), {.retain_graph = true});
  const Tensor first = h.grad();
  EXPECT_TRUE(equal(first, full({1, 3}, 6.0)));
  y.backward(Tensor(), {.retain_graph = true});
  EXPECT_TRUE(equal(h.grad(), full({1, 3}, 12.0)));
  EXPECT_TRUE(equal(first, full({1, 3}, 6.0)));  // whoever holds the former keeps it
  h.zero_grad();
  y.backward(Tensor(), {.create_graph = true});
  EXPECT_TRUE(h.grad().requires_grad());
  EXPECT_TRUE(equal(h.grad().detach(), full({1, 3}, 6.0)));
  // Gradients with a graph hold what they are gradients of: such cycles end by hand, as in PyTorch.
  h.zero_grad();
  x.zero_grad();
}

}  // namespace
}  // namespace gradus
