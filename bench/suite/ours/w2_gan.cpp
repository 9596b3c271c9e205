// W2: the fully connected GAN for 28 x 28 images: one step of the discriminator and one of the generator.
#include <memory>

#include "ours/workloads.h"

namespace suite {
namespace {

using namespace gradus;
namespace F = nn::functional;

struct Training {
  static constexpr std::int64_t kBatch = 128;
  models::Discriminator D;
  models::Generator G;
  Tensor images = numbers_like({kBatch, 784}, 100, 1);
  Tensor fixed_noise = numbers_like({kBatch, 100}, 101, 1);
  Tensor real = ones({kBatch, 1}), fake = zeros({kBatch, 1});
  optim::Adam d_optimizer{D.parameters(), {.lr = 3e-4}};
  optim::Adam g_optimizer{G.parameters(), {.lr = 3e-4}};

  Training() {
    set_parameters(D, 1);
    set_parameters(G, 50);
  }

  Tensor step(bool random) {
    const auto noise = [&] { return random ? randn({kBatch, 100}) : fixed_noise; };
    const Tensor made = [&] {
      const NoGrad guard;
      return G(noise());
    }();
    const Tensor d_loss = F::binary_cross_entropy(D(images), real) + F::binary_cross_entropy(D(made), fake);
    d_optimizer.minimize(d_loss);
    const Tensor g_loss = F::binary_cross_entropy(D(G(noise())), real);
    g_optimizer.minimize(g_loss);
    return d_loss.detach() + g_loss.detach();
  }
};

Case make() {
  const auto training = std::make_shared<Training>();
  return {.step = [=] { training->step(true); },
          .losses = [=] { return losses_of(10, [&] { return training->step(false); }); }};
}

const bool added = add("w2", {{"pair/128", make}});

}  // namespace
}  // namespace suite
