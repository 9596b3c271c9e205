// Each shipped recipe beside the program that one would write for it: the same bits.
#include <gradus/data/data_loader.h>
#include <gradus/data/transforms.h>
#include <gradus/models/autoencoder.h>
#include <gradus/models/lenet.h>
#include <gradus/models/resnet.h>

#include <cmath>

#include "recipe/support.h"

namespace gradus::recipe {
namespace {

namespace F = nn::functional;
namespace T = data::transforms;
namespace lr = optim::lr_scheduler;
using test::TempFolder;

// Layers are made in braces: C++ evaluates those from left to right, as Python does, and arguments in parentheses in
// any order.
void init(nn::Module& net) {
  for (auto& [name, x] : net.named_parameters())
    if (x.dim() > 1) nn::init::xavier_uniform_(x);
  for (auto& [name, x] : net.named_parameters())
    if (x.dim() == 1) nn::init::zeros_(x);
}

TEST(Twins, JointThenDecoder) {
  const auto training =
      trained("joint-then-decoder", {"phases.joint.steps=30", "phases.receiver.steps=20", "data.batch_size=32"});

  manual_seed(1);
  nn::Sequential encoder{nn::Linear(16, 128), nn::LeakyReLU(), nn::Linear(128, 7)};
  init(encoder);
  nn::Sequential decoder{nn::Linear(7, 128), nn::LeakyReLU(), nn::Linear(128, 16)};
  init(decoder);
  const auto loss = [&] {
    const Tensor message = randint(0, 16, {32});
    const Tensor code = F::normalize(encoder(one_hot(message, 16).to(kFloat32))) * std::sqrt(7.0);
    return F::cross_entropy(decoder(models::awgn(code, models::noise_sigma(4, 4, 7))), message);
  };
  auto both = encoder.parameters();
  for (const Tensor& x : decoder.parameters()) both.push_back(x);
  optim::Adam joint(both, {.lr = 1e-3});
  lr::CosineAnnealingLR joint_schedule(joint, {.T_max = 20000, .eta_min = 5e-6});
  optim::Adam receiver(decoder.parameters(), {.lr = 1e-3});
  lr::CosineAnnealingLR receiver_schedule(receiver, {.T_max = 10000, .eta_min = 5e-6});
  for (int i = 0; i < 30; ++i) {
    joint.minimize(loss());
    joint_schedule.step();
  }
  const nn::StateDict before = nn::clone(encoder).state_dict();
  for (int i = 0; i < 20; ++i) {
    receiver.minimize(loss());
    receiver_schedule.step();
  }
  expect_same(training->network("encoder"), encoder, "encoder");
  expect_same(training->network("decoder"), decoder, "decoder");
  for (const auto& [name, tensor] : before) EXPECT_TRUE(same_bits(tensor, encoder.state_dict().at(name))) << name;
}

nn::Sequential generator() {
  return nn::Sequential{nn::Linear(100, 256), nn::ReLU(),           nn::Linear(256, 256),
                        nn::ReLU(),           nn::Linear(256, 784), nn::Tanh()};
}

data::DataLoader flat_images(const TempFolder& folder, std::int64_t batch) {
  const data::FashionMNIST images(
      folder.path(), {.transform = T::Compose({T::ToTensor(), T::Normalize({0.5}, {0.5}),
                                               data::AnyTransform([](const Tensor& x) { return x.reshape({-1}); })})});
  return data::DataLoader(images, {.batch_size = batch, .shuffle = true, .drop_last = true, .seed = 1});
}

TEST(Twins, GanAlternation) {
  const TempFolder folder;
  put_fashion(folder);
  const auto training = trained("gan-alternation", {"data.dataset.root=" + folder.path(), "data.batch_size=16",
                                                    "phases.0.epochs=3", "data.num_workers=2"});
  manual_seed(1);
  nn::Sequential D{nn::Linear(784, 256), nn::LeakyReLU(0.2), nn::Linear(256, 256),
                   nn::LeakyReLU(0.2),   nn::Linear(256, 1), nn::Sigmoid()};
  nn::Sequential G = generator();
  const Tensor shown = randn({64, 100});
  optim::Adam d_optimizer(D.parameters(), {.lr = 3e-4}), g_optimizer(G.parameters(), {.lr = 3e-4});
  data::DataLoader loader = flat_images(folder, 16);
  for (int epoch = 0; epoch < 3; ++epoch) {
    for (auto& [x, y] : loader) {
      const Tensor real = D(x);
      const Tensor d_real = F::binary_cross_entropy(real, ones_like(real));
      const Tensor fake = D(G(randn({16, 100})).detach());
      d_optimizer.minimize(d_real + F::binary_cross_entropy(fake, zeros_like(fake)));
      const Tensor judged = D(G(randn({16, 100})));
      g_optimizer.minimize(F::binary_cross_entropy(judged, ones_like(judged)));
    }
  }
  expect_same(training->network("D"), D, "D");
  expect_same(training->network("G"), G, "G");
}

TEST(Twins, WganGp) {
  const TempFolder folder;
  put_fashion(folder, 60);
  const auto training =
      trained("wgan-gp", {"data.dataset.root=" + folder.path(), "data.batch_size=8", "phases.0.epochs=2"});
  manual_seed(1);
  nn::Sequential D{nn::Linear(784, 256), nn::LeakyReLU(0.2), nn::Linear(256, 256), nn::LeakyReLU(0.2),
                   nn::Linear(256, 1)};
  nn::Sequential G = generator();
  const Tensor shown = randn({64, 100});
  optim::Adam d_optimizer(D.parameters(), {.lr = 1e-4, .betas = {{0, 0.9}}});
  optim::Adam g_optimizer(G.parameters(), {.lr = 1e-4, .betas = {{0, 0.9}}});
  data::DataLoader loader = flat_images(folder, 8);
  int step = 0;
  for (int epoch = 0; epoch < 2; ++epoch) {
    for (auto& [x, y] : loader) {
      const Tensor fake = G(randn({8, 100})).detach();
      const Tensor judged = D(fake).mean(), difference = judged - D(x).mean();
      const Tensor share = rand({8, 1});
      Tensor between = (share * x + (1 - share) * fake).detach();
      between.requires_grad_(true);
      const Tensor gradient = autograd::grad({D(between).sum()}, {between}, {}, {.create_graph = true})[0];
      const Tensor penalty = square(gradient.reshape({8, -1}).norm(2, 1) - 1).mean();
      d_optimizer.minimize(difference + 10 * penalty);
      if (++step % 5 == 0) g_optimizer.minimize(-D(G(randn({8, 100}))).mean());
    }
  }
  ASSERT_EQ(step, 14);
  expect_same(training->network("D"), D, "D");
  expect_same(training->network("G"), G, "G");
}

data::DataLoader padded_images(const TempFolder& folder, std::int64_t batch) {
  const data::FashionMNIST images(
      folder.path(),
      {.transform = T::Compose({T::Pad({2}), T::Grayscale(3), T::ToTensor(), T::Normalize({0.5}, {0.5})})});
  return data::DataLoader(images, {.batch_size = batch, .shuffle = true, .seed = 1});
}

std::vector<std::string> fashion(const TempFolder& folder) {
  return {"data.dataset.root=" + folder.path(), "data.test.root=" + folder.path(), "data.batch_size=16"};
}

TEST(Twins, LeNetGroups) {
  const TempFolder folder;
  put_fashion(folder);
  auto changes = fashion(folder);
  changes.push_back("phases.0.epochs=2");
  const auto training = trained("lenet-groups", changes);

  manual_seed(1);
  models::LeNet net;
  optim::SGD sgd({{.params = net.features.parameters()}, {.params = net.classifier.parameters(), .lr = 1e-2}},
                 {.lr = 1e-3, .momentum = 0.9});
  data::DataLoader loader = padded_images(folder, 16);
  for (int epoch = 0; epoch < 2; ++epoch)
    for (auto& [x, y] : loader) sgd.minimize(F::cross_entropy(net(x), y));
  expect_same(training->network("net"), net, "net");
  EXPECT_EQ(training->rates(), (std::vector<NamedNumber>{{"sgd.net.features", 1e-3}, {"sgd.net.classifier", 1e-2}}));
}

TEST(Twins, RateByEditing) {
  const TempFolder folder;
  put_fashion(folder);
  auto changes = fashion(folder);
  changes.insert(changes.end(), {"phases.0.epochs=1", "phases.1.epochs=1"});
  const auto training = trained("rate-by-editing", changes);

  manual_seed(1);
  models::LeNet net;
  optim::SGD sgd(net.parameters(), {.lr = 0.01, .momentum = 0.9});
  data::DataLoader loader = padded_images(folder, 16);
  for (auto& [x, y] : loader) sgd.minimize(F::cross_entropy(net(x), y));
  for (auto& group : sgd.param_groups()) group.lr = *group.lr * 0.1;
  for (auto& [x, y] : loader) sgd.minimize(F::cross_entropy(net(x), y));
  expect_same(training->network("net"), net, "net");
}

TEST(Twins, RateByNewOptimizer) {
  const TempFolder folder;
  put_fashion(folder);
  auto changes = fashion(folder);
  changes.insert(changes.end(), {"phases.0.epochs=1", "phases.1.epochs=1"});
  const auto training = trained("rate-by-new-optimizer", changes);

  manual_seed(1);
  models::LeNet net;
  data::DataLoader loader = padded_images(folder, 16);
  optim::SGD first(net.parameters(), {.lr = 0.01, .momentum = 0.9});
  for (auto& [x, y] : loader) first.minimize(F::cross_entropy(net(x), y));
  optim::SGD second({{.params = net.features.parameters()}, {.params = net.classifier.parameters(), .lr = 1e-3}},
                    {.lr = 1e-5, .momentum = 0.9});
  for (auto& [x, y] : loader) second.minimize(F::cross_entropy(net(x), y));
  expect_same(training->network("net"), net, "net");
}

// Photos of 32 x 32, as tests have no time for more.
std::vector<std::string> photos(const TempFolder& folder) {
  const std::string set = "ImageFolder(root='" + folder.path() + "')";
  return {"data.dataset=" + set, "data.test=" + set, "data.held_out=0", "data.batch_size=4"};
}

TEST(Twins, GradualUnfreezing) {
  const TempFolder folder, weights;
  put_photos(folder);
  manual_seed(5);
  io::save(weights / "resnet18.pth", models::resnet18({.num_classes = 7}).state_dict());
  auto changes = photos(folder);
  changes.insert(changes.end(),
                 {"networks.net.model.num_classes=3", "networks.net.weights.file=" + weights / "resnet18.pth",
                  "data.transforms.0=RandomResizedCrop(32)", "data.test_transforms.0=Resize(32)",
                  "data.test_transforms.1=CenterCrop(32)", "phases.head.epochs=1", "phases.layer4.epochs=1",
                  "phases.layer3.epochs=1", "phases.all.epochs=1"});
  const auto training = trained("gradual-unfreezing", changes);

  manual_seed(1);
  models::ResNet net = models::resnet18({.num_classes = 3});
  net.load_state_dict(io::load_state_dict(weights / "resnet18.pth"), {.skip_mismatched = true});
  nn::freeze(net);
  const data::ImageFolder images(
      folder.path(), {.transform = T::Compose({T::RandomResizedCrop(32), T::RandomHorizontalFlip(), T::ToTensor(),
                                               T::Normalize({0.485, 0.456, 0.406}, {0.229, 0.224, 0.225})})});
  data::DataLoader loader(images, {.batch_size = 4, .shuffle = true, .seed = 1});
  optim::SGD sgd(
      optim::groups<optim::SGD>(
          net, {{"fc", {.lr = 1e-2}}, {"layer4", {.lr = 3e-3}}, {"layer3", {.lr = 1e-3}}, {"*", {.lr = 3e-4}}}),
      {.momentum = 0.9, .weight_decay = 1e-4});
  for (const char* unfrozen : {"fc", "layer4", "layer3", "*"}) {
    nn::unfreeze(net, unfrozen);
    for (auto& [x, y] : loader) sgd.minimize(F::cross_entropy(net(x), y));
  }
  expect_same(training->network("net"), net, "net");
}

TEST(Twins, AttentionHead) {
  const TempFolder folder, weights;
  put_photos(folder);
  manual_seed(5);
  io::save(weights / "resnet18.pth", models::resnet18().state_dict());
  auto changes = photos(folder);
  changes.insert(changes.end(),
                 {"networks.resnet.model=resnet18", "networks.resnet.weights.file=" + weights / "resnet18.pth",
                  "networks.f=Conv2d(512, 128, 1)", "networks.g=Conv2d(512, 128, 1)", "networks.h=Conv2d(512, 512, 1)",
                  "networks.fc=Linear(512, 3)", "data.transforms.0=Resize(36)", "data.transforms.1=CenterCrop(64)",
                  "phases.0.epochs=2"});
  const auto training = trained("attention-head", changes);

  manual_seed(1);
  models::ResNet resnet = models::resnet18();
  resnet.load_state_dict(io::load_state_dict(weights / "resnet18.pth"));
  nn::Conv2d f(512, 128, 1), g(512, 128, 1), h(512, 512, 1);
  nn::Parameter gamma(zeros({1}));
  nn::Linear fc(512, 3);
  nn::freeze(resnet);
  std::vector<Tensor> head;
  for (const nn::Module* part : std::initializer_list<const nn::Module*>{&f, &g, &h})
    for (const Tensor& x : part->parameters()) head.push_back(x);
  head.push_back(gamma);
  for (const Tensor& x : fc.parameters()) head.push_back(x);
  optim::Adam adam(head, {.lr = 1e-4, .weight_decay = 1e-5});
  const data::ImageFolder images(
      folder.path(), {.transform = T::Compose({T::Resize(36), T::CenterCrop(64), T::ToTensor(),
                                               T::Normalize({0.485, 0.456, 0.406}, {0.229, 0.224, 0.225})})});
  data::DataLoader loader(images, {.batch_size = 4, .shuffle = true, .seed = 1});
  for (int epoch = 0; epoch < 2; ++epoch) {
    for (auto& [x, y] : loader) {
      const Tensor stem = resnet.maxpool(resnet.relu(resnet.bn1(resnet.conv1(x))));
      const Tensor features = resnet.layer4(resnet.layer3(resnet.layer2(resnet.layer1(stem))));
      const Tensor attention = softmax(transpose(flatten(g(features), 2), 1, 2).matmul(flatten(f(features), 2)), -1);
      const Tensor seen = flatten(h(features), 2).matmul(transpose(attention, 1, 2));
      adam.minimize(F::cross_entropy(fc((gamma * seen + flatten(features, 2)).mean(2)), y));
    }
  }
  expect_same(training->network("resnet"), resnet, "resnet");
  expect_same(training->network("f"), f, "f");
  expect_same(training->network("h"), h, "h");
  expect_same(training->network("fc"), fc, "fc");
  EXPECT_TRUE(same_bits(training->network("gamma").parameters()[0], gamma));
  EXPECT_NE(gamma.item(), 0);
}

}  // namespace
}  // namespace gradus::recipe
