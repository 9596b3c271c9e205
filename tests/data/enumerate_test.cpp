#include <gradus/data.h>
#include <gradus/data/enumerate.h>
#include <gradus/nn.h>
#include <gradus/ops.h>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gradus {
namespace {

TEST(Enumerate, NumbersTheBatchesOfEveryEpoch) {
  data::TensorDataset dataset({arange(10), arange(10) * 2});
  data::DataLoader loader(dataset, {.batch_size = 4});
  for (int epoch = 0; epoch < 2; ++epoch) {
    std::int64_t expected = 0;
    for (auto [i, batch] : enumerate(loader)) {
      auto& [x, y] = batch;
      EXPECT_EQ(i, expected++);
      EXPECT_EQ(x[0].item<std::int64_t>(), 4 * i);
      EXPECT_TRUE(equal(y, x * 2));
    }
    EXPECT_EQ(expected, 3);
  }
}

TEST(Enumerate, ElementsAreReferencesAndTemporariesLive) {
  std::vector<int> numbers = {1, 2, 3};
  for (auto [i, n] : enumerate(numbers, 10)) n += static_cast<int>(i);
  EXPECT_EQ(numbers, (std::vector<int>{11, 13, 15}));
  std::string text;
  for (auto [i, word] : enumerate(std::vector<std::string>{"a", "b"})) text += word + std::to_string(i);
  EXPECT_EQ(text, "a0b1");
  nn::Sequential net(nn::Linear(2, 2), nn::Linear(2, 2));
  for (auto [i, p] : enumerate(net.parameters())) p.requires_grad_(i >= 2);
  EXPECT_FALSE(net.parameters()[1].requires_grad());
  EXPECT_TRUE(net.parameters()[2].requires_grad());
  for (auto [i, nothing] : enumerate(std::vector<int>())) FAIL() << i << nothing;
}

}  // namespace
}  // namespace gradus
