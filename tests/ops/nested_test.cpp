// Tensors from nested vectors.
#include <gmock/gmock.h>
#include <gradus/ops.h>
#include <gradus/ops/creation.h>
#include <gtest/gtest.h>

#include "support/message.h"

namespace gradus {
namespace {

using test::message_of;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Nested, VectorsOfVectors) {
  const std::vector<std::vector<float>> rows{{1, 2, 3}, {4, 5, 6}};
  const Tensor x = tensor(rows);
  EXPECT_EQ(x.sizes(), (Shape{2, 3}));
  EXPECT_EQ(x.dtype(), kFloat32);
  EXPECT_THAT(x.to_vector<float>(), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(tensor(std::vector<std::vector<int>>{{1}, {2}}).dtype(), kInt64);
  EXPECT_EQ(tensor(rows, {.dtype = kFloat64, .requires_grad = true}).dtype(), kFloat64);
  const Tensor deep = tensor(std::vector<std::vector<std::vector<double>>>{{{1, 2}}, {{3, 4}}, {{5, 6}}});
  EXPECT_EQ(deep.sizes(), (Shape{3, 1, 2}));
  EXPECT_THAT(deep.to_vector<double>(), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(tensor(std::vector<std::vector<bool>>{{true, false}}).to_vector<bool>(), ElementsAre(true, false));
}

TEST(Nested, EmptyAndRaggedOnes) {
  EXPECT_EQ(tensor(std::vector<std::vector<float>>{}).sizes(), (Shape{0, 0}));
  EXPECT_EQ(tensor(std::vector<std::vector<float>>{{}, {}}).sizes(), (Shape{2, 0}));
  const std::vector<std::vector<float>> ragged{{1, 2}, {3}};
  EXPECT_THAT(message_of<ShapeError>([&] { tensor(ragged); }), HasSubstr("2"));
  EXPECT_THAT(message_of<ShapeError>([] {
                tensor(std::vector<std::vector<std::vector<int>>>{{{1}, {2}}, {{3}}});
              }),
              HasSubstr("1"));
}

}  // namespace
}  // namespace gradus
