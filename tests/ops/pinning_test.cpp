// Pinned memory, and copies to a device that nobody waits for.
#include <gradus/autograd.h>
#include <gradus/cuda.h>
#include <gradus/ops.h>
#include <gradus/ops/pinning.h>
#include <gradus/random.h>

#include <gmock/gmock.h>

#include "kernels/emulated/device.h"
#include "support/message.h"
#include "support/tested_device.h"

namespace gradus {
namespace {

using test::message_of;
using testing::HasSubstr;

const Device kTested = test::tested_device();

TEST(PinnedMemory, HoldsTheSameValues) {
  const Tensor x = randn({3, 4, 5});
  for (const Tensor& from : {x, x.transpose(0, 2), x.to(kFloat16), (x > 0), zeros({0, 3})}) {
    const Tensor y = pin_memory(from, kTested);
    EXPECT_TRUE(is_pinned(y));
    EXPECT_FALSE(is_pinned(from));
    EXPECT_TRUE(equal(y, from));
    EXPECT_EQ(y.device(), kCPU);
    EXPECT_TRUE(y.is_contiguous());
    EXPECT_TRUE(pin_memory(y, kTested).is_same(y));
    EXPECT_TRUE(equal(to(y, kTested, {.non_blocking = true}).cpu(), from));
    EXPECT_TRUE(equal(y.to(kTested).cpu(), from));
  }
  const Tensor y = x.pin_memory(kTested);
  EXPECT_TRUE(y.is_pinned() && !x.is_pinned());
  EXPECT_TRUE(equal(y.to(kTested, {.non_blocking = true}).cpu(), x));
  EXPECT_TRUE(is_pinned(y[1])) << "a part of pinned memory";
  EXPECT_TRUE(equal(to(y[1], kTested, {.non_blocking = true}).cpu(), x[1]));
  EXPECT_TRUE(equal(to(y.transpose(1, 2), kTested, {.non_blocking = true}).cpu(), x.transpose(1, 2)));
  EXPECT_FALSE(is_pinned(Tensor()));
}

TEST(PinnedMemory, IsKeptUntilTheCopyIsDone) {
  if (kTested.type != DeviceType::Emulated) GTEST_SKIP() << "only the emulated device counts";
  emulated::set_delays(200);
  const emulated::Counters before = emulated::counters();
  std::vector<Tensor> there;
  for (int i = 0; i < 50; ++i) {
    // The pinned memory is let go at once, and would be the next one's.
    there.push_back(to(pin_memory(full({1000}, i), kTested), kTested, {.non_blocking = true}));
  }
  EXPECT_EQ(emulated::counters().synchronizations, before.synchronizations);
  EXPECT_EQ(emulated::counters().pinned_copies, before.pinned_copies + 50);
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(equal(there[static_cast<std::size_t>(i)].cpu(), full({1000}, i)));
  emulated::set_delays(0);
  // Other memory is copied before the call returns, and the CPU's own is not copied at all.
  const Tensor x = ones({3});
  to(x, kTested, {.non_blocking = true});
  EXPECT_TRUE(to(x, kCPU, {.non_blocking = true}).is_same(x));
  EXPECT_EQ(emulated::counters().pinned_copies, before.pinned_copies + 50);
}

TEST(PinnedMemory, GradientsComeBack) {
  const Tensor x = pin_memory(ones({3}), kTested).requires_grad_();
  (to(x, kTested, {.non_blocking = true}) * 3).sum().backward();
  EXPECT_TRUE(equal(x.grad(), full({3}, 3.0)));
}

TEST(PinnedMemory, NeedsADeviceAndTheCpusTensors) {
  EXPECT_THAT(message_of([] { pin_memory(ones({2}).to(kTested), kTested); }),
              HasSubstr("pin_memory: needs a tensor on the CPU"));
  EXPECT_THAT(message_of([] { pin_memory(Tensor(), kTested); }), HasSubstr("an undefined one"));
  EXPECT_THAT(message_of([] { pin_memory(ones({2}), kCPU); }), HasSubstr("and another device"));
  EXPECT_THAT(message_of([] { pin_memory(ones({2}), "emulated:3"); }),
              HasSubstr("pin_memory: there is no device emulated:3"));
  if (!cuda::is_available()) {
    EXPECT_THAT(message_of([] { pin_memory(ones({2})); }), HasSubstr("there is no device cuda:0"));
  }
}

}  // namespace
}  // namespace gradus
