#include "cli/train_gan.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <gradus/autograd.h>
#include <gradus/io/load.h>
#include <gradus/models/gan.h>
#include <gradus/nn/functional.h>
#include <gradus/optim/adam.h>
#include <gradus/random.h>

#include "cli/interrupt.h"
#include "cli/progress.h"
#include "data/idx.h"
#include "io/png.h"

namespace gradus::cli {

namespace F = nn::functional;
using nlohmann::ordered_json;

namespace {

constexpr std::int64_t kNoise = 100, kPixels = 784;

// The training images as rows in [-1, 1], [n, 784].
Tensor read_images(const std::string& folder) {
  const data::IdxArray images = data::read_idx(folder + "/train-images-idx3-ubyte");
  if (images.shape.size() != 3 || images.shape[1] * images.shape[2] != kPixels || images.shape[0] == 0) {
    throw IoError("train gan: needs images of 28 x 28 pixels, got sizes " + to_string(Shape(images.shape)) + " in '" +
                  folder + "'");
  }
  return tensor(images.bytes, {images.shape[0], kPixels}).to(kFloat32) / 127.5 - 1;
}

void write_samples(const std::string& path, models::Generator& generator, const Tensor& noise) {
  const NoGrad guard;
  const Tensor pixels = ((generator(noise) + 1) * 127.5).clamp(0, 255).to(kUInt8);
  const auto bytes = pixels.to_vector<std::uint8_t>();
  io::write_png(path, io::image_grid(bytes.data(), noise.size(0), 28, 28, 8).view());
}

}  // namespace

int train_gan(const GanOptions& options) {
  const InterruptScope interrupts;
  const Tensor images = read_images(options.data);
  RunFolder folder(options.run);

  models::Discriminator D;
  models::Generator G;
  const std::pair betas(options.beta1, 0.999);
  optim::Adam d_optimizer(D.parameters(), {.lr = options.lr, .betas = betas});
  optim::Adam g_optimizer(G.parameters(), {.lr = options.lr, .betas = betas});
  const Tensor shown = randn({64, kNoise});

  const std::int64_t per_epoch = std::max<std::int64_t>(images.size(0) / options.batch, 1);
  std::int64_t total = options.epochs * per_epoch;
  if (options.steps > 0) total = std::min(total, options.steps);
  Progress progress("gan", total);
  const double start = seconds_now();
  std::int64_t step = 0, epoch = 0;
  double d_loss_value = 0, g_loss_value = 0;
  while (step < total && interrupt_signal() == 0) {
    const Tensor order = randperm(images.size(0));
    for (std::int64_t i = 0; i < per_epoch && step < total && interrupt_signal() == 0; ++i) {
      const std::int64_t first = i * options.batch;
      const std::int64_t n = std::min(options.batch, images.size(0) - first);
      const Tensor real = index_select(images, 0, order.narrow(0, first, n));
      const Tensor real_label = ones({n, 1}), fake_label = zeros({n, 1});

      // The discriminator alone: what the generator made is data to it.
      const Tensor fake = G(randn({n, kNoise})).detach();
      const Tensor d_loss = F::binary_cross_entropy(D(real), real_label) + F::binary_cross_entropy(D(fake), fake_label);
      d_optimizer.minimize(d_loss);

      // The generator: its gradient passes through the discriminator, which keeps none and does not move.
      const Tensor g_loss = F::binary_cross_entropy(D(G(randn({n, kNoise}))), real_label);
      g_optimizer.minimize(g_loss);

      ++step;
      if (step % 20 == 0 || step == total) {
        d_loss_value = d_loss.item();
        g_loss_value = g_loss.item();
        progress.update(step, d_loss_value, fmt::format("generator {:.3f}", g_loss_value));
      }
      if (step % 100 == 0 || step == total) {
        folder.metrics().write({{"step", step}, {"d_loss", d_loss_value}, {"g_loss", g_loss_value}});
      }
    }
    ++epoch;
    write_samples(folder.path(fmt::format("samples-{:03}.png", epoch)), G, shown);
  }
  progress.finish();
  io::save(folder.path("generator.pth"), G.state_dict());
  io::save(folder.path("discriminator.pth"), D.state_dict());
  const double seconds = seconds_now() - start;
  folder.write_summary({{"command", "train gan"},
                        {"seed", options.run.seed},
                        {"images", images.size(0)},
                        {"batch", options.batch},
                        {"epochs", epoch},
                        {"steps", step},
                        {"interrupted", interrupt_signal() != 0},
                        {"training_seconds", seconds},
                        {"d_loss", d_loss_value},
                        {"g_loss", g_loss_value},
                        {"samples", fmt::format("samples-{:03}.png", epoch)}});
  fmt::print("trained in {:.1f} s\nsamples: {}\nsummary: {}\n", seconds,
             folder.path(fmt::format("samples-{:03}.png", epoch)), folder.path("summary.json"));
  return interrupt_signal() == 0 ? 0 : 130;
}

}  // namespace gradus::cli
