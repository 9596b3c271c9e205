// Sinks that go while passes run in other threads, or within their own calls.
#include "autograd/gradient_sink.h"

#include <gradus/autograd.h>
#include <gradus/ops.h>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace gradus {
namespace {

using detail::GradientSink;

Tensor leaf() { return ones({2}).requires_grad_(); }

// Stays in its call until it is let go.
struct Slow final : GradientSink {
  std::atomic<bool> inside{false}, release{false};
  std::atomic<int> calls{0};
  void arriving(const detail::TensorImpl*, const Tensor&) override {
    ++calls;
    inside = true;
    while (!release) std::this_thread::yield();
    inside = false;
  }
};

TEST(GradientSinks, EndingOneWaitsForTheCallsOfOtherThreads) {
  Slow slow;
  detail::add_gradient_sink(slow);
  const Tensor x = leaf();
  std::thread other([&] { (x * 2).sum().backward(); });
  while (!slow.inside) std::this_thread::yield();
  std::atomic<bool> ended{false};
  std::thread ending([&] {
    detail::end_gradient_sink(slow);
    ended = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(ended) << "the call is not over";
  slow.release = true;
  ending.join();
  EXPECT_FALSE(slow.inside);
  other.join();
}

TEST(GradientSinks, OneThatIsGoneIsNotToldByAPassThatBeganBefore) {
  struct Counting final : GradientSink {
    int begun = 0, after = 0;
    void begin(const std::function<detail::LeafUse(const detail::TensorImpl*)>&) override { ++begun; }
    void arriving(const detail::TensorImpl*, const Tensor&) override { ++after; }
    void end() override { ++after; }
  } counting;
  Slow slow;  // the pass waits here, after both have been told of its begin
  detail::add_gradient_sink(slow);
  detail::add_gradient_sink(counting);
  const Tensor x = leaf();
  std::thread other([&] { (x * 2).sum().backward(); });
  while (!slow.inside) std::this_thread::yield();
  detail::end_gradient_sink(counting);
  slow.release = true;
  other.join();
  detail::end_gradient_sink(slow);
  EXPECT_EQ(counting.begun, 1);
  EXPECT_EQ(counting.after, 0);
}

TEST(GradientSinks, OneMayEndItselfAndComeBack) {
  struct Once final : GradientSink {
    int calls = 0;
    void arriving(const detail::TensorImpl*, const Tensor&) override {
      ++calls;
      detail::end_gradient_sink(*this);  // its own call is not waited for
    }
  } once;
  const Tensor x = leaf();
  for (int i = 1; i <= 3; ++i) {
    detail::add_gradient_sink(once);
    detail::add_gradient_sink(once);  // twice is once
    (x * 2).sum().backward();
    (x * 2).sum().backward();
    EXPECT_EQ(once.calls, i);
  }
  EXPECT_EQ(detail::gradient_sinks, 0);
}

}  // namespace
}  // namespace gradus
