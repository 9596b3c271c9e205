// The emulated device itself: memory out of reach, a queue, errors that come late.
#include "kernels/emulated/device.h"

#include <gradus/autograd.h>
#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "support/message.h"

namespace gradus {
namespace {

using test::message_of;

const Device kEmulated("emulated");

TEST(Emulated, HasEveryKernel) {
  const Kernels* tables[] = {&emulated::kernels(), &cpu_kernels};
  for (const Kernels* table : tables) {
    using Function = void (*)();
    static_assert(sizeof(Kernels) % sizeof(Function) == 0);
    for (std::size_t i = 0; i < sizeof(Kernels) / sizeof(Function); ++i) {
      Function function;
      std::memcpy(&function, reinterpret_cast<const std::byte*>(table) + i * sizeof function, sizeof function);
      // A device without kernels of its own for attention makes it of others.
      const bool of_others = i * sizeof(Function) == offsetof(Kernels, attention) ||
                             i * sizeof(Function) == offsetof(Kernels, attention_backward);
      if (table == &cpu_kernels || !of_others) {
        EXPECT_NE(function, nullptr) << i;
      }
    }
  }
}

TEST(Emulated, CopiesThereAndBack) {
  const Tensor x = tensor({{1.5f, -2.0f}, {3.0f, 4.0f}}), y = x.to(kEmulated);
  EXPECT_EQ(y.device(), kEmulated);
  EXPECT_TRUE(y.to(kEmulated).is_same(y));
  EXPECT_EQ(y.cpu().to_vector<float>(), x.to_vector<float>());
  EXPECT_EQ(y.t().cpu().to_vector<float>(), (std::vector<float>{1.5f, 3, -2, 4}));
  EXPECT_EQ((y[{1, 0}].item<float>()), 3);
  EXPECT_EQ(y.to_string(), "tensor([[ 1.5000, -2.0000],\n        [ 3.0000,  4.0000]], device='emulated')");
  EXPECT_EQ(tensor(7, {.device = kEmulated}).item<int>(), 7);
  EXPECT_EQ(zeros({0, 3}, {.device = kEmulated}).cpu().numel(), 0);
  for (const Dtype dtype : {kBool, kUInt8, kInt16, kInt64, kBFloat16, kFloat16, kFloat64})
    EXPECT_EQ(ones({3}, {.dtype = dtype, .device = kEmulated}).cpu().to_vector<double>(), std::vector<double>(3, 1.0));
}

TEST(Emulated, KeepsChannelsLastOnTheWay) {
  const Tensor x = rand({2, 3, 4, 5}).permute({0, 2, 3, 1}).contiguous().permute({0, 3, 1, 2});
  const Tensor y = x.to(kEmulated);
  EXPECT_EQ(to_string(y.strides()), to_string(x.strides()));
  EXPECT_EQ(y.to_vector<float>(), x.to_vector<float>());
}

TEST(Emulated, GradientsCrossDevices) {
  const Tensor x = tensor({1.0, 2.0}, {.dtype = kFloat64, .requires_grad = true});
  (x.to(kEmulated) * 3).cpu().sum().backward();
  EXPECT_EQ(x.grad().device(), kCPU);
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{3, 3}));
}

TEST(Emulated, RefusesTensorsOfSeveralDevices) {
  const Tensor here = ones({2, 3}), there = ones({3, 2}, {.device = kEmulated});
  EXPECT_EQ(message_of([&] { mm(here, there); }),
            "mm: all tensors must be on one device, got [2, 3] on cpu and [3, 2] on emulated");
  EXPECT_EQ(message_of([&] { here + there.t(); }),
            "add: all tensors must be on one device, got [2, 3] on cpu and [2, 3] on emulated");
  EXPECT_EQ(message_of([&] { there.clone().t().add_(here); }),
            "add: all tensors must be on one device, got [2, 3] on emulated and [2, 3] on cpu");
  EXPECT_EQ(message_of([&] {
              cat(std::vector<Tensor>{here, there.t()}, 0);
            }),
            "cat: all tensors must be on one device, got [2, 3] on cpu and [2, 3] on emulated");
  Tensor leaf = here.clone().requires_grad_();
  EXPECT_EQ(message_of([&] { leaf.set_grad(there.t()); }),
            "set_grad: the gradient must be on cpu, got one on emulated");
  // A number may come from the CPU, as in PyTorch; not one that is elsewhere.
  EXPECT_EQ((there * tensor(2.0f)).cpu().to_vector<float>(), std::vector<float>(6, 2));
  EXPECT_EQ((tensor(2.0f) - there).device(), kEmulated);
  EXPECT_NE(message_of([&] { here* tensor(2.0f, {.device = kEmulated}); }), "no exception");
  EXPECT_EQ(here.clone().copy_(there.t()).to_vector<float>(), std::vector<float>(6, 1));
}

