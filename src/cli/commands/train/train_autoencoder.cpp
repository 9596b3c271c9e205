#include "cli/commands/train/train_autoencoder.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <gradus/io/load.h>
#include <gradus/nn/functional.h>
#include <gradus/optim/adam.h>
#include <gradus/random.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <numbers>

#include "cli/chart/plot.h"
#include "cli/run/interrupt.h"
#include "cli/run/output.h"
#include "cli/run/progress.h"
#include "cli/run/run_watch.h"
#include "kernels/math.h"

namespace gradus::cli {

namespace F = nn::functional;
using nlohmann::ordered_json;

namespace {

struct Phase {
  std::string name;
  std::int64_t steps;
  double lr, ebn0_db;
  std::int64_t done = 0;
  double loss = 0, seconds = 0;

  void add_to(training::Checkpoint& state) {
    state.add(name + ".done", done);
    state.add(name + ".loss", loss);
    state.add(name + ".seconds", seconds);
  }
};

// Half a cosine from the phase's rate down to a two-hundredth of it.
double rate(const Phase& phase, std::int64_t step) {
  const double x = static_cast<double>(step) / static_cast<double>(std::max<std::int64_t>(phase.steps, 1));
  return phase.lr * (0.005 + 0.995 * 0.5 * (1 + math::cos(std::numbers::pi * x)));
}

// Each message as often as the others, but for a remainder drawn at random.
Tensor balanced_messages(std::int64_t batch, std::int64_t messages) {
  const Tensor even = remainder(arange(batch / messages * messages), tensor(messages));
  if (batch % messages == 0) return even;
  return cat({even, randint(0, messages, {batch % messages})});
}

// Trains with `opt`, which owns what may change: the whole network, or the decoder alone.
void train_phase(Phase& phase, models::AutoEncoder& net, optim::Adam& opt, const AutoencoderOptions& options,
                 Run& run) {
  const double sigma = models::noise_sigma(phase.ebn0_db, math::log2(static_cast<double>(options.messages)),
                                           static_cast<double>(options.uses));
  const std::int64_t interval = std::clamp<std::int64_t>(phase.steps / 100, 1, 1000);
  if (phase.done < phase.steps) run.begin_phase(phase.name);
  Progress progress(phase.name, phase.steps);
  progress.start_at(phase.done);
  const double start = seconds_now() - phase.seconds;
  for (; phase.done < phase.steps && !run.interrupted(); run.advance()) {
    const double lr = rate(phase, phase.done);
    for (auto& group : opt.param_groups()) group.lr = lr;
    const Tensor messages = balanced_messages(options.batch, options.messages).to(run.device());
    // zero_grad, backward for this optimizer's parameters alone, step
    const auto result = run.update("loss", opt, run.chunks(options.batch), [&](const nn::Chunk& chunk) {
      const Tensor own = messages.narrow(0, chunk.begin, chunk.size);
      return F::cross_entropy(net(one_hot(own, options.messages).to(kFloat32), sigma), own);
    });
    const double value = result->loss;
    ++phase.done;
    phase.seconds = seconds_now() - start;
    if (phase.done % interval == 0 || phase.done == phase.steps) {
      phase.loss = value;
      run.log({{"phase", phase.name}, {"step", phase.done}, {"loss", phase.loss}, {"lr", lr}});
      progress.update(phase.done, phase.loss, "", lr);
    } else if (run.interrupted()) {
      progress.update(phase.done, phase.loss = value, "", lr);
    }
    if (phase.done % std::max<std::int64_t>(phase.steps / 10, 1) == 0) run.log_histograms("net", net);
  }
  progress.finish();
}

bool same_bits(const nn::StateDict& a, const nn::StateDict& b) {
  for (const auto& [name, tensor] : a) {
    const Tensor& other = b.at(name);
    const Tensor here = tensor.cpu(), there = other.cpu();
    if (std::memcmp(here.data_ptr(), there.data_ptr(), static_cast<std::size_t>(here.numel() * here.element_size())) !=
        0)
      return false;
  }
  return true;
}

ordered_json to_json(const BlerPoint& point) {
  ordered_json json{{"ebn0_db", point.ebn0_db},
                    {"bler_joint", point.joint.rate()},
                    {"bler_receiver", point.receiver.rate()},
                    {"bler_own_ml", point.own_ml.rate()},
                    {"bler_hamming_ml", point.hamming_ml.rate()},
                    {"bler_uncoded", point.uncoded},
                    {"blocks", point.joint.blocks},
                    {"errors_joint", point.joint.errors},
                    {"errors_receiver", point.receiver.errors},
                    {"errors_own_ml", point.own_ml.errors},
                    {"errors_hamming_ml", point.hamming_ml.errors}};
  return json;
}

void print_table(const std::vector<BlerPoint>& points) {
  say("\n  Eb/N0   joint      receiver   own ML     Hamming ML uncoded    receiver / Hamming\n");
  for (const BlerPoint& p : points) {
    const std::string ratio =
        p.hamming_ml.errors ? fmt::format("{:.3f}", p.receiver.rate() / p.hamming_ml.rate()) : "-";
    say("  {:4.0f} dB {:10.2e} {:10.2e} {:10.2e} {:10.2e} {:10.2e} {:>8}\n", p.ebn0_db, p.joint.rate(),
        p.receiver.rate(), p.own_ml.rate(), p.hamming_ml.rate(), p.uncoded, ratio);
  }
}

void plot(const std::string& path, const std::vector<BlerPoint>& points, const AutoencoderOptions& options) {
  Chart chart;
  chart.title = fmt::format("Autoencoder ({}, {}) over an AWGN channel", options.uses,
                            std::lround(math::log2(static_cast<double>(options.messages))));
  chart.x_label = "E_{b}/N_{0} [dB]";
  chart.y_label = "Block error rate";
  chart.y_scale = Scale::kLog10;
  const auto add = [&](const char* name, auto value) {
    Series series{name, {}, {}};
    for (const BlerPoint& p : points) {
      series.x.push_back(p.ebn0_db);
      series.y.push_back(value(p));
    }
    chart.series.push_back(std::move(series));
  };
  add("uncoded BPSK", [](const BlerPoint& p) { return p.uncoded; });
  add("Hamming(7,4), ML", [](const BlerPoint& p) { return p.hamming_ml.rate(); });
  add("autoencoder, joint", [](const BlerPoint& p) { return p.joint.rate(); });
  add("autoencoder, receiver trained on", [](const BlerPoint& p) { return p.receiver.rate(); });
  add("its code words, ML", [](const BlerPoint& p) { return p.own_ml.rate(); });
  draw_chart(path, chart);
}

}  // namespace

int train_autoencoder(const AutoencoderOptions& options) {
  const InterruptScope interrupts;
  Run run(options.run);
  Phase joint{"joint", options.steps, options.lr, options.ebn0_db};
  Phase receiver{"receiver", options.receiver_steps, options.receiver_lr, options.receiver_ebn0_db};

  models::AutoEncoder net(options.messages, options.uses), after_joint = nn::clone(net);
  net.to(run.device());
  optim::Adam optimizer(net.parameters(), {.lr = options.lr});
  optim::Adam decoder_optimizer(net.decoder.parameters(), {.lr = options.receiver_lr});
  run.state().add("net", net);
  run.state().add("after_joint", after_joint);
  run.state().add("optimizer", optimizer);
  run.state().add("decoder_optimizer", decoder_optimizer);
  for (Phase* phase : {&joint, &receiver}) phase->add_to(run.state());
  run.watch({.networks = net, .optimizers = {{"optimizer", optimizer}, {"decoder_optimizer", decoder_optimizer}}});
  run.begin(net);

  train_phase(joint, net, optimizer, options, run);
  run.end_phase();
  run.end_epoch();
  if (receiver.done == 0) after_joint.load_state_dict(net.state_dict());
  // The second phase: an optimizer that owns the decoder alone.
  train_phase(receiver, net, decoder_optimizer, options, run);
  run.end();
  run.check_finite("autoencoder", net);
  const bool encoder_unchanged = same_bits(after_joint.encoder.state_dict(), net.encoder.state_dict());
  if (!encoder_unchanged) throw Error("train autoencoder: the second phase changed the encoder");
  if (run.writes()) io::save(run.path("autoencoder.pth"), net.state_dict());

  net.to(kCPU);  // where channels are simulated
  std::vector<BlerPoint> points;
  ordered_json results = ordered_json::array();
  net.eval();
  after_joint.eval();
  gradus::Generator noise(options.run.seed + 0x5eed);
  for (int db = 0; db <= 8 && !run.interrupted(); ++db) {
    points.push_back(simulate_bler(after_joint, net, db, options.bler, noise));
    results.push_back(to_json(points.back()));
    run.log({{"phase", "simulation"}, {"result", results.back()}});
  }
  const auto phase_json = [](const Phase& p) {
    return ordered_json{{"steps", p.done}, {"loss", p.loss}, {"seconds", p.seconds}};
  };
  run.write_summary({{"command", "train autoencoder"},
                     {"seed", options.run.seed},
                     {"messages", options.messages},
                     {"channel_uses", options.uses},
                     {"batch", options.batch},
                     {"interrupted", run.interrupted()},
                     {"training_seconds", joint.seconds + receiver.seconds},
                     {"joint", phase_json(joint)},
                     {"receiver", phase_json(receiver)},
                     {"encoder_unchanged", encoder_unchanged},
                     {"results", results}});
  if (!points.empty() && run.writes()) {
    print_table(points);
    plot(run.path("bler.png"), points, options);
    say("\ntrained in {:.1f} s; the encoder is unchanged by the second phase, bit for bit\n",
        joint.seconds + receiver.seconds);
    say("plot: {}\n", run.path("bler.png"));
  }
  say("summary: {}\n", run.path("summary.json"));
  return run.status();
}

}  // namespace gradus::cli
