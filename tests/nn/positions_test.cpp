// Arguments by position, as PyTorch programs write them.
#include <gmock/gmock.h>
#include <gradus/gradus.h>
#include <gtest/gtest.h>

namespace gradus::nn {
namespace {

using testing::HasSubstr;

TEST(Positions, StrideAndPaddingOfConvolutions) {
  const Tensor x = randn({1, 3, 9, 9});
  const auto sizes = [&](auto layer) { return layer(x).sizes(); };
  EXPECT_EQ(sizes(Conv2d(3, 4, 3, 2)), (Shape{1, 4, 4, 4}));
  EXPECT_EQ(sizes(Conv2d(3, 4, 3, 2, 1)), (Shape{1, 4, 5, 5}));
  EXPECT_EQ(sizes(Conv2d(3, 4, 3, 1, "same")), (Shape{1, 4, 9, 9}));
  EXPECT_EQ(sizes(Conv2d(3, 4, 3, {2, 1})), (Shape{1, 4, 4, 7}));
  EXPECT_EQ(sizes(Conv2d(3, 4, {3, 3}, {2, 2}, {1, 1})), (Shape{1, 4, 5, 5}));
  EXPECT_EQ(sizes(Conv2d(3, 4, 3, {2})), (Shape{1, 4, 4, 4}));
  EXPECT_EQ(sizes(Conv2d(3, 4, 3, {.stride = 2})), (Shape{1, 4, 4, 4}));
  EXPECT_EQ(sizes(Conv2d(3, 4, 3, {})), (Shape{1, 4, 7, 7}));
  EXPECT_FALSE(Conv2d(3, 4, 4, 2, 1, {.bias = false}).bias.defined());
  EXPECT_EQ(Conv2d(3, 4, 4, 2, 1).to_string(), "Conv2d(3, 4, kernel_size=(4, 4), stride=(2, 2), padding=(1, 1))");
  EXPECT_EQ(sizes(ConvTranspose2d(3, 4, 4, 2, 1, {.bias = false})), (Shape{1, 4, 18, 18}));
  EXPECT_EQ(Conv1d(3, 4, 3, 2)(ones({1, 3, 9})).size(2), 4);
}

TEST(Positions, StrideAndPaddingOfPooling) {
  const Tensor x = randn({1, 3, 9, 9});
  const auto sizes = [&](auto layer) { return layer(x).sizes(); };
  EXPECT_EQ(sizes(MaxPool2d(3, 2)), (Shape{1, 3, 4, 4}));
  EXPECT_EQ(sizes(MaxPool2d(3, 2, 1)), (Shape{1, 3, 5, 5}));
  EXPECT_EQ(sizes(MaxPool2d({3, 3}, {1, 1})), (Shape{1, 3, 7, 7}));  // not a stride and a padding of 1
  EXPECT_EQ(sizes(MaxPool2d(2, 2, 0, {.ceil_mode = true})), (Shape{1, 3, 5, 5}));
  EXPECT_EQ(sizes(MaxPool2d(3, {.stride = 2})), (Shape{1, 3, 4, 4}));
  EXPECT_EQ(sizes(AvgPool2d(7, 1)), (Shape{1, 3, 3, 3}));
  EXPECT_EQ(sizes(AvgPool2d(3, {2, 1}, 1)), (Shape{1, 3, 5, 9}));
  EXPECT_THAT(MaxPool2d(2, 2).to_string(), HasSubstr("kernel_size=2, stride=2, padding=0"));
}

TEST(Positions, RecurrentLayers) {
  EXPECT_EQ(LSTM(10, 20, 2).to_string(), "LSTM(10, 20, num_layers=2)");
  EXPECT_EQ(GRU(10, 20, 2, {.batch_first = true}).to_string(), "GRU(10, 20, num_layers=2, batch_first=True)");
  EXPECT_EQ(RNN(3, 4, 3).parameters().size(), 12U);
}

}  // namespace
}  // namespace gradus::nn
