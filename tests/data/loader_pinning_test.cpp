// Batches in pinned memory.
#include <gradus/cuda.h>
#include <gradus/data.h>
#include <gradus/ops.h>
#include <gradus/ops/pinning.h>
#include <gtest/gtest.h>

#include "kernels/emulated/device.h"
#include "support/tested_device.h"

namespace gradus::data {
namespace {

const Device kTested = test::tested_device();

TEST(LoaderPinning, GivesTheSameBatchesWithoutAWait) {
  const TensorDataset dataset(randn({23, 3}), arange(23));
  for (const int workers : {0, 2}) {
    DataLoader plain(dataset, {.batch_size = 5, .shuffle = true, .num_workers = workers, .seed = 1});
    DataLoader pinning(dataset, {.batch_size = 5,
                                 .shuffle = true,
                                 .num_workers = workers,
                                 .seed = 1,
                                 .pin_memory = true,
                                 .pin_memory_device = kTested});
    std::vector<Tensor> there;
    const std::int64_t before = emulated::counters().synchronizations;
    for (auto& [x, y] : pinning) {
      EXPECT_TRUE(is_pinned(x));
      EXPECT_TRUE(is_pinned(y));
      there.push_back(to(x, kTested, {.non_blocking = true}));
      there.push_back(to(y, kTested, {.non_blocking = true}));
    }
    if (kTested.type == DeviceType::Emulated) {
      EXPECT_EQ(emulated::counters().synchronizations, before);
    }
    std::size_t i = 0;
    for (auto& [x, y] : plain) {
      EXPECT_FALSE(is_pinned(x));
      EXPECT_TRUE(equal(there[i++].cpu(), x));
      EXPECT_TRUE(equal(there[i++].cpu(), y));
    }
    EXPECT_EQ(i, there.size());
  }
}

// As in PyTorch, the option may stand in a program that also runs without a GPU.
TEST(LoaderPinning, DoesNothingWithoutADevice) {
  const TensorDataset dataset(randn({4, 3}), arange(4));
  DataLoader loader(dataset, {.batch_size = 2, .pin_memory = true, .pin_memory_device = "emulated:5"});
  for (auto& [x, y] : loader) EXPECT_FALSE(is_pinned(x));
  DataLoader defaults(dataset, {.batch_size = 2, .pin_memory = true});
  for (auto& [x, y] : defaults) EXPECT_EQ(is_pinned(x), cuda::is_available());
}

}  // namespace
}  // namespace gradus::data
