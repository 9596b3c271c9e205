#include "gradus/data/feature_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "gradus/autograd.h"
#include "gradus/core/error.h"
#include "gradus/data.h"
#include "gradus/nn.h"
#include "gradus/optim/sgd.h"
#include "support/message.h"
#include "support/temp_folder.h"

namespace gradus::data {
namespace {

namespace fs = std::filesystem;
using test::message_of;
using test::TempFolder;
using testing::HasSubstr;

struct Net : nn::Module {
  nn::Sequential backbone = add("backbone", nn::Sequential(nn::Linear(6, 16), nn::ReLU(), nn::Dropout(0.5)));
  nn::Linear head = add("head", nn::Linear(16, 3));
  Tensor forward(const Tensor& x) override { return head(backbone(x)); }
};

Net frozen_net() {
  Generator generator(3);
  Net net;
  NoGrad guard;
  for (Tensor& p : net.parameters()) p.uniform_(-0.5, 0.5, &generator);
  nn::freeze(net.backbone);
  return net;
}

TensorDataset samples(std::int64_t n = 50) {
  Generator generator(4);
  return {rand({n, 6}, {}, &generator), randint(0, 3, {n}, {}, &generator)};
}

// The head's weights after some training on what `loader` gives.
template <class Forward>
std::vector<double> train(Net& net, DataLoader& loader, const Forward& forward) {
  optim::SGD optimizer(net.head.parameters(), {.lr = 0.1});
  for (int epoch = 0; epoch < 3; ++epoch)
    for (auto& [x, y] : loader) optimizer.minimize(nn::functional::cross_entropy(forward(x), y));
  return net.head.weight.to_vector<double>();
}

TEST(FeatureCache, TrainsToTheSameBits) {
  const TempFolder folder;
  const DataLoaderOptions options{.batch_size = 10, .shuffle = true, .seed = 8};
  Net plain = frozen_net();
  DataLoader loader(samples(), options);
  const auto expected = train(plain, loader, [&](const Tensor& x) { return plain(x); });
  for (const bool there : {false, true}) {
    Net cached = frozen_net();
    const FeatureCache features(samples(), cached.backbone, {.folder = folder.path(), .batch_size = 10});
    EXPECT_EQ(features.was_there(), there);
    DataLoader from_cache(features, options);
    EXPECT_EQ(train(cached, from_cache, [&](const Tensor& x) { return cached.head(x); }), expected);
  }
}

TEST(FeatureCache, IsADataset) {
  const TempFolder folder;
  Net net = frozen_net();
  const FeatureCache features(samples(7), net.backbone,
                              {.folder = folder / "new/cache", .batch_size = 3, .num_workers = 2});
  EXPECT_EQ(features.size(), 7);
  const Sample sample = features.get(5);
  EXPECT_TRUE(equal(sample.data.unsqueeze(0), net.backbone(samples(7).get(5).data.unsqueeze(0))));
  EXPECT_TRUE(equal(sample.target, samples(7).get(5).target));
  EXPECT_FALSE(features.is_random());
  EXPECT_NE(features.identity(), "");
  EXPECT_THROW(features.get(7), IndexError);
  const FeatureCache bare(TensorDataset(rand({4, 6})), net.backbone, {.folder = folder.path()});
  EXPECT_FALSE(bare.get(0).target.defined());
}

TEST(FeatureCache, AnyChangeMakesANewOne) {
  const TempFolder folder;
  Net net = frozen_net();
  const auto there = [&](AnyDataset dataset, FeatureCacheOptions options = {}) {
    options.folder = folder.path();
    return FeatureCache(std::move(dataset), net.backbone, options).was_there();
  };
  EXPECT_FALSE(there(samples()));
  EXPECT_TRUE(there(samples()));
  EXPECT_FALSE(there(samples(51)));
  EXPECT_FALSE(there(samples(), {.variant = "b"}));
  EXPECT_FALSE(there(Subset(samples(), {1, 2})));
  {
    NoGrad guard;
    net.backbone.parameters()[1].add_(1e-6);
  }
  EXPECT_FALSE(there(samples()));
  EXPECT_TRUE(there(samples()));
}

TEST(FeatureCache, RefusesWhatDoesNotStandStill) {
  const TempFolder folder;
  const FeatureCacheOptions options{.folder = folder.path()};
  const auto refusal = [&](AnyDataset dataset, nn::Module& backbone) {
    return message_of<ValueError>([&] { FeatureCache(std::move(dataset), backbone, options); });
  };
  Net net = frozen_net();
  EXPECT_THAT(refusal(Transformed(samples(), {.transform = transforms::RandomHorizontalFlip()}), net.backbone),
              HasSubstr("random transform"));
  EXPECT_THAT(
      refusal(FunctionDataset(2, [](std::int64_t) { return Sample(zeros({6})); }, {.random = false}), net.backbone),
      HasSubstr("identity"));
  EXPECT_THAT(refusal(samples(0), net.backbone), HasSubstr("at least one sample"));
  Net training;
  EXPECT_THAT(refusal(samples(), training.backbone), HasSubstr("0.weight requires a gradient"));
  training.backbone.requires_grad_(false);
  EXPECT_THAT(refusal(samples(), training.backbone), HasSubstr("trains; call backbone.eval()"));
  EXPECT_EQ(folder.entries(), 0u);
  training.backbone.eval();
  EXPECT_EQ(FeatureCache(samples(), training.backbone, options).size(), 50);
  EXPECT_THROW(FeatureCache(samples(), training.backbone, {}), ValueError);
  EXPECT_THROW(FeatureCache(samples(), training.backbone,
                            {.folder = folder.path(), .forward = [](const Tensor& x) { return x; }}),
               ValueError);
}

TEST(FeatureCache, StaysWithinItsBound) {
  const TempFolder folder;
  Net net = frozen_net();
  // 50 samples of 16 float32 features and a target of 8 bytes: 3600 bytes, and two headers.
  EXPECT_THAT(message_of<ValueError>(
                  [&] { FeatureCache(samples(), net.backbone, {.folder = folder.path(), .max_bytes = 3000}); }),
              HasSubstr("more than max_bytes = 3000"));
  EXPECT_EQ(folder.entries(), 0u);
  const auto make = [&](const std::string& variant) {
    return FeatureCache(samples(), net.backbone, {.folder = folder.path(), .max_bytes = 16000, .variant = variant});
  };
  const FeatureCache a = make("a");
  make("b");
  fs::last_write_time(folder / ("features-" + a.key() + ".npy"),
                      fs::file_time_type::clock::now() - std::chrono::hours(1));
  fs::last_write_time(folder / ("targets-" + a.key() + ".npy"),
                      fs::file_time_type::clock::now() - std::chrono::hours(1));
  make("c");
  EXPECT_EQ(folder.entries(), 4u);
  EXPECT_TRUE(make("c").was_there());
  EXPECT_FALSE(fs::exists(folder / ("features-" + a.key() + ".npy")));
  // What is mapped stays readable.
  EXPECT_TRUE(equal(a.features(), make("a").features()));
}

TEST(FeatureCache, MakesDamagedFilesAgain) {
  const TempFolder folder;
  Net net = frozen_net();
  const FeatureCacheOptions options{.folder = folder.path()};
  const FeatureCache first(samples(), net.backbone, options);
  const std::string path = folder / ("features-" + first.key() + ".npy");
  const Tensor expected = first.features().clone();
  test::put_file(path + ".short", test::file_bytes(path).substr(0, 1000));
  fs::rename(path + ".short", path);
  const FeatureCache again(samples(), net.backbone, options);
  EXPECT_FALSE(again.was_there());
  EXPECT_TRUE(equal(again.features(), expected));
}

TEST(FeatureCache, LeavesNothingBehindWhenItFails) {
  const TempFolder folder;
  Net net = frozen_net();
  const FunctionDataset failing(100,
                                [](std::int64_t i) -> Sample {
                                  if (i == 90) throw IoError("damaged");
                                  return {zeros({6}), i};
                                },
                                {.random = false, .identity = "failing"});
  EXPECT_THAT(message_of<IoError>([&] { FeatureCache(failing, net.backbone, {.folder = folder.path()}); }),
              HasSubstr("sample 90"));
  EXPECT_EQ(folder.entries(), 0u);
}

}  // namespace
}  // namespace gradus::data
