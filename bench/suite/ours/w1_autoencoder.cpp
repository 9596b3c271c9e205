// W1: the autoencoder 16-128-8, 8-128-16 over a noisy channel. A joint step trains all of it; a decoder step sends
// through an encoder that is left alone.
#include <memory>

#include "ours/workloads.h"

namespace suite {
namespace {

using namespace gradus;
namespace F = nn::functional;

struct Training {
  models::AutoEncoder net{16, 8};
  Tensor messages, x;
  optim::Adam optimizer;
  bool joint;

  Training(std::int64_t batch, bool whole)
      : messages(remainder(arange(batch), tensor(16))),
        x(one_hot(messages, 16).to(kFloat32)),
        optimizer(whole ? net.parameters() : net.decoder.parameters(), {.lr = 1e-3}),
        joint(whole) {
    set_parameters(net, 1);
  }

  Tensor received(double sigma) {
    if (joint) return models::awgn(net.encode(x), sigma);
    const NoGrad guard;
    return models::awgn(net.encode(x), sigma);
  }
  Tensor step(double sigma) {
    const Tensor loss = F::cross_entropy(net.decode(received(sigma)), messages);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    return loss;
  }
};

Case make(std::int64_t batch, bool joint) {
  const auto training = std::make_shared<Training>(batch, joint);
  return {.step = [=] { training->step(0.5); },
          .losses = [=] { return losses_of(20, [&] { return training->step(0); }); }};
}

const bool added = add("w1", {{"joint/64", [] { return make(64, true); }},
                              {"joint/1024", [] { return make(1024, true); }},
                              {"decoder/64", [] { return make(64, false); }},
                              {"decoder/1024", [] { return make(1024, false); }}});

}  // namespace
}  // namespace suite
