// Kinds 1 and 7: what a loss is given.
#include "optim/audit_programs/programs.h"

namespace gradus::programs {

namespace {

// Scores of a small network, made into what the loss is given by `finish`, for a classification.
template <class Finish>
AuditReport classify(Finish&& finish) {
  const Data data;
  Net net;
  optim::Adam opt(net, {.lr = 1e-2});
  Audit audit(net, {opt});
  train(opt, data, 2, [&](const Tensor& x, const Tensor& y) { return finish(net(x), y); });
  return audit.report();
}

// One output for each sample, and a target [N].
template <class Loss>
AuditReport regress(Loss&& loss) {
  const Data data;
  nn::Sequential net(nn::Linear(4, 8), nn::ReLU(), nn::Linear(8, 1));
  optim::SGD opt(net, {.lr = 0.01});
  Audit audit(net, {opt});
  for (int i = 0; i < 6; ++i) {
    opt.zero_grad();
    loss(net(data.x), data.target).backward();
    opt.step();
  }
  return audit.report();
}

struct Probabilities : nn::Module {
  nn::Linear a = add("a", nn::Linear(4, 8)), b = add("b", nn::Linear(8, 3));
  bool normalise;
  explicit Probabilities(bool n) : normalise(n) {}
  Tensor forward(const Tensor& x) override {
    const Tensor scores = b(relu(a(x)));
    return normalise ? softmax(scores, 1) : scores;
  }
};

AuditReport binary(bool mistake, bool twice) {
  const Data data;
  nn::Sequential net(nn::Linear(4, 8), nn::ReLU(), nn::Linear(8, 1));
  if (mistake || twice) net.append(nn::Sigmoid());
  optim::Adam opt(net);
  nn::BCEWithLogitsLoss with_logits;
  nn::BCELoss of_probabilities;
  Audit audit(net, {opt});
  train(opt, data, 2, [&](const Tensor& x, const Tensor& y) {
    const Tensor t = (y == 1).to(kFloat32).unsqueeze(1);
    if (!twice) return with_logits(net(x), t);
    return of_probabilities(mistake ? sigmoid(net(x)) : net(x), t);
  });
  return audit.report();
}

}  // namespace

Programs losses() {
  return {
      {1, "nn::Softmax at the end of a Sequential, then CrossEntropyLoss", "normalised-twice",
       [](bool mistake) {
         const Data data;
         nn::Sequential net(nn::Linear(4, 8), nn::ReLU(), nn::Linear(8, 3));
         if (mistake) net.append(nn::Softmax(1));
         optim::SGD opt(net, {.lr = 0.1});
         nn::CrossEntropyLoss loss;
         Audit audit(net, {opt});
         train(opt, data, 2, [&](const Tensor& x, const Tensor& y) { return loss(net(x), y); });
         return audit.report();
       }},
      {1, "softmax in a module's forward, then cross_entropy", "normalised-twice",
       [](bool mistake) {
         const Data data;
         Probabilities net(mistake);
         optim::SGD opt(net, {.lr = 0.1});
         Audit audit(net, {opt});
         train(opt, data, 2, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
         return audit.report();
       }},
      {1, "cross_entropy of softmax over the batch", "normalised-twice",
       [](bool mistake) {
         return classify(
             [=](const Tensor& s, const Tensor& y) { return F::cross_entropy(mistake ? softmax(s, 0) : s, y); });
       }},
      {1, "cross_entropy of log(softmax)", "normalised-twice",
       [](bool mistake) {
         return classify(
             [=](const Tensor& s, const Tensor& y) { return F::cross_entropy(mistake ? log(softmax(s, 1)) : s, y); });
       }},
      {1, "cross_entropy of log(softmax + eps)", "normalised-twice",
       [](bool mistake) {
         return classify([=](const Tensor& s, const Tensor& y) {
           return F::cross_entropy(mistake ? log(softmax(s, 1) + 1e-8) : s, y);
         });
       }},
      {1, "cross_entropy of probabilities cut off by clamp", "normalised-twice",
       [](bool mistake) {
         return classify([=](const Tensor& s, const Tensor& y) {
           return F::cross_entropy(mistake ? softmax(s, 1).clamp(1e-7, 1 - 1e-7) : s, y);
         });
       }},
      {1, "nll_loss of probabilities", "not-normalised",
       [](bool mistake) {
         return classify([=](const Tensor& s, const Tensor& y) {
           return F::nll_loss(mistake ? softmax(s, 1) : log_softmax(s, 1), y);
         });
       }},
      {1, "nll_loss of scores", "not-normalised",
       [](bool mistake) {
         return classify(
             [=](const Tensor& s, const Tensor& y) { return F::nll_loss(mistake ? s : log_softmax(s, 1), y); });
       }},
      {1, "log_softmax over dimension 0", "wrong-dimension",
       [](bool mistake) {
         return classify(
             [=](const Tensor& s, const Tensor& y) { return F::nll_loss(log_softmax(s, mistake ? 0 : 1), y); });
       }},
      {1, "nll_loss of the log of softmax over dimension 0", "wrong-dimension",
       [](bool mistake) {
         return classify(
             [=](const Tensor& s, const Tensor& y) { return F::nll_loss(log(softmax(s, mistake ? 0 : 1)), y); });
       }},
      {1, "kl_div of probabilities instead of their logarithms", "not-normalised",
       [](bool mistake) {
         return classify([=](const Tensor& s, const Tensor& y) {
           const Tensor t = one_hot(y, 3).to(kFloat32) * 0.9 + 0.1 / 3;
           return F::kl_div(mistake ? softmax(s, 1) : log_softmax(s, 1), t, {.reduction = nn::Reduction::BatchMean});
         });
       }},
      {1, "nn::Sigmoid before BCEWithLogitsLoss", "normalised-twice",
       [](bool mistake) { return binary(mistake, false); }},
      {1, "sigmoid twice before BCELoss", "normalised-twice", [](bool mistake) { return binary(mistake, true); }},
      {1, "ReLU after the last layer, before cross_entropy", "normalised-twice",
       [](bool mistake) {
         return classify([=](const Tensor& s, const Tensor& y) { return F::cross_entropy(mistake ? relu(s) : s, y); });
       }},
      {1, "tanh after the last layer, before cross_entropy", "normalised-twice",
       [](bool mistake) {
         return classify([=](const Tensor& s, const Tensor& y) { return F::cross_entropy(mistake ? tanh(s) : s, y); });
       }},
      {1, "softmax of a single output", "wrong-dimension",
       [](bool mistake) {
         const Data data;
         nn::Sequential net(nn::Linear(4, 8), nn::ReLU(), nn::Linear(8, 1));
         if (mistake)
           net.append(nn::Softmax(1));
         else
           net.append(nn::Sigmoid());
         optim::SGD opt(net, {.lr = 0.1});
         Audit audit(net, {opt});
         train(opt, data, 2, [&](const Tensor& x, const Tensor& y) {
           return F::binary_cross_entropy(net(x).clamp(1e-6, 1 - 1e-6), (y == 1).to(kFloat32).unsqueeze(1));
         });
         return audit.report();
       }},

      {7, "the square of [N, 1] - [N] by hand", "broadcast-loss",
       [](bool mistake) {
         return regress(
             [=](const Tensor& out, const Tensor& t) { return square((mistake ? out : out.squeeze(1)) - t).mean(); });
       }},
      {7, "the absolute difference, the target first", "broadcast-loss",
       [](bool mistake) {
         return regress(
             [=](const Tensor& out, const Tensor& t) { return abs(t - (mistake ? out : out.view({-1}))).mean(); });
       }},
      {7, "a policy gradient of log-probabilities [N] and advantages [N, 1]", "broadcast-loss",
       [](bool mistake) {
         return classify([=](const Tensor& s, const Tensor& y) {
           const Tensor taken = gather(log_softmax(s, 1), 1, y.unsqueeze(1)).squeeze(1);
           const Tensor advantage = randn({y.size(0), 1});
           return -(taken * (mistake ? advantage : advantage.squeeze(1))).mean();
         });
       }},
      {7, "sample weights [N] times losses [N, 1]", "broadcast-loss",
       [](bool mistake) {
         return regress([=](const Tensor& out, const Tensor& t) {
           const Tensor each = square(out - t.unsqueeze(1)), weight = rand({t.size(0)});
           return ((mistake ? each : each.squeeze(1)) * weight).mean();
         });
       }},
      {7, "targets of a DQN from rewards [N] and values [N, 1]", "broadcast-loss",
       [](bool mistake) {
         return regress([=](const Tensor& q, const Tensor& reward) {
           Tensor wanted;
           {
             const NoGrad guard;
             const Tensor next = randn({reward.size(0), 1});
             wanted = (mistake ? reward : reward.unsqueeze(1)) + 0.9 * next;
           }
           return square(q - wanted).mean();
         });
       }},
  };
}

}  // namespace gradus::programs
