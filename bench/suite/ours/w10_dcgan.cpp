// W10: DCGAN for 64 x 64 images, batch 32, Adam: a step of the discriminator and one of the generator.
#include <memory>

#include "ours/workloads.h"

namespace suite {
namespace {

using namespace gradus;
namespace F = nn::functional;

struct Training {
  static constexpr std::int64_t kBatch = 32;
  models::DcganDiscriminator D;
  models::DcganGenerator G;
  Tensor images = numbers_like({kBatch, 3, 64, 64}, 100, 1);
  Tensor fixed_noise = numbers_like({kBatch, 100, 1, 1}, 101, 1);
  Tensor real = ones({kBatch}), fake = zeros({kBatch});
  optim::Adam d_optimizer{D.parameters(), {.lr = 2e-4, .betas = {{0.5, 0.999}}}};
  optim::Adam g_optimizer{G.parameters(), {.lr = 2e-4, .betas = {{0.5, 0.999}}}};

  Training() {
    set_weights(D, 1);
    set_weights(G, 50);
  }

  Tensor step(bool random) {
    const Tensor noise = random ? randn({kBatch, 100, 1, 1}) : fixed_noise;
    const Tensor made = G(noise);
    const Tensor d_loss = F::binary_cross_entropy(D(images), real) + F::binary_cross_entropy(D(made.detach()), fake);
    d_optimizer.minimize(d_loss);
    const Tensor g_loss = F::binary_cross_entropy(D(made), real);
    g_optimizer.minimize(g_loss);
    return d_loss.detach() + g_loss.detach();
  }
};

Case make() {
  const auto training = std::make_shared<Training>();
  return {.step = [=] { training->step(true); },
          .losses = [=] { return losses_of(2, [&] { return training->step(false); }); }};
}

const bool added = add("w10", {{"pair/32", make}});

}  // namespace
}  // namespace suite
