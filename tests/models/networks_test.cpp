// The image networks: names, sizes, what they start from, what they print.
#include <gradus/models/lenet.h>
#include <gradus/models/resnet.h>

#include <gtest/gtest.h>

namespace gradus {
namespace {

std::int64_t count(const nn::Module& net) {
  std::int64_t n = 0;
  for (const Tensor& p : net.parameters()) n += p.numel();
  return n;
}

// The counts that torchvision documents.
TEST(Networks, HaveAsManyParametersAsTorchvisions) {
  EXPECT_EQ(count(models::LeNet()), 62006);
  EXPECT_EQ(count(models::resnet18()), 11689512);
  EXPECT_EQ(count(models::resnet34()), 21797672);
  EXPECT_EQ(count(models::resnet50()), 25557032);
}

TEST(Networks, AHeadIsReplacedAndTrained) {
  models::ResNet net = models::resnet18({.num_classes = 7});
  net.fc = nn::Linear(512, 3);
  EXPECT_EQ(net(randn({2, 3, 32, 32})).sizes(), (Shape{2, 3}));
  EXPECT_EQ(net.features(randn({2, 3, 33, 64})).sizes(), (Shape{2, 512, 2, 2}));
  EXPECT_EQ(net.state_dict().at("fc.weight").sizes(), (Shape{3, 512}));
}

}  // namespace
}  // namespace gradus
