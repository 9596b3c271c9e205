// The engine: gradients accumulated, asked for, hooked; graphs kept, freed, deep and shared between threads.
#include <gradus/autograd.h>
#include <gradus/autograd/op.h>
#include <gradus/ops.h>

#include <gmock/gmock.h>

#include <thread>

#include "support/gradcheck.h"
#include "support/message.h"

namespace gradus {
namespace {

using test::message_of;
using testing::ElementsAre;
using testing::HasSubstr;

const TensorOptions kLeaf{.dtype = kFloat64, .requires_grad = true};

Tensor leaf(std::vector<double> values) { return tensor(values, kLeaf); }
Tensor data(std::vector<double> values) { return tensor(values, {.dtype = kFloat64}); }
std::vector<double> values(const Tensor& x) { return x.to_vector<double>(); }

TEST(Grad, TakesOneTensorOrSeveralAndOptionsInThirdPlace) {
  const Tensor x = leaf({2}), y = (x * x * x).sum();
  const Tensor first = autograd::grad(y, {x}, {.create_graph = true})[0];
  EXPECT_THAT(values(first), ElementsAre(12));
  EXPECT_THAT(values(autograd::grad(first, x, {.retain_graph = true})[0]), ElementsAre(12));
  EXPECT_THAT(values(autograd::grad({y, first}, {x}, {}, {.retain_graph = true})[0]), ElementsAre(24));
  EXPECT_THAT(values(autograd::grad(y, x, full({}, 2.0, {.dtype = kFloat64}))[0]), ElementsAre(24));
  autograd::backward((x * 3).sum());
  EXPECT_THAT(values(x.grad()), ElementsAre(3));
}

TEST(ConstHandles, ChangeTheTensor) {
  const Tensor x = leaf({1, 2});
  x.requires_grad_(false);
  x.add_(1).mul_(2);
  x.requires_grad_();
  int calls = 0;
  const std::size_t hook = x.register_hook([&](const Tensor&) {
    ++calls;
    return Tensor();
  });
  const Tensor y = x * 3;
  y.retain_grad();
  y.sum().backward();
  EXPECT_EQ(calls, 1);
  EXPECT_THAT(values(y.grad()), ElementsAre(1, 1));
  x.remove_hook(hook);
  x.grad().mul_(2);
  EXPECT_THAT(values(x.grad()), ElementsAre(6, 6));
  x.zero_grad(false);
  EXPECT_THAT(values(x.grad()), ElementsAre(0, 0));
  y.detach_();
  EXPECT_TRUE(y.is_leaf());
  EXPECT_FALSE(y.requires_grad());
  EXPECT_THAT(values(x), ElementsAre(4, 6));
  EXPECT_THROW((x * 1)[0].detach_(), AutogradError);
}

TEST(Backward, AddsUpInLeaves) {
  Tensor x = leaf({1, 2});
  sum(x * x).backward();
  EXPECT_THAT(values(x.grad()), ElementsAre(2, 4));
  sum(x * 3).backward();
  EXPECT_THAT(values(x.grad()), ElementsAre(5, 7));
  x.zero_grad();
  EXPECT_FALSE(x.grad().defined());
}

TEST(Backward, AddsUpOverSeveralUses) {
  Tensor x = leaf({3});
  const Tensor a = x * x, b = a * x;
  sum(a + b + x).backward();  // 2x + 3x^2 + 1
  EXPECT_THAT(values(x.grad()), ElementsAre(34));
}

TEST(Backward, FromALeafItselfStoresTheGradientGiven) {
  Tensor x = leaf({5});
  x.backward();
  EXPECT_THAT(values(x.grad()), ElementsAre(1));
  const Tensor given = data({7.0});
  x.zero_grad();
  x.backward(given);
  x.backward(given);
  EXPECT_THAT(values(x.grad()), ElementsAre(14));
  EXPECT_THAT(values(given), ElementsAre(7)) << "the caller's gradient was changed";
}

TEST(Backward, LeavesDoNotShareTheMemoryOfTheirGradients) {
  Tensor x = leaf({1, 2}), y = leaf({3, 4});
  const Tensor g = data({1.0, 1.0});
  (x + y).backward(g);
  (x * 1).backward(g);
  EXPECT_THAT(values(x.grad()), ElementsAre(2, 2));
  EXPECT_THAT(values(y.grad()), ElementsAre(1, 1));
  EXPECT_THAT(values(g), ElementsAre(1, 1));
}

TEST(Backward, SeveralRootsAtOnce) {
  Tensor x = leaf({2});
  const Tensor a = x * x;
  autograd::backward({sum(a), sum(a * 3)});
  EXPECT_THAT(values(x.grad()), ElementsAre(16));
}

TEST(Backward, NeedsAGradientForMoreThanOneElement) {
  Tensor x = leaf({1, 2});
  EXPECT_THAT(message_of<AutogradError>([&] { (x * 2).backward(); }), HasSubstr("[2]"));
  EXPECT_THROW((x * 2).backward(ones({3}, {.dtype = kFloat64})), ShapeError);
  EXPECT_THROW(data({1.0}).backward(), AutogradError);
}

TEST(Backward, ASecondOneOverAFreedGraphNamesTheOperation) {
  Tensor x = leaf({1, 2});
  const Tensor y = sum(exp(x));
  y.backward();
  const std::string text = message_of<AutogradError>([&] { y.backward(); });
  EXPECT_THAT(text, HasSubstr("freed"));
  EXPECT_THAT(text, HasSubstr("retain_graph"));
}

TEST(Backward, RetainGraphKeepsIt) {
  Tensor x = leaf({1, 2});
  const Tensor y = sum(x * x);
  y.backward({.retain_graph = true});
  y.backward({.retain_graph = true});
  y.backward();
  EXPECT_THAT(values(x.grad()), ElementsAre(6, 12));
  EXPECT_THROW(y.backward(), AutogradError);
}

TEST(Backward, InputsLimitWhereGradientsGo) {
  Tensor x = leaf({2}), y = leaf({3});
  const Tensor h = x * y;
  const Tensor z = sum(h * h);
  z.backward({.retain_graph = true, .inputs = {x}});
  EXPECT_THAT(values(x.grad()), ElementsAre(36));
  EXPECT_FALSE(y.grad().defined());
  z.backward({.inputs = {h}});
  EXPECT_THAT(values(h.grad()), ElementsAre(12));
  EXPECT_THAT(values(x.grad()), ElementsAre(36));
  EXPECT_FALSE(y.grad().defined());
}

TEST(Grad, GivesGradientsAndStoresNone) {
  Tensor x = leaf({2}), y = leaf({5});
  const Tensor h = x * x;
  const auto grads = autograd::grad({sum(h * y)}, {x, h, y, x});
  EXPECT_THAT(values(grads[0]), ElementsAre(20));
  EXPECT_THAT(values(grads[1]), ElementsAre(5));
  EXPECT_THAT(values(grads[2]), ElementsAre(4));
  EXPECT_THAT(values(grads[3]), ElementsAre(20));
  EXPECT_FALSE(x.grad().defined());
  EXPECT_FALSE(h.grad().defined());
}

TEST(Grad, OfALeafByItselfIsWhatComesIn) {
  Tensor x = leaf({2, 3});
  const auto grads = autograd::grad({x}, {x}, {data({4.0, 5.0})});
  EXPECT_THAT(values(grads[0]), ElementsAre(4, 5));
}

TEST(Grad, AnUnusedInputIsAnErrorUnlessAllowed) {
  Tensor x = leaf({2}), unused = leaf({5});
  unused.set_name("spare");
  const Tensor y = sum(x * x);
  EXPECT_THAT(message_of<AutogradError>([&] {
                autograd::grad({y}, {x, unused}, {}, {.retain_graph = true});
              }),
              HasSubstr("spare"));
  const auto grads = autograd::grad({y}, {x, unused}, {}, {.allow_unused = true});
  EXPECT_THAT(values(grads[0]), ElementsAre(4));
  EXPECT_FALSE(grads[1].defined());
}

TEST(Grad, CreateGraphGivesDerivativesOfAnyOrder) {
  Tensor x = leaf({2});
  Tensor y = sum(x * x * x * x);
  for (double expected : {32.0, 48.0, 48.0, 24.0}) {
    y = autograd::grad({y}, {x}, {}, {.create_graph = true})[0];
    EXPECT_THAT(values(y), ElementsAre(expected));
    y = sum(y);
  }
}

TEST(Grad, APenaltyOnGradientsTrainsThroughThem) {
  Tensor x = leaf({1, 2}), w = leaf({3, 4});
  const Tensor g = autograd::grad({sum(w * x * x)}, {x}, {}, {.create_graph = true})[0];  // 2 w x
  sum(g * g).backward();                                                                  // sum 4 w^2 x^2
  EXPECT_THAT(values(w.grad()), ElementsAre(8 * 3 * 1, 8 * 4 * 4));
  EXPECT_THAT(values(x.grad()), ElementsAre(8 * 9 * 1, 8 * 16 * 2));
}

TEST(Grad, WithoutCreateGraphHasNoGraph) {
  Tensor x = leaf({2});
  EXPECT_FALSE(autograd::grad({sum(x * x)}, {x})[0].requires_grad());
}

TEST(Hooks, OnLeavesSeeAndReplaceTheGradient) {
  Tensor x = leaf({1, 2});
  int calls = 0;
  const auto counting = x.register_hook([&](const Tensor& g) {
    ++calls;
    EXPECT_THAT(values(g), ElementsAre(5, 7));  // complete: both uses
    return Tensor();
  });
  const auto doubling = x.register_hook([](const Tensor& g) { return g * 2; });
  sum(x * x + x * 3).backward();
  EXPECT_EQ(calls, 1);
  EXPECT_THAT(values(x.grad()), ElementsAre(10, 14));
  x.remove_hook(counting);
  x.remove_hook(doubling);
  x.zero_grad();
  sum(x * x).backward();
  EXPECT_EQ(calls, 1);
  EXPECT_THAT(values(x.grad()), ElementsAre(2, 4));
}

TEST(Hooks, OnResultsChangeWhatFlowsOn) {
  Tensor x = leaf({1, 2});
  Tensor h = x * 3;
  const auto handle = h.register_hook([](const Tensor& g) { return g * 10; });
  sum(h).backward({.retain_graph = true});
  EXPECT_THAT(values(x.grad()), ElementsAre(30, 30));
  h.remove_hook(handle);
  x.zero_grad();
  sum(h).backward();
  EXPECT_THAT(values(x.grad()), ElementsAre(3, 3));
}

TEST(Hooks, MustKeepTheSizes) {
  Tensor x = leaf({1, 2});
  x.register_hook([](const Tensor& g) { return sum(g); });
  EXPECT_THROW(sum(x * x).backward(), ShapeError);
  EXPECT_FALSE(x.grad().defined());
  EXPECT_THROW(data({1.0}).register_hook([](const Tensor& g) { return g; }), AutogradError);
}

TEST(Hooks, AThrowingOneLeavesTheGraphUsable) {
  Tensor x = leaf({1, 2});
  Tensor h = x * x;
  const auto handle = h.register_hook([](const Tensor&) -> Tensor { throw std::runtime_error("stop"); });
  const Tensor y = sum(h);
  EXPECT_THROW(y.backward({.retain_graph = true}), std::runtime_error);
  h.remove_hook(handle);
  y.backward();
  EXPECT_THAT(values(x.grad()), ElementsAre(2, 4));
}

TEST(RetainGrad, KeepsTheGradientOfAResult) {
  Tensor x = leaf({1, 2});
  Tensor h = x * 3;
  const Tensor other = x * 5;
  h.retain_grad();
  sum(h * h + other).backward();
  EXPECT_THAT(values(h.grad()), ElementsAre(6, 12));
  EXPECT_FALSE(other.grad().defined());
  EXPECT_THROW(data({1.0}).retain_grad(), AutogradError);
}

TEST(RetainGrad, TheGradientIsTheResultsOwn) {
  const Tensor x = leaf({1, 2}), h = x * 3, v = h.view({2, 1});
  h.retain_grad();
  v.retain_grad();
  sum(v).backward({.retain_graph = true});  // an expanded one, of which that of h is a view
  h.grad().mul_(5);
  EXPECT_THAT(values(h.grad()), ElementsAre(5, 5));
  EXPECT_THAT(values(v.grad()), ElementsAre(1, 1));
  EXPECT_THAT(values(x.grad()), ElementsAre(3, 3));
  const Tensor w = x * 2;
  const Tensor seed = data({1, 1});
  w.backward(seed, {.inputs = {w}});
  w.grad().mul_(7);
  EXPECT_THAT(values(seed), ElementsAre(1, 1));
}

TEST(RetainGrad, TheResultMayGoBeforeBackward) {
  Tensor x = leaf({1, 2}), y;
  {
    Tensor h = x * 3;
    h.retain_grad();
    y = sum(h);
  }
  y.backward();
  EXPECT_THAT(values(x.grad()), ElementsAre(3, 3));
}

TEST(Operations, MustReturnATensor) {
  struct Forgetful final : Op {
    const char* name() const override { return "forgetful"; }
    Tensor forward(const Tensor&) { return {}; }
    void backward(const Tensor&, Grads) override {}
  };
  EXPECT_THAT(message_of<ValueError>([] { apply(Forgetful{}, leaf({1})); }),
              testing::StrEq("forgetful: forward must return a tensor, got none"));
}

TEST(Scopes, NoGradRecordsNothing) {
  Tensor x = leaf({1});
  {
    const NoGrad guard;
    EXPECT_FALSE((x * 2).requires_grad());
    {
      const EnableGrad again;
      EXPECT_TRUE((x * 2).requires_grad());
    }
    EXPECT_FALSE(is_grad_enabled());
    std::thread([] { EXPECT_TRUE(is_grad_enabled()); }).join();
  }
  EXPECT_TRUE((x * 2).requires_grad());
}

TEST(Scopes, InferenceTensorsCannotBeSavedForBackward) {
  Tensor x = leaf({1}), made;
  {
    const InferenceMode guard;
    EXPECT_TRUE(is_inference_mode());
    made = data({2.0}) * 3;
  }
  EXPECT_FALSE(is_inference_mode());
  EXPECT_THAT(message_of<AutogradError>([&] { x* made; }), HasSubstr("mul"));
  sum(x * made.clone()).backward();
  EXPECT_THAT(values(x.grad()), ElementsAre(6));
}

TEST(Leaves, MustNotBeChangedInPlaceWhileRecording) {
  Tensor x = leaf({1, 2});
  x.set_name("layer.weight");
  EXPECT_THAT(message_of<AutogradError>([&] { x.add_(1); }), HasSubstr("layer.weight"));
  EXPECT_THROW(x.mul_(x), AutogradError);
  EXPECT_THROW(x.fill_(0), AutogradError);
  EXPECT_THROW(x.narrow(0, 0, 1).fill_(0), AutogradError);
  EXPECT_THAT(values(x), ElementsAre(1, 2)) << "changed all the same";
  const NoGrad guard;
  x.add_(1);
  EXPECT_THAT(values(x), ElementsAre(2, 3));
  EXPECT_TRUE(x.requires_grad());
}

TEST(Leaves, RequireGradientsOfFloatingPointOnly) {
  EXPECT_THROW(arange(3).requires_grad_(), DtypeError);
  Tensor x = leaf({1});
  Tensor y = x * 2;
  EXPECT_TRUE(x.is_leaf());
  EXPECT_FALSE(y.is_leaf());
  EXPECT_THROW(y.requires_grad_(false), AutogradError);
}

TEST(Versions, AChangeOfSomethingSavedNamesOperationAndParameter) {
  Tensor w = leaf({1, 2});
  w.set_name("encoder.0.weight");
  const Tensor y = sum(exp(w) * w);
  {
    const NoGrad guard;
    w.mul_(2);
  }
  const std::string text = message_of<AutogradError>([&] { y.backward(); });
  EXPECT_THAT(text, HasSubstr("mul"));
  EXPECT_THAT(text, HasSubstr("encoder.0.weight"));
  EXPECT_THAT(text, HasSubstr("changed in place"));
  EXPECT_FALSE(w.grad().defined());
}

TEST(Versions, AChangeOfASavedResultIsSeenToo) {
  Tensor x = leaf({1, 2});
  Tensor y = exp(x);
  y.add_(1);
  EXPECT_THAT(message_of<AutogradError>([&] { sum(y).backward(); }), HasSubstr("exp"));
}

TEST(Versions, AChangeThroughAViewOrTheBaseIsSeen) {
  Tensor x = leaf({1, 2});
  Tensor h = x * 1;
  const Tensor y = sum(h * h);
  {
    const NoGrad guard;
    h.narrow(0, 1, 1).fill_(9);
  }
  EXPECT_THROW(y.backward(), AutogradError);
  Tensor base = data({1.0, 2.0});
  const Tensor part = base.narrow(0, 0, 1);
  const Tensor z = sum(part * x);
  base.add_(1);
  EXPECT_THROW(z.backward(), AutogradError);
}

TEST(Versions, AChangeOfSomethingNotSavedIsNoError) {
  Tensor x = leaf({1, 2});
  Tensor h = x * 3;
  const Tensor y = h + 1;  // needs no value of h
  h.mul_(2);
  sum(y).backward();
  EXPECT_THAT(values(x.grad()), ElementsAre(3, 3));
}

TEST(InPlace, IsRecordedLikeTheOperation) {
  Tensor x = leaf({1, 2});
  Tensor h = x * 3;
  h.add_(x);
  h.mul_(2);
  EXPECT_THAT(values(h), ElementsAre(8, 16));
  sum(h * h).backward();  // h = 8x
  EXPECT_THAT(values(x.grad()), ElementsAre(128, 256));
}

TEST(InPlace, ATensorWithoutHistoryGetsOne) {
  Tensor x = leaf({1, 2});
  Tensor y = zeros({2}, {.dtype = kFloat64});
  y.add_(x * 3);
  EXPECT_TRUE(y.requires_grad());
  EXPECT_FALSE(y.is_leaf());
  sum(y).backward();
  EXPECT_THAT(values(x.grad()), ElementsAre(3, 3));
}

TEST(InPlaceOnViews, AssignmentSendsGradientsToBothSides) {
  Tensor x = tensor({{1.0, 2.0}, {3.0, 4.0}}, kLeaf), y = leaf({10, 20});
  Tensor h = x * 2;
  h[0] = y;
  EXPECT_THAT(values(h), ElementsAre(10, 20, 6, 8));
  sum(h * h).backward();
  EXPECT_THAT(values(x.grad()), ElementsAre(0, 0, 24, 32));
  EXPECT_THAT(values(y.grad()), ElementsAre(20, 40));
}

TEST(InPlaceOnViews, TheBaseSeesTheChangeInItsHistory) {
  Tensor x = leaf({1, 2, 3});
  Tensor h = x * 1;
  Tensor part = h.narrow(0, 1, 2);
  part.mul_(10);
  EXPECT_THAT(values(h), ElementsAre(1, 20, 30));
  sum(h).backward();
  EXPECT_THAT(values(x.grad()), ElementsAre(1, 10, 10));
}

TEST(InPlaceOnViews, TheViewItselfAndOlderViewsFollow) {
  Tensor x = leaf({1, 2, 3});
  Tensor h = x * 1;
  const Tensor older = h.narrow(0, 0, 2);
  Tensor part = h.narrow(0, 1, 2);
  part.mul_(data({4, 5}));
  EXPECT_THAT(values(older), ElementsAre(1, 8));
  sum(older).backward({.retain_graph = true});
  EXPECT_THAT(values(x.grad()), ElementsAre(1, 4, 0));
  x.zero_grad();
  sum(part).backward();
  EXPECT_THAT(values(x.grad()), ElementsAre(0, 4, 5));
}

TEST(InPlaceOnViews, AViewOfAView) {
  Tensor x = tensor({{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}}, kLeaf);
  Tensor h = x * 1;
  Tensor inner = h.t().select(0, 1).narrow(0, 1, 1);  // the 5
  inner.mul_(7);
  EXPECT_THAT(values(h), ElementsAre(1, 2, 3, 4, 35, 6));
  sum(h * h).backward();
  EXPECT_THAT(values(x.grad()), ElementsAre(2, 4, 6, 8, 2 * 35 * 7, 12));
}

TEST(InPlaceOnViews, AChangeOfTheBaseReachesViewsTakenBefore) {
  Tensor x = leaf({1, 2});
  Tensor h = x * 1;
  const Tensor part = h.narrow(0, 1, 1);
  h.mul_(5);
  EXPECT_THAT(values(part), ElementsAre(10));
  sum(part).backward();
  EXPECT_THAT(values(x.grad()), ElementsAre(0, 5));
}

TEST(InPlaceOnViews, ABaseWithoutHistoryGetsOneThroughItsView) {
  Tensor x = leaf({1, 2});
  Tensor base = zeros({2, 2}, {.dtype = kFloat64});
  base[1] = x * 3;
  EXPECT_TRUE(base.requires_grad());
  sum(base * base).backward();
  EXPECT_THAT(values(x.grad()), ElementsAre(18, 36));
}

TEST(InPlaceOnViews, PassFiniteDifferencesTwice) {
  const test::Function fn = [](const std::vector<Tensor>& in) {
    Tensor h = in[0] * in[0];
    Tensor column = h.t()[0];
    column.mul_(in[1]);
    h[1] = in[1].narrow(0, 0, 1) * column.narrow(0, 0, 1).clone() + h[0];
    return h * h;
  };
  Tensor a = test::fixed_weights({2, 3}), b = test::fixed_weights({2}, 5);
  a.requires_grad_();
  b.requires_grad_();
  EXPECT_TRUE(test::gradcheck(fn, {a, b}));
  EXPECT_TRUE(test::gradgradcheck(fn, {a, b}));
}

TEST(Detach, SharesMemoryOutsideTheGraph) {
  Tensor x = leaf({1, 2});
  Tensor h = x * 2;
  Tensor d = h.detach();
  EXPECT_FALSE(d.requires_grad());
  EXPECT_EQ(d.data_ptr(), h.data_ptr());
  sum(h * d).backward();
  EXPECT_THAT(values(x.grad()), ElementsAre(4, 8));
  // One memory, one version: a change through it is noticed.
  Tensor again = x * 2;
  const Tensor y = sum(again * again);
  again.detach().fill_(0);
  EXPECT_THROW(y.backward(), AutogradError);
}

TEST(SetGrad, ChecksSizesAndType) {
  Tensor x = leaf({1, 2});
  EXPECT_THROW(x.set_grad(zeros({3}, {.dtype = kFloat64})), ShapeError);
  EXPECT_THROW(x.set_grad(zeros({2})), DtypeError);
  EXPECT_THROW(x.set_grad(x), AutogradError);
  x.set_grad(ones({2}, {.dtype = kFloat64}));
  sum(x).backward();
  EXPECT_THAT(values(x.grad()), ElementsAre(2, 2));
  x.set_grad(Tensor());
  EXPECT_FALSE(x.grad().defined());
}

TEST(DeepGraphs, NeitherBackwardNorDestructionOverflows) {
  constexpr int kDepth = 100000;
  Tensor x = leaf({1});
  Tensor y = x;
  for (int i = 0; i < kDepth; ++i) y = y + x;
  y.backward();
  EXPECT_THAT(values(x.grad()), ElementsAre(kDepth + 1));
  Tensor dropped = x;
  for (int i = 0; i < kDepth; ++i) dropped = dropped * 1;
  dropped = Tensor();  // never differentiated
}

TEST(Threads, SeparateGraphsMayShareLeaves) {
  Tensor x = leaf({1, 2, 3});
  constexpr int kThreads = 4, kRounds = 50;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&x] {
      for (int i = 0; i < kRounds; ++i) sum(x * x).backward();
    });
  }
  for (std::thread& t : threads) t.join();
  const double n = kThreads * kRounds;
  EXPECT_THAT(values(x.grad()), ElementsAre(2 * n, 4 * n, 6 * n));
}

TEST(Gradcheck, FindsWrongGradients) {
  // abs at its kink, and a graph cut by detach.
  Tensor zero = leaf({0.0});
  EXPECT_TRUE(test::gradcheck([](const auto& in) { return in[0] * in[0]; }, {zero}));
  Tensor x = leaf({1.5});
  const auto cut = [](const std::vector<Tensor>& in) { return in[0] * in[0].detach(); };
  EXPECT_FALSE(test::gradcheck(cut, {x}));
  EXPECT_FALSE(test::gradcheck([](const auto& in) { return exp(in[0].detach()); }, {x}));
  // First order right, second order wrong.
  const auto first_only = [](const std::vector<Tensor>& in) {
    const Tensor d = in[0].detach();
    return in[0] * (d * 2) - d * d;
  };
  EXPECT_TRUE(test::gradcheck([](const auto& in) { return in[0] * in[0]; }, {x}));
  EXPECT_FALSE(test::gradgradcheck(first_only, {x}));
}

}  // namespace
}  // namespace gradus
