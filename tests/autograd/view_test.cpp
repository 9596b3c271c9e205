// Views that were made, or are changed, while nothing is recorded: what PyTorch 2.13 does with each of them.
#include <gradus/autograd.h>
#include <gradus/nn/layers/linear.h>
#include <gradus/nn/layers/normalization.h>
#include <gradus/ops.h>

#include <gmock/gmock.h>

namespace gradus {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

enum class Mode { recording, no_grad, inference };

template <class F>
void in(Mode mode, const F& f) {
  if (mode == Mode::recording) return f();
  if (mode == Mode::no_grad) {
    NoGrad guard;
    return f();
  }
  InferenceMode guard;
  f();
}

struct Family {
  const char* name;
  std::function<Tensor(const Tensor&)> make;
};
const std::vector<Family>& families() {
  static const std::vector<Family> all{{"view", [](const Tensor& h) { return h.view({4}); }},
                                       {"narrow", [](const Tensor& h) { return h.narrow(0, 0, 4); }},
                                       {"index",
                                        [](const Tensor& h) {
                                          return Tensor(h[{Slice{0, 4}}]);
                                        }},
                                       {"chunk", [](const Tensor& h) { return h.chunk(1)[0]; }},
                                       {"unbind",
                                        [](const Tensor& h) {
                                          return unbind(h.view({1, 4}))[0];
                                        }},
                                       {"view of a view",
                                        [](const Tensor& h) {
                                          return h.view({2, 2}).view({4});
                                        }},
                                       {"transposed", [](const Tensor& h) {
                                          return h.view({4, 1}).t().squeeze(0);
                                        }}};
  return all;
}

const Mode kModes[] = {Mode::recording, Mode::no_grad, Mode::inference};

// A change through a view that was made in one mode, in another: a leaf's, a result's, and that of a tensor without a
// gradient.
TEST(Views, OfALeafAreNeverChangedWhileRecording) {
  for (const Family& family : families()) {
    for (const Mode made : kModes) {
      for (const Mode changed : kModes) {
        SCOPED_TRACE(std::string(family.name) + " " + std::to_string(int(made)) + " " + std::to_string(int(changed)));
        Tensor x = ones({4}, {.requires_grad = true}), v;
        in(made, [&] { v = family.make(x); });
        EXPECT_TRUE(v.requires_grad());
        EXPECT_EQ(v.is_leaf(), made != Mode::recording);
        if (changed == Mode::recording) {
          EXPECT_THROW(v.mul_(3), AutogradError);
          EXPECT_THROW(v.mul_(x * 3), AutogradError);
          EXPECT_THROW(v.fill_(3), AutogradError);
          EXPECT_THROW(v.copy_(x * 3), AutogradError);
          EXPECT_TRUE(equal(x.detach(), ones({4})));
        } else {
          in(changed, [&] { v.mul_(3); });
          EXPECT_TRUE(equal(x.detach(), full({4}, 3.0)));
        }
      }
    }
  }
}

TEST(Views, OfAResultAreNotChangedPastItsHistory) {
  for (const Family& family : families()) {
    for (const Mode made : kModes) {
      for (const Mode changed : kModes) {
        SCOPED_TRACE(std::string(family.name) + " " + std::to_string(int(made)) + " " + std::to_string(int(changed)));
        Tensor x = ones({4}, {.requires_grad = true}), h = x * 2, v;
        in(made, [&] { v = family.make(h); });
        EXPECT_TRUE(v.requires_grad());
        if (made != Mode::recording && changed == Mode::recording) {
          EXPECT_THROW(v.mul_(3), AutogradError);
          EXPECT_THROW(v.mul_(x * 3), AutogradError);
          EXPECT_TRUE(equal(h.detach(), full({4}, 2.0)));
        } else {
          in(changed, [&] { v.mul_(x * 3); });
          h.sum().backward();
          EXPECT_EQ(x.grad()[0].item(), changed == Mode::recording ? 12 : 2);
        }
      }
    }
  }
}

TEST(Views, OfAPlainTensorTakeNoHistoryWhereTheirBaseCannot) {
  for (const Family& family : families()) {
    for (const Mode made : kModes) {
      SCOPED_TRACE(std::string(family.name) + " " + std::to_string(int(made)));
      Tensor x = ones({4}, {.requires_grad = true}), h = ones({4}), v;
      in(made, [&] { v = family.make(h); });
      EXPECT_FALSE(v.requires_grad());
      v.mul_(3);  // nothing to record
      if (made == Mode::recording) {
        v.mul_(x);
        h.sum().backward();
        EXPECT_EQ(x.grad()[0].item(), 3);
      } else {
        EXPECT_THROW(v.mul_(x), AutogradError);
        EXPECT_FALSE(h.requires_grad());
        Tensor later = v.view({2, 2});  // what a view of such a view inherits
        EXPECT_THROW(later.mul_(x.view({2, 2})), AutogradError);
      }
      EXPECT_TRUE(equal(h.detach(), full({4}, 3.0)));
    }
  }
}

TEST(Views, OfDetachedTensorsAreTheirOwn) {
  for (const Mode made : kModes) {
    Tensor x = ones({4}, {.requires_grad = true}), h = x * 2, v;
    in(made, [&] { v = h.detach(); });
    EXPECT_FALSE(v.requires_grad());
    v.mul_(x * 3);
    EXPECT_TRUE(v.requires_grad());
    h.sum().backward();
    EXPECT_EQ(x.grad()[0].item(), 2);
  }
}

TEST(Views, InNoGradGiveGradientsOfTheirOwn) {
  Tensor w = ones({2, 3}, {.requires_grad = true}), v;
  {
    NoGrad guard;
    v = w.view({6});
  }
  (v * 2).sum().backward();
  EXPECT_TRUE(equal(v.grad(), full({6}, 2.0)));
  EXPECT_FALSE(w.grad().defined());
}

// Also where the views of the view are recorded.
TEST(Views, OfAViewInNoGradAreNotChangedPastItsHistory) {
  for (const Mode made : {Mode::no_grad, Mode::inference}) {
    Tensor x = ones({4}, {.requires_grad = true}), h = x * 2, v;
    in(made, [&] { v = h.view({2, 2}); });
    const Tensor row = v.select(0, 0), part = row.narrow(0, 0, 1);
    EXPECT_THROW(v[0] = zeros({2}), AutogradError);
    EXPECT_THROW(row.mul_(3), AutogradError);
    EXPECT_THROW(part.fill_(3), AutogradError);
    EXPECT_TRUE(equal(h.detach(), full({4}, 2.0)));
    (part * 5).sum().backward();  // they are recorded all the same
    EXPECT_EQ(v.grad()[0][0].item(), 5);
    in(made, [&] { part.fill_(3); });
    EXPECT_EQ(h.detach()[0].item(), 3);
  }
}

TEST(Views, MessagesNameTheRemedy) {
  Tensor w = ones({4}, {.requires_grad = true}), v;
  {
    NoGrad guard;
    v = w.view({2, 2});
  }
  try {
    v.mul_(2);
    FAIL();
  } catch (const AutogradError& error) {
    EXPECT_THAT(error.what(), HasSubstr("mul: a view that was made in a NoGrad scope must not be changed in place"));
  }
}

TEST(InferenceTensors, AreRefusedWherePyTorchRefusesThem) {
  Tensor x = ones({3}, {.requires_grad = true}), made, view, normal = ones({3}), inside;
  {
    InferenceMode guard;
    made = ones({3});
    view = made.view({3, 1});
    inside = normal.view({3, 1});
    made.add_(1);
    normal.add_(1);  // made outside
    made.requires_grad_().requires_grad_(false);
  }
  EXPECT_THROW(made.add_(1), AutogradError);
  EXPECT_THROW(made.detach().add_(1), AutogradError);
  EXPECT_THROW(view.fill_(1), AutogradError);
  EXPECT_THROW(made.copy_(normal), AutogradError);
  EXPECT_THROW(made.normal_(), AutogradError);
  EXPECT_THROW(made.requires_grad_(), AutogradError);
  EXPECT_THROW(x * made, AutogradError);
  {
    NoGrad guard;
    EXPECT_THROW(made.mul_(2), AutogradError);
  }
  EXPECT_TRUE(equal(made, full({3}, 2.0)));
  normal.add_(made);
  inside.add_(1);
  EXPECT_TRUE(equal(normal, full({3}, 5.0)));
  Tensor copy = made.clone().requires_grad_();
  (x * copy + made).sum().backward();
  EXPECT_TRUE(equal(copy.grad(), ones({3})));
}

// A module that is converted between forward and backward.
TEST(Views, MemoryThatWasReplacedIsNoticed) {
  for (const Dtype to : {kFloat64, kBFloat16, kFloat16}) {
    nn::Linear net(8, 8);
    Tensor x = ones({2, 8}, {.requires_grad = true});
    const Tensor loss = net(x).sum();
    net.to(to);
    EXPECT_THROW(loss.backward(), AutogradError) << to_string(to);
    EXPECT_FALSE(x.grad().defined());
  }
  nn::LayerNorm norm(8);
  Tensor x = ones({2, 8}, {.requires_grad = true});
  const Tensor product = (x * norm.weight).sum(), sum = (x + norm.weight).sum();
  norm.to(kFloat64);
  EXPECT_THROW(product.backward(), AutogradError);
  sum.backward();  // saves nothing: the gradient takes the type that the parameter has now
  EXPECT_EQ(norm.weight.grad().dtype(), kFloat64);
  EXPECT_TRUE(equal(norm.weight.grad(), full({8}, 2.0, {.dtype = kFloat64})));
}

TEST(Views, LeaveABaseThatWasGivenOtherMemory) {
  nn::BatchNorm1d norm(4);
  Tensor row = norm.running_mean.view({2, 2}), w = ones({2, 2}, {.requires_grad = true});
  norm.to(kFloat64);
  row.add_(w);  // the old memory, with a history of its own
  row.sum().backward();
  EXPECT_TRUE(equal(w.grad(), ones({2, 2})));
  EXPECT_TRUE(equal(norm.running_mean, zeros({4}, {.dtype = kFloat64})));
  EXPECT_FALSE(norm.running_mean.requires_grad());
}

}  // namespace
}  // namespace gradus