TEST(EmulatedDeathTest, MemoryIsOutOfTheHostsReach) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        const Tensor x = ones({4}, {.device = "emulated"});
        synchronize("emulated");
        const volatile float read = x.const_data_ptr<float>()[0];
        static_cast<void>(read);
      },
      "");
}

TEST(Emulated, FreshMemoryHoldsNoNumbers) {
  const Tensor x = empty({5}, {.device = kEmulated});
  for (const float v : x.to_vector<float>()) EXPECT_TRUE(std::isnan(v));
}

TEST(Emulated, WorksWhileTheHostGoesOn) {
  emulated::set_delays(300);
  const auto before = emulated::counters();
  Tensor x = ones({64, 64}, {.device = kEmulated});
  for (int i = 0; i < 50; ++i) x = relu(x * 1.01f - 0.001f);
  const auto asked = emulated::counters();
  EXPECT_GE(asked.launches - before.launches, 100);
  EXPECT_EQ(asked.synchronizations, before.synchronizations);
  const float there = x.sum().item<float>();
  EXPECT_EQ(emulated::counters().synchronizations, before.synchronizations + 1);
  emulated::set_delays(0);
  Tensor y = ones({64, 64});
  for (int i = 0; i < 50; ++i) y = relu(y * 1.01f - 0.001f);
  EXPECT_FLOAT_EQ(there, y.sum().item<float>());
}

TEST(Emulated, ErrorsOfKernelsComeWhenItIsWaitedFor) {
  const Tensor x = ones({3, 2}, {.device = kEmulated}), index = tensor({0, 5}, {.device = kEmulated});
  const Tensor y = index_select(x, 0, tensor({0, 2}, {.device = kEmulated}));
  EXPECT_EQ(y.cpu().numel(), 4);
  // Nothing is read out of range, whatever the index holds: what comes of it is dropped with the error.
  kernels(kEmulated).check_index(index.const_data_ptr<std::int64_t>(), index.sizes(),
                                 {.call = "embedding", .low = 0, .high = 3});
  EXPECT_EQ(message_of([] { synchronize("emulated"); }), "embedding: index must be in [0, 3), got 5 at position [1]");
  EXPECT_NO_THROW(synchronize("emulated"));  // said once
}

TEST(Emulated, SaysWhatDoesNotFit) {
  emulated::set_limit(std::size_t{1} << 20);
  const std::string said = message_of([] {
    const Tensor x = ones({100, 1000}, {.device = "emulated"});
    mm(x.t(), x);
  });
  emulated::set_limit(0);
  EXPECT_NE(said.find("mm of [1000, 100] and [100, 1000]"), std::string::npos) << said;
  EXPECT_NE(said.find("asked for 4000000 bytes"), std::string::npos) << said;
  EXPECT_NE(said.find("on the emulated device, which has 1048576 bytes"), std::string::npos) << said;
  EXPECT_EQ(ones({1000, 1000}, {.device = "emulated"}).sum().item(), 1e6);
}

TEST(Emulated, SaysThatItIsLost) {
  const Tensor x = ones({3}, {.device = "emulated"});
  emulated::set_lost(true);
  const std::string ran = message_of([&] { x + x; }), waited = message_of([] { synchronize("emulated"); });
  emulated::set_lost(false);
  EXPECT_NE(ran.find("the device is lost"), std::string::npos) << ran;
  EXPECT_NE(waited.find("the device is lost"), std::string::npos) << waited;
}

TEST(Emulated, RandomNumbersAreTheCpus) {
  Generator a(5), b(5);
  EXPECT_EQ(randn({1000}, {}, &a).to_vector<float>(), randn({1000}, {.device = kEmulated}, &b).to_vector<float>());
  EXPECT_EQ(randperm(100, {}, &a).to_vector<std::int64_t>(),
            randperm(100, {.device = kEmulated}, &b).to_vector<std::int64_t>());
  EXPECT_EQ(empty({50}).bernoulli_(0.3, &a).to_vector<float>(),
            empty({50}, {.device = kEmulated}).bernoulli_(0.3, &b).to_vector<float>());
}

TEST(Emulated, KernelsAreGivenNoMemoryOfTheHost) {
  float here[4] = {};
  EXPECT_EQ(message_of([&] { kernels(kEmulated).zero(here, sizeof here); }),
            "emulated: a kernel of the emulated device was given memory of another device");
}

}  // namespace
}  // namespace gradus
