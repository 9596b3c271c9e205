// Image networks, for docs/networks.md.
// Usage: networks [FOLDER FOR FILES]
#include <gradus/gradus.h>

#include <cstdio>

using namespace gradus;
namespace F = nn::functional;

// A block of your own. add() registers a member under its name.
struct ResidualBlock : nn::Module {
  nn::Conv2d conv1 = add("conv1", nn::Conv2d(16, 16, 3, {.padding = 1, .bias = false}));
  nn::BatchNorm2d bn1 = add("bn1", nn::BatchNorm2d(16));
  nn::ReLU relu = add("relu", nn::ReLU(true));
  nn::Conv2d conv2 = add("conv2", nn::Conv2d(16, 16, 3, {.padding = 1, .bias = false}));
  nn::BatchNorm2d bn2 = add("bn2", nn::BatchNorm2d(16));
  Tensor forward(const Tensor& x) override { return relu(nn::chain(x, conv1, bn1, relu, conv2, bn2) + x); }
};

// A module with two inputs: operator() declares what a call takes.
struct Gate : nn::Module {
  nn::Linear weight = add("weight", nn::Linear(16, 16));
  using nn::Module::forward;
  Tensor forward(const Tensor& x, const Tensor& y) { return x * sigmoid(weight(y)); }
  Tensor operator()(const Tensor& x, const Tensor& y) {
    return call([&] { return forward(x, y); });
  }
};

void layers() {
  nn::Sequential net(nn::Conv2d(3, 16, {3, 5}, {.padding = "same"}), ResidualBlock(), nn::MaxPool2d(2),
                     nn::AdaptiveAvgPool2d(1), nn::Flatten(), nn::Linear(16, 10));
  std::printf("%s\n", net.to_string().c_str());
  net(randn({4, 3, 12, 12}));
  Gate gate;
  const Tensor x = randn({4, 16});
  gate(x, x);
}

// `file` holds a state dict with torchvision's names.
void fine_tune(const std::string& file) {
  models::ResNet net = models::resnet18();
  const nn::LoadReport report = net.load_state_dict(io::load_state_dict(file));
  std::printf("%s\n", report.to_string().c_str());

  nn::freeze(net);              // no gradients, and no statistics that drift
  net.fc = nn::Linear(512, 5);  // a new head, which is trained
  optim::SGD optimizer(net.fc.parameters(), {.lr = 0.1, .momentum = 0.9});
  net.train();
  const Tensor images = randn({2, 3, 64, 64}), labels = tensor({1, 4});
  for (int step = 0; step < 3; ++step) {
    const Tensor loss = F::cross_entropy(net(images), labels);
    optimizer.minimize(loss);
    std::printf("loss %.4f\n", loss.item());
  }
}

void attention() {
  models::ResNetAttention net(models::resnet50());  // or a loaded one: std::move(pretrained)
  optim::Adam optimizer(optim::filter(net.parameters(), [](auto& p) { return p.requires_grad(); }),
                        {.lr = 0.0001, .betas = {0.9, 0.999}, .eps = 1e-08, .weight_decay = 1e-5});
  std::printf("the article's network trains %zu of %zu tensors\n", optimizer.parameters().size(),
              net.parameters().size());
}

void sequences() {
  nn::LSTM lstm(8, 16, {.num_layers = 2, .batch_first = true, .bidirectional = true});
  const Tensor x = randn({4, 7, 8});
  auto [y, state] = lstm(x);        // [4, 7, 32], and h and c [4, 4, 16]
  auto [z, next] = lstm(x, state);  // goes on from there

  namespace rnn = nn::utils::rnn;  // sequences of 7, 2, 5 and 3 positions
  const auto packed = rnn::pack_padded_sequence(x, {7, 2, 5, 3}, /*batch_first=*/true, /*enforce_sorted=*/false);
  auto [packed_y, last] = lstm(packed);  // h and c of each sequence's own last position
  auto [padded, lengths] = rnn::pad_packed_sequence(packed_y, /*batch_first=*/true);

  nn::TransformerEncoder encoder(nn::TransformerEncoderLayer(32, 4, {.dim_feedforward = 64, .batch_first = true}), 2);
  const Tensor seen = encoder(z, {.is_causal = true});

  nn::MultiheadAttention attend(32, 4, {.batch_first = true});
  auto [mixed, weights] = attend(seen, seen, seen);  // [4, 7, 32] and [4, 7, 7]
  std::printf("%s\n", to_string(padded.sizes()).c_str());
  std::printf("%s %s\n", to_string(mixed.sizes()).c_str(), to_string(weights.sizes()).c_str());
}

int main(int argc, char** argv) {
  manual_seed(1);
  const std::string file = std::string(argc > 1 ? argv[1] : ".") + "/resnet18.pth";
  layers();
  io::save(models::resnet18().state_dict(), file);
  fine_tune(file);
  attention();
  sequences();
  return 0;
}
