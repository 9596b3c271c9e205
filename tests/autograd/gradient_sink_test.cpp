// What a gradient sink is told, and when.
#include "autograd/gradient_sink.h"

#include <gradus/autograd.h>
#include <gradus/ops.h>

#include <gtest/gtest.h>

namespace gradus {
namespace {

struct Told final : detail::GradientSink {
  std::vector<std::string> calls;

  Told() { detail::add_gradient_sink(*this); }
  ~Told() override { detail::remove_gradient_sink(*this); }
  void arriving(const detail::TensorImpl* leaf, const Tensor& grad) override {
    const Tensor before{leaf->grad};
    calls.push_back("arriving " + std::to_string(static_cast<int>(grad.sum().item())) + ", before " +
                    (before.defined() ? std::to_string(static_cast<int>(before.sum().item())) : "nothing"));
  }
  void complete(const detail::TensorImpl* leaf) override {
    calls.push_back("complete " + std::to_string(static_cast<int>(Tensor{leaf->grad}.sum().item())));
  }
  void end() override { calls.push_back("end"); }
};

TEST(GradientSink, IsToldWhatArrivesBeforeItIsAdded) {
  const Tensor x = ones({2}, {.requires_grad = true});
  x.register_hook([](const Tensor& g) { return g * 10; });
  {
    Told told;
    (x * 3).sum().backward();
    (x * 4).sum().backward();
    EXPECT_EQ(told.calls, (std::vector<std::string>{"arriving 60, before nothing", "complete 60", "end",
                                                    "arriving 80, before 60", "complete 140", "end"}));
  }
  (x * 4).sum().backward();  // nobody is told any more
  EXPECT_EQ(x.grad().sum().item(), 220);
}

TEST(GradientSink, IsNotToldOfGradientsThatAreGivenBack) {
  const Tensor x = ones({2}, {.requires_grad = true});
  Told told;
  EXPECT_EQ(autograd::grad({(x * 3).sum()}, {x})[0].sum().item(), 6);
  EXPECT_TRUE(told.calls.empty());
}

}  // namespace
}  // namespace gradus
