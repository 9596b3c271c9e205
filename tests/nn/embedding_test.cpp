// Embeddings with their further options: limits to norms, gradients by frequency, and tables that are there already.
#include <gradus/autograd.h>
#include <gradus/gradus.h>

#include <gmock/gmock.h>

#include "support/message.h"

namespace gradus {
namespace {

namespace F = nn::functional;
using test::message_of;
using testing::HasSubstr;

Tensor table() { return tensor({{3.0, 4.0}, {0.3, 0.4}, {6.0, 8.0}, {-5.0, 12.0}}); }

TEST(Embedding, ScalesUsedRowsToTheLargestNorm) {
  const Tensor weight = table();
  const Tensor y = F::embedding(tensor({{2, 1}, {2, 0}}), weight, {.max_norm = 2.5});
  const Tensor wanted = tensor({{1.5, 2.0}, {0.3, 0.4}, {1.5, 2.0}, {-5.0, 12.0}});
  EXPECT_TRUE(allclose(weight, wanted, 1e-6));
  EXPECT_TRUE(equal(y, weight[tensor({{2, 1}, {2, 0}})]));
  EXPECT_EQ(weight[1][0].item<float>(), 0.3F) << "a row within the limit stays as it is";

  nn::Embedding net(4, 2, {.max_norm = 7, .norm_type = 1});
  net.weight.detach().copy_(table());
  net(tensor({3})).sum().backward();  // a parameter, while gradients are recorded
  EXPECT_NEAR(abs(net.weight.detach()[3]).sum().item(), 7, 1e-5);
  EXPECT_EQ(net.weight.detach()[2][1].item(), 8);
  EXPECT_TRUE(equal(net.weight.grad()[3], ones({2})));

  nn::EmbeddingBag bag(4, 2, {.mode = "max", .max_norm = 1});
  bag.weight.detach().copy_(table());
  EXPECT_TRUE(allclose(bag(tensor({{0, 2}})), tensor({{0.6, 0.8}}), 1e-5));
  EXPECT_TRUE(allclose(bag.weight.detach()[3], table()[3]));
}

TEST(Embedding, AnErrorChangesNoRow) {
  const Tensor weight = table();
  EXPECT_THROW(F::embedding(tensor({2, 4}), weight, {.max_norm = 1}), IndexError);
  EXPECT_THAT(message_of([&] { F::embedding(tensor({2}), weight, {.padding_idx = -5, .max_norm = 1}); }),
              HasSubstr("padding_idx must be in [-4, 3], got -5"));
  EXPECT_TRUE(equal(weight, table()));
  EXPECT_EQ(F::embedding(empty({0}, {.dtype = kInt64}), weight, {.max_norm = 1}).sizes(), (Shape{0, 2}));
}

TEST(Embedding, DividesGradientsByFrequency) {
  nn::Embedding net(4, 2, {.padding_idx = 0, .scale_grad_by_freq = true});
  const Tensor y = net(tensor({1, 1, 1, 3, 0}));
  y.retain_grad();
  y.sum().backward();
  EXPECT_TRUE(allclose(net.weight.grad(), tensor({{0.0, 0.0}, {1.0, 1.0}, {0.0, 0.0}, {1.0, 1.0}})));
  EXPECT_TRUE(equal(y.grad(), ones({5, 2})));

  nn::EmbeddingBag bag(4, 2, {.mode = "sum", .scale_grad_by_freq = true});
  bag(tensor({{1, 3, 1}, {0, 1, 3}})).sum().backward();  // PyTorch divides row 3 by how often row 1 is used
  EXPECT_TRUE(allclose(bag.weight.grad(), tensor({{1.0, 1.0}, {1.0, 1.0}, {0.0, 0.0}, {1.0, 1.0}})));
}

TEST(Embedding, TakesATableThatIsThere) {
  const Tensor weights = table();
  nn::Embedding frozen = nn::Embedding::from_pretrained(weights);
  EXPECT_TRUE(equal(frozen(tensor({2, 0})), tensor({{6.0, 8.0}, {3.0, 4.0}})));
  EXPECT_FALSE(frozen.weight.requires_grad());
  EXPECT_EQ(frozen.weight.const_data_ptr(), weights.const_data_ptr());
  EXPECT_EQ(frozen.num_embeddings, 4);
  nn::Embedding trained = nn::Embedding::from_pretrained(weights, false, {.padding_idx = -1});
  EXPECT_TRUE(trained.weight.requires_grad());
  EXPECT_FALSE(weights.requires_grad());
  EXPECT_EQ(trained.padding_idx(), 3);
  EXPECT_EQ(trained.weight.detach()[3][1].item(), 12) << "no row is set to zero";
  EXPECT_EQ(trained.to_string(), "Embedding(4, 2, padding_idx=3)");

  nn::EmbeddingBag bag = nn::EmbeddingBag::from_pretrained(weights, true, {.mode = "sum"});
  EXPECT_TRUE(equal(bag(tensor({{0, 2}})), tensor({{9.0, 12.0}})));
  EXPECT_FALSE(bag.weight.requires_grad());

  EXPECT_THAT(message_of([] { nn::Embedding::from_pretrained(ones({3})); }), HasSubstr("2 dimensions, got [3]"));
  EXPECT_THROW(nn::EmbeddingBag::from_pretrained(ones({3})), ShapeError);
  EXPECT_THROW(nn::Embedding::from_pretrained(ones({3, 2}, {.dtype = kInt64})), DtypeError);
  EXPECT_THROW(nn::Embedding::from_pretrained(weights, true, {.padding_idx = 4}), IndexError);
}

TEST(ParameterContainers, IterateAndClear) {
  const nn::ParameterList list({ones({2}), ones({3})});
  std::int64_t elements = 0;
  for (const Tensor& p : list) elements += p.numel();
  EXPECT_EQ(elements, 5);
  EXPECT_FALSE(list.is_empty());
  nn::ParameterDict dict({{"a", ones({2})}, {"b", ones({3})}});
  dict.clear();
  EXPECT_EQ(dict.size(), 0U);
  EXPECT_TRUE(dict.parameters().empty());
}

}  // namespace
}  // namespace gradus
