#include "cli/commands/train/train_gan.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <gradus/autograd.h>
#include <gradus/io/load.h>
#include <gradus/models/gan.h>
#include <gradus/nn/functional.h>
#include <gradus/optim/adam.h>
#include <gradus/random.h>

#include <algorithm>
#include <cmath>

#include "cli/run/interrupt.h"
#include "cli/run/output.h"
#include "cli/run/progress.h"
#include "cli/run/run_watch.h"
#include "data/datasets/idx.h"
#include "io/image/png.h"

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

// As images [n, 1, 28, 28] of bytes.
Tensor samples_of(models::Generator& generator, const Tensor& noise) {
  const NoGrad guard;
  return ((generator(noise) + 1) * 127.5).clamp(0, 255).to(kUInt8).view({noise.size(0), 1, 28, 28});
}

// A network that has diverged returns NaN, which this loss passes on rather than refuse it: the run reports it.
Tensor cross_entropy_of(const Tensor& probability, const Tensor& label) {
  const Tensor mean = probability.mean();
  return std::isnan(mean.item()) ? mean : F::binary_cross_entropy(probability, label);
}

struct Networks : nn::Module {
  models::Discriminator discriminator;
  models::Generator generator;
  Networks(models::Discriminator d, models::Generator g)
      : discriminator(add("discriminator", d)), generator(add("generator", g)) {}
};

void write_samples(const std::string& path, const Tensor& samples) {
  const auto bytes = samples.to_vector<std::uint8_t>();
  io::write_png(path, io::image_grid(bytes.data(), samples.size(0), 28, 28, 8).view());
}

}  // namespace

int train_gan(const GanOptions& options) {
  const InterruptScope interrupts;
  Tensor images = read_images(options.data);
  Run run(options.run);
  run.use_data("data", data::TensorDataset(images));
  const Device device = run.device();
  images = images.to(device);

  models::Discriminator D;
  models::Generator G;
  D.to(device);
  G.to(device);
  const std::pair betas(options.beta1, 0.999);
  optim::Adam d_optimizer(D.parameters(), {.lr = options.lr, .betas = betas});
  optim::Adam g_optimizer(G.parameters(), {.lr = options.lr, .betas = betas});
  const Tensor shown = randn({64, kNoise}, {.device = device});
  Tensor order;  // of the images in this epoch
  double d_loss_value = 0, g_loss_value = 0;
  run.state().add("discriminator", D);
  run.state().add("generator", G);
  run.state().add("d_optimizer", d_optimizer);
  run.state().add("g_optimizer", g_optimizer);
  run.state().add("order", order);
  run.state().add("d_loss", d_loss_value);
  run.state().add("g_loss", g_loss_value);
  run.watch({.networks = {{"discriminator", D}, {"generator", G}},
             .optimizers = {{"d_optimizer", d_optimizer}, {"g_optimizer", g_optimizer}}});
  Networks both(D, G);
  run.begin(both);

  const std::int64_t per_epoch = std::max<std::int64_t>(images.size(0) / options.batch, 1);
  std::int64_t total = options.epochs * per_epoch;
  if (options.steps > 0) total = std::min(total, options.steps);
  const auto epochs = [&](std::int64_t steps) { return (steps + per_epoch - 1) / per_epoch; };  // begun ones count
  const auto samples = [&](std::int64_t steps) { return fmt::format("samples-{:03}.png", epochs(steps)); };
  Progress progress("gan", total);
  progress.start_at(run.step());
  for (; run.step() < total && !run.interrupted(); run.advance()) {
    const std::int64_t step = run.step() + 1, first = run.step() % per_epoch * options.batch;
    if (first == 0) order = randperm(images.size(0));
    const std::int64_t n = std::min(options.batch, images.size(0) - first);
    // The discriminator alone: what the generator made is data to it.
    const double d_value = run.update("d_loss", d_optimizer, run.chunks(n),
                                      [&](const nn::Chunk& chunk) {
                                        const Tensor real = index_select(
                                            images, 0, order.narrow(0, first + chunk.begin, chunk.size).to(device));
                                        const Tensor fake = G(randn({chunk.size, kNoise}, {.device = device})).detach();
                                        return cross_entropy_of(D(real), ones({chunk.size, 1}, {.device = device})) +
                                               cross_entropy_of(D(fake), zeros({chunk.size, 1}, {.device = device}));
                                      })
                               ->loss;

    // The generator: its gradient passes through the discriminator, which keeps none and does not move.
    const double g_value = run.update("g_loss", g_optimizer, run.chunks(n),
                                      [&](const nn::Chunk& chunk) {
                                        return cross_entropy_of(D(G(randn({chunk.size, kNoise}, {.device = device}))),
                                                                ones({chunk.size, 1}, {.device = device}));
                                      })
                               ->loss;

    if (step % 20 == 0 || step == total || run.interrupted()) {
      d_loss_value = d_value;
      g_loss_value = g_value;
      progress.update(step, d_loss_value, fmt::format("generator {:.3f}", g_loss_value), options.lr);
    }
    if (step % 100 == 0 || step == total) run.log({{"step", step}, {"d_loss", d_loss_value}, {"g_loss", g_loss_value}});
    if (step % per_epoch == 0) {
      const Tensor images_now = samples_of(G, shown);
      if (run.writes()) write_samples(run.path(samples(step)), images_now);
      run.log_images("samples", images_now);
      run.log_histograms("generator", G);
      run.log_histograms("discriminator", D);
      run.end_epoch();
    }
  }
  progress.finish();
  run.end();
  run.check_finite("generator", G);
  run.check_finite("discriminator", D);
  if (run.writes()) {
    if (run.step() % per_epoch != 0) write_samples(run.path(samples(run.step())), samples_of(G, shown));
    io::save(run.path("generator.pth"), G.state_dict());
    io::save(run.path("discriminator.pth"), D.state_dict());
  }
  run.write_summary({{"command", "train gan"},
                     {"seed", options.run.seed},
                     {"images", images.size(0)},
                     {"batch", options.batch},
                     {"epochs", epochs(run.step())},
                     {"steps", run.step()},
                     {"interrupted", run.interrupted()},
                     {"training_seconds", run.seconds()},
                     {"d_loss", d_loss_value},
                     {"g_loss", g_loss_value},
                     {"samples", samples(run.step())}});
  say("trained in {:.1f} s\nsamples: {}\nsummary: {}\n", run.seconds(), run.path(samples(run.step())),
      run.path("summary.json"));
  return run.status();
}

}  // namespace gradus::cli
