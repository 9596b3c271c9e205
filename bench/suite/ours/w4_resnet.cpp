// W4: ResNet-50 on 8 images of 224 x 224. A full step trains all of it; a frozen one a new head on a frozen backbone;
// an attention step the article's self-attention over the frozen backbone's features; a cached one the new head from
// features that were kept, as from the second epoch on.
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "ours/workloads.h"

namespace suite {
namespace {

using namespace gradus;
namespace F = nn::functional;

constexpr std::int64_t kBatch = 8, kWidth = 2048;

struct Attention : nn::Module {
  models::ResNet resnet;
  nn::Conv2d f = nn::Conv2d(kWidth, kWidth / 8, 1), g = nn::Conv2d(kWidth, kWidth / 8, 1);
  nn::Conv2d h = nn::Conv2d(kWidth, kWidth, 1);
  nn::Parameter gamma = nn::Parameter(zeros({1}));
  nn::Linear fc = nn::Linear(kWidth, 10);

  explicit Attention(models::ResNet backbone) : resnet(add("resnet", std::move(backbone))) {
    nn::freeze(resnet);
    f = add("f", f);
    g = add("g", g);
    h = add("h", h);
    gamma = add("gamma", gamma);
    fc = add("fc", fc);
  }
  Tensor forward(const Tensor& images) override {
    const Tensor x = resnet.features(images);
    const Tensor seen = softmax(bmm(transpose(flatten(f(x), 2), 1, 2), flatten(g(x), 2)), -1);
    const Tensor y = gamma * reshape(bmm(flatten(h(x), 2), seen), x.sizes()) + x;
    return fc(flatten(resnet.avgpool(y), 1));
  }
};

struct Training {
  std::shared_ptr<nn::Module> net;
  Tensor x, labels;
  std::unique_ptr<optim::SGD> optimizer;
  bool half;

  Training(const std::string& part, bool bfloat16) : half(bfloat16) {
    models::ResNet resnet = models::resnet50();
    if (part == "frozen") {
      nn::freeze(resnet);
      resnet.fc = nn::Linear(kWidth, 10);
    }
    if (part == "attention") {
      net = std::make_shared<Attention>(std::move(resnet));
    } else {
      net = std::make_shared<models::ResNet>(std::move(resnet));
    }
    set_weights(*net);
    x = numbers_like({kBatch, 3, 224, 224}, 1000, 1);
    labels = remainder(arange(kBatch), tensor(10));
    std::vector<Tensor> trained;
    for (const Tensor& p : net->parameters())
      if (p.requires_grad()) trained.push_back(p);
    optimizer = std::make_unique<optim::SGD>(trained, optim::SGDOptions{.lr = 1e-4, .momentum = 0.9});
  }

  Tensor step() {
    optimizer->zero_grad();
    Tensor loss;
    {
      const Autocast scope(kBFloat16, half);
      loss = F::cross_entropy((*net)(x), labels);
    }
    loss.backward();
    optimizer->step();
    return loss;
  }
};

Case make(const std::string& part, bool half) {
  const auto training = std::make_shared<Training>(part, half);
  return {.step = [=] { training->step(); }, .losses = [=] { return losses_of(3, [&] { return training->step(); }); }};
}

// The head over the features of 64 images.
struct CachedTraining {
  static constexpr std::int64_t kImages = 64;
  std::filesystem::path folder = std::filesystem::temp_directory_path() / ("gradus-w4-" + std::to_string(::getpid()));
  models::ResNet resnet = models::resnet50();
  data::FeatureCache cache = features();
  nn::Linear head = nn::Linear(kWidth, 10);
  optim::SGD optimizer = optim::SGD(head.parameters(), {.lr = 1e-4, .momentum = 0.9});
  std::int64_t next = 0;

  ~CachedTraining() {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }

  data::FeatureCache features() {
    set_weights(resnet);
    nn::freeze(resnet);
    resnet.eval();
    const Tensor images = numbers_like({kImages, 3, 224, 224}, 1000, 1);
    return {data::TensorDataset(images, remainder(arange(kImages), tensor(10))),
            resnet,
            {.folder = folder.string(),
             .batch_size = kBatch,
             .forward = [this](const Tensor& x) { return flatten(resnet.avgpool(resnet.features(x)), 1); },
             .variant = "pooled features"}};
  }

  void step() {
    std::vector<std::int64_t> indices;
    for (std::int64_t i = 0; i < kBatch; ++i) indices.push_back((next + i) % kImages);
    next += kBatch;
    const data::Batch batch = cache.get_batch(indices);
    optimizer.zero_grad();
    F::cross_entropy(head(batch.data), batch.target).backward();
    optimizer.step();
  }
};

Case make_cached() {
  const auto training = std::make_shared<CachedTraining>();
  return {.step = [=] { training->step(); }};
}

Makers all() {
  Makers makers;
  for (const std::string part : {"full", "frozen", "attention"}) {
    for (const bool half : {false, true}) {
      makers.push_back({part + (half ? "/bfloat16" : "/float32"), [=] { return make(part, half); }});
    }
  }
  makers.push_back({"cached/float32", make_cached});
  return makers;
}

const bool added = add("w4", all());

}  // namespace
}  // namespace suite
