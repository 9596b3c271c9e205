// A trained ResNet with an attention over its last feature map and a new classifier. First only these two are trained,
// then everything. Usage: attention_head [CHECKPOINT OF A RESNET-18]
#include <gradus/gradus.h>

#include <cstdio>

using namespace gradus;

// Attention between all positions of a map (Zhang et al., "Self-Attention Generative Adversarial Networks", 2019):
// [batch, channels, H, W] -> the same. It starts as the identity, since gamma is 0.
struct SelfAttention : nn::Module {
  nn::Conv2d f, g, h;
  nn::Softmax softmax{-1};
  nn::Parameter gamma = add("gamma", nn::Parameter(zeros({1})));

  explicit SelfAttention(std::int64_t channels)
      : f(add("f", nn::Conv2d(channels, channels / 4, 1))),
        g(add("g", nn::Conv2d(channels, channels / 4, 1))),
        h(add("h", nn::Conv2d(channels, channels, 1))) {}

  Tensor forward(const Tensor& x) override {
    const Tensor query = f(x).flatten(2).transpose(1, 2), key = g(x).flatten(2), value = h(x).flatten(2);
    const Tensor weights = softmax(bmm(query, key));  // [batch, places, places]
    return x + gamma * bmm(value, weights.transpose(1, 2)).view(x.sizes());
  }
};

struct Net : nn::Module {
  models::ResNet resnet;
  SelfAttention attention = add("attention", SelfAttention(512));
  nn::Linear fc = add("fc", nn::Linear(512, 10));

  explicit Net(models::ResNet pretrained) : resnet(add("resnet", std::move(pretrained))) {}
  Tensor forward(const Tensor& x) override { return fc(attention(resnet.features(x)).mean({2, 3})); }
};

int main(int argc, char** argv) {
  manual_seed(1);
  auto backbone = models::resnet18();
  if (argc > 1) backbone.load_state_dict(io::load_state_dict(argv[1]));
  Net net(backbone);
  nn::freeze(net.resnet);  // no gradient, no update, and no change of its running statistics

  const Tensor images = randn({8, 3, 64, 64}), labels = randint(0, 10, {8});
  optim::Adam optimizer(optim::filter(net, [](auto& p) { return p.requires_grad(); }),
                        {.lr = 1e-3, .weight_decay = 1e-5});
  const Tensor kernel = net.resnet.conv1.weight.detach().clone();
  const Tensor mean = net.resnet.bn1.running_mean.clone();
  double first = 0, last = 0;
  for (int step = 0; step < 10; ++step) {
    const Tensor loss = nn::functional::cross_entropy(net(images), labels);
    optimizer.minimize(loss);
    last = loss.item();
    if (step == 0) first = last;
  }
  const bool held = equal(kernel, net.resnet.conv1.weight) && equal(mean, net.resnet.bn1.running_mean);
  std::printf("head alone: loss %.3f -> %.3f, the backbone is %s\n", first, last, held ? "unchanged" : "changed");

  // Then the backbone is trained too, at a smaller rate; the head keeps its moments.
  nn::unfreeze(net.resnet);
  optimizer.add_param_group({.params = net.resnet.parameters(), .lr = 1e-5});
  optimizer.minimize(nn::functional::cross_entropy(net(images), labels));
  const bool moved = !equal(kernel, net.resnet.conv1.weight);
  return held && moved && last < first ? 0 : 1;
}
