// Kinds 6 and 13: numbers that go wrong, and habits that cost quality.
#include "optim/audit_programs/programs.h"

namespace gradus::programs {

namespace {

template <class Net, class Loss>
AuditReport fit(Net& net, double lr, Loss&& loss, const optim::AuditOptions& options = {}, int epochs = 3) {
  const Data data;
  optim::SGD opt(net, {.lr = lr});
  Audit audit(net, {opt}, options);
  train(opt, data, epochs, [&](const Tensor& x, const Tensor& y) { return loss(net, x, y); });
  return audit.report();
}
const auto kClassify = [](auto& net, const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); };

struct Deep : nn::Module {
  nn::ModuleList layers = add("layers", nn::ModuleList());
  nn::Linear out = add("out", nn::Linear(8, 3));
  bool saturating;
  explicit Deep(bool mistake) : saturating(mistake) {
    for (int i = 0; i < 10; ++i) layers.append(nn::Linear(i == 0 ? 4 : 8, 8));
  }
  Tensor forward(const Tensor& x) override {
    Tensor h = x;
    for (std::size_t i = 0; i < 10; ++i) {
      const Tensor z = layers[i](h);
      h = saturating ? sigmoid(z) : i == 0 ? relu(z) : h + relu(z) * 0.3;
    }
    return out(h);
  }
};

// A convolution's habit, in a module of one's own.
struct Block : nn::Module {
  nn::Linear fc;
  nn::BatchNorm1d bn = add("bn", nn::BatchNorm1d(8));
  nn::Linear out = add("out", nn::Linear(8, 3));
  explicit Block(bool bias) : fc(add("fc", nn::Linear(4, 8, {.bias = bias}))) {}
  Tensor forward(const Tensor& x) override { return out(relu(bn(fc(x)))); }
};

const optim::AuditOptions kHabits{.habits = true};

template <class Opt, class Options>
AuditReport with_options(const Options& options) {
  const Data data;
  Net net;
  Opt opt(net, options);
  Audit audit(net, {opt}, kHabits);
  train(opt, data, 1, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
  return audit.report();
}

}  // namespace

Programs values() {
  return {
      {6, "the logarithm of a softmax that reaches zero", "not-finite",
       [](bool mistake) {
         Net net;
         return fit(net, 0.1, [=](Net& n, const Tensor& x, const Tensor& y) {
           const Tensor t = one_hot(y, 3).to(kFloat32), s = n(x) * 1e4;
           return mistake ? -(t * log(softmax(s, 1))).sum(1).mean() : -(t * log_softmax(n(x), 1)).sum(1).mean();
         });
       }},
      {6, "a rate at which the loss explodes", "not-finite",
       [](bool mistake) {
         nn::Sequential net(nn::Linear(4, 16), nn::ReLU(), nn::Linear(16, 1));
         return fit(
             net, mistake ? 50 : 0.01,
             [](auto& n, const Tensor& x, const Tensor& y) { return F::mse_loss(n(x), y.to(kFloat32).unsqueeze(1)); },
             {}, 8);
       }},
      {6, "the gradient of a square root at zero", "not-finite",
       [](bool mistake) {
         Net net;
         return fit(net, 0.1, [=](Net& n, const Tensor& x, const Tensor& y) {
           const Tensor out = n(x), zero = out - out.detach();
           return F::cross_entropy(out, y) + sqrt(square(zero).sum(1) + (mistake ? 0.0 : 1e-12)).mean();
         });
       }},
      {6, "all weights with one constant", "constant-initialisation",
       [](bool mistake) {
         Net net;
         if (mistake)
           net.apply([](nn::Module& m) {
             if (auto* linear = m.as<nn::Linear>()) nn::init::constant_(linear->weight, 0.1);
           });
         return fit(net, 0.1, kClassify);
       }},
      {6, "all weights zero", "zero-gradient",
       [](bool mistake) {
         Net net;
         if (mistake)
           for (Tensor& p : net.parameters()) nn::init::zeros_(p);
         return fit(net, 0.1, kClassify);
       }},
      {6, "ten sigmoid layers", "vanishing-gradient",
       [](bool mistake) {
         Deep net(mistake);
         return fit(net, 0.05, kClassify);
       }},
      {6, "ReLUs that are off for every sample", "zero-gradient",
       [](bool mistake) {
         Net net;
         if (mistake) nn::init::constant_(net.a.bias, -50);
         return fit(net, 0.1, kClassify);
       }},
      {6, "tanh after weights of a hundred", "saturated-units",
       [](bool mistake) {
         nn::Sequential net(nn::Linear(4, 8), nn::Tanh(), nn::Linear(8, 3));
         if (mistake) {
           const NoGrad guard;
           for (Tensor& p : net.parameters())
             if (p.size(0) == 8) p *= 1000;
         }
         return fit(net, 0.1, kClassify);
       }},
      {6, "recurrent steps whose gradient explodes", "exploding-gradient",
       [](bool mistake) {
         Net net;
         const double scale = mistake ? 40 : 1;
         return fit(net, mistake ? 1e-9 : 0.01, [=](Net& n, const Tensor& x, const Tensor& y) {
           Tensor h = n.a(x);
           for (int i = 0; i < 4; ++i) h = (h * scale).clamp(-1e9, 1e9);
           return F::cross_entropy(n.b(h), y);
         });
       }},

      {13, "weight decay on biases", "decayed-norms",
       [](bool) { return with_options<optim::AdamW>(optim::AdamWOptions{.weight_decay = 0.01}); }},
      {13, "a weight decay of one", "huge-decay",
       [](bool mistake) {
         return with_options<optim::AdamW>(optim::AdamWOptions{.weight_decay = mistake ? 1.0 : 0.01});
       }},
      {13, "Adam with weight_decay", "coupled-decay",
       [](bool mistake) {
         return mistake ? with_options<optim::Adam>(optim::AdamOptions{.weight_decay = 0.01})
                        : with_options<optim::AdamW>(optim::AdamWOptions{.weight_decay = 0.01});
       }},
      {13, "a bias before batch normalisation, in a Sequential", "bias-before-norm",
       [](bool mistake) {
         nn::Sequential net(nn::Linear(4, 8, {.bias = mistake}), nn::BatchNorm1d(8), nn::ReLU(), nn::Linear(8, 3));
         return fit(net, 0.1, kClassify, kHabits);
       }},
      {13, "a bias before batch normalisation, in a module of one's own", "bias-before-norm",
       [](bool mistake) {
         Block net(mistake);
         return fit(net, 0.1, kClassify, kHabits);
       }},
      {13, "columns of very different scales", "input-scale",
       [](bool mistake) {
         Net net;
         return fit(
             net, 1e-4,
             [=](Net& n, const Tensor& x, const Tensor& y) {
               const Tensor scale = mistake ? tensor({1.0, 1.0, 1.0, 1e5}).to(kFloat32) : ones({4});
               return F::cross_entropy(n(x * scale), y);
             },
             kHabits);
       }},
      {13, "a rate that went through float", "float-rate",
       [](bool mistake) {
         const double rate = mistake ? static_cast<double>(0.1F) : 0.1;
         return with_options<optim::SGD>(optim::SGDOptions{.lr = rate});
       }},
  };
}

}  // namespace gradus::programs
