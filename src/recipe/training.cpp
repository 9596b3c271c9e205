#include "recipe/training.h"

#include <gradus/autograd.h>
#include <gradus/data/random.h>
#include <gradus/distributed.h>
#include <gradus/nn/adapters.h>
#include <gradus/nn/freeze.h>
#include <gradus/random.h>

#include <algorithm>
#include <cmath>

#include "data/loader/fingerprint.h"
#include "distributed/sums/rows.h"
#include "optim/engine/minimize.h"
#include "recipe/builder.h"

namespace gradus::recipe {

namespace {

// A NaN may have a sign, which says nothing.
double unsigned_nan(double x) { return std::isnan(x) ? std::fabs(x) : x; }

// Where an index was out of range, which samples the least and the largest label are of.
RecipeError with_labels(const RecipeError& error, const data::Batch& batch, const data::Dataset& dataset) {
  std::vector<Mistake> mistakes = error.mistakes();
  const Tensor& y = batch.target;
  const bool labelled = y.defined() && !y.is_floating_point() && y.dim() == 1 && y.size(0) == batch.size();
  if (!labelled || batch.size() == 0) return error;
  const auto labels = y.to_vector<std::int64_t>();
  const auto [least, most] = std::minmax_element(labels.begin(), labels.end());
  const auto named = [&](auto label) {
    return std::to_string(*label) + " (" +
           dataset.name(batch.indices[static_cast<std::size_t>(label - labels.begin())]) + ")";
  };
  for (Mistake& mistake : mistakes)
    if (mistake.of_index) mistake.what += "; labels are from " + named(least) + " to " + named(most);
  return RecipeError(std::move(mistakes));
}

}  // namespace

Training::Training(const Recipe& recipe, Mistakes mistakes, const StandIn& stand_in)
    : recipe_(recipe), stand_in_(stand_in), networks_(std::make_shared<Networks>()) {
  Builder(*this, mistakes).build();
  mistakes.raise();
  networks_->train();
}

Training::~Training() = default;

nn::Module& Training::networks() { return *networks_; }

nn::Module& Training::network(const std::string& name) { return networks_->get_submodule(name); }

optim::Optimizer& Training::optimizer(const std::string& name) {
  for (std::size_t i = 0; i < trainers_.size(); ++i)
    if (recipe_.optimizers[i].name == name) return *trainers_[i].optimizer;
  throw ValueError("the recipe has no optimizer '" + name + "'");
}

std::vector<std::string> Training::optimizer_names() const {
  std::vector<std::string> names;
  for (const OptimizerPart& part : recipe_.optimizers) names.push_back(part.name);
  return names;
}

std::vector<std::string> Training::trained_later() const {
  std::vector<bool> before(trainers_.size()), after(trainers_.size());
  for (std::size_t i = 0; i < recipe_.phases.size(); ++i)
    for (const Update& update : recipe_.phases[i].updates)
      (static_cast<std::int64_t>(i) < std::max<std::int64_t>(phase_, 1) ? before : after)[update.optimizer] = true;
  std::vector<std::string> names;
  const auto owned = [&](const Tensor& parameter, const std::vector<bool>& by) {
    for (std::size_t i = 0; i < trainers_.size(); ++i)
      for (const Tensor& own : trainers_[i].optimizer->parameters())
        if (by[i] && own.is_same(parameter)) return true;
    return false;
  };
  for (const auto& [name, parameter] : networks_->named_parameters())
    if (owned(parameter, after) && !owned(parameter, before)) names.push_back(name);
  return names;
}

void Training::to(Device device) {
  networks_->to(device);
  for (Value& constant : constants_)
    if (auto* x = std::get_if<Tensor>(&constant)) *x = x->to(device);
  device_ = device;
}

Shape Training::sample_sizes() const { return loader_ ? loader_->dataset().get(0).data.sizes() : Shape{}; }

std::int64_t Training::steps_per_epoch() const { return loader_ ? loader_->size() : 0; }

const std::string& Training::phase_name() const {
  return recipe_
      .phases[static_cast<std::size_t>(
          std::min<std::int64_t>(phase_, static_cast<std::int64_t>(recipe_.phases.size()) - 1))]
      .name;
}

std::int64_t Training::phase_steps() const {
  if (done()) return 0;
  const Phase& phase = recipe_.phases[static_cast<std::size_t>(phase_)];
  return phase.epochs > 0 ? phase.epochs * steps_per_epoch() : phase.steps;
}

std::int64_t Training::total_steps() const {
  std::int64_t total = 0;
  for (const Phase& phase : recipe_.phases) total += phase.epochs > 0 ? phase.epochs * steps_per_epoch() : phase.steps;
  return total;
}

Frame Training::new_frame() const {
  Frame frame(names_.variables.size(), device_);
  for (std::size_t i = 0; i < constants_.size(); ++i) frame.set(first_constant_ + i, constants_[i]);
  for (std::size_t i = 0; i < values_.size(); ++i) frame.set_formula(first_value_ + i, &values_[i]);
  for (std::size_t i = 0; i < losses_.size(); ++i) frame.set_formula(first_loss_ + i, &losses_[i]);
  frame.set(batch_, recipe_.data.fields.integer("batch_size"));
  return frame;
}

void Training::set_batch(Frame& frame, const data::Batch& batch) const {
  frame.set(batch_, batch.size());
  frame.set(x_, batch.data.to(device_));
  if (batch.target.defined())
    frame.set(y_, batch.target.to(device_));
  else
    frame.set(y_, Value());
}

// The place in the data is the epoch and the batches that were taken of it; the loader has it too, and goes on from
// there when a checkpoint was loaded.
data::Batch Training::next_batch() {
  if (epoch_step_ == 0) {
    batches_.reset();
    loader_->set_epoch(epoch_);
    batches_.emplace(loader_->begin());
  } else if (batches_) {
    ++*batches_;
  } else {
    batches_.emplace(loader_->begin());
  }
  if (*batches_ == std::default_sentinel) throw ValueError("the data ended before its epoch did");
  return **batches_;
}

void Training::start_phase() {
  const Phase& phase = recipe_.phases[static_cast<std::size_t>(phase_)];
  for (const Node& pattern : phase.freeze) nn::freeze(*networks_, pattern.text);
  for (const Node& pattern : phase.unfreeze) nn::unfreeze(*networks_, pattern.text);
  for (const Node& use : phase.use)
    nn::set_adapter(networks_->get_submodule(use.key), use.text == "none" ? "" : use.text);
  for (const Change& change : phase.changes) change_options(*trainers_[change.optimizer].optimizer, change, false);
  for (const Change& change : phase.scales) change_options(*trainers_[change.optimizer].optimizer, change, true);
  if (epoch_step_ > 0) {  // a phase begins with an epoch
    ++epoch_;
    epoch_step_ = 0;
  }
}

gradus::training::Updater& Training::updater() {
  if (updater_ == nullptr) {
    own_updater_ = std::make_unique<gradus::training::Updater>(*networks_, recipe_.chunks);
    updater_ = own_updater_.get();
  }
  return *updater_;
}

bool Training::update(const Update& update, Frame& frame, const data::Batch& batch) {
  const Formula& formula = losses_[update.loss];
  Trainer& trainer = trainers_[update.optimizer];
  optim::Optimizer& optimizer = *trainer.optimizer;
  gradus::training::Updater& by = updater();
  const auto chunks = loader_ ? by.chunks(batch) : by.chunks(recipe_.data.fields.integer("batch_size"));
  const auto loss = [&](const nn::Chunk& chunk) {
    if (by.cuts()) {
      frame.forget();
      if (loader_) {
        set_batch(frame, distributed::chunk_of(batch, chunk));
      } else {
        frame.set(batch_, chunk.size);
      }
    }
    return formula.scalar(frame);
  };
  const auto accept = [&](double value) {
    value = unsigned_nan(value);
    last_losses_[update.loss] = value;
    return !accept_ || accept_(recipe_.losses[update.loss].name, value);
  };
  bool stepped = false;
  at_place(recipe_.optimizers[update.optimizer].place, [&] {
    if (update.accumulate == 1) {
      const auto result = by.minimize(optimizer, chunks, loss, accept);
      stepped = result && result->stepped;
      return;
    }
    // The update's turns in its phase are taken together, `accumulate` at a time; the last ones may be fewer.
    const std::int64_t turn = (phase_step_ + 1) / update.every - 1, turns = phase_steps() / update.every;
    const std::int64_t first = turn / update.accumulate * update.accumulate;
    const std::int64_t count = std::min(update.accumulate, turns - first);
    if (turn == first) optimizer.zero_grad();
    by.backward("accumulate", optimizer, chunks, loss, accept, static_cast<double>(count));
    stepped = turn + 1 == first + count && optimizer.step();
  });
  trainer.used = trainer.used || stepped;
  if (stepped && trainer.schedule && trainer.by_step)
    at_place(recipe_.optimizers[update.optimizer].schedule.fields.place, [&] { trainer.schedule->step(); });
  return stepped;
}

void Training::Average::step() {
  ++steps;
  if (steps <= after || (steps - after) % every != 0) return;
  optim::swa_utils::detail::update(*average, *model, options, (steps - after) / every - 1);
}

StepReport Training::step() {
  if (done()) throw ValueError("the recipe has no further steps");
  if (phase_step_ == 0) start_phase();
  const Phase& phase = recipe_.phases[static_cast<std::size_t>(phase_)];
  Frame frame = new_frame();
  data::Batch batch;
  if (loader_) set_batch(frame, batch = next_batch());
  try {
    for (const Update& one : phase.updates) {
      if ((phase_step_ + 1) % one.every != 0) continue;
      frame.forget();
      update(one, frame, batch);
    }
  } catch (const RecipeError& e) {
    if (!loader_) throw;
    throw with_labels(e, batch, loader_->dataset());
  }
  for (Average& average : averages_) average.step();
  const std::int64_t steps = phase_steps();
  ++phase_step_;

  StepReport report;
  report.phase_ended = phase_step_ == steps;
  if (loader_ && ++epoch_step_ == steps_per_epoch()) {
    report.epoch_ended = true;
    ++epoch_;
    epoch_step_ = 0;
    for (std::size_t i = 0; i < trainers_.size(); ++i) {
      Trainer& trainer = trainers_[i];
      if (trainer.plateau) continue;
      if (std::exchange(trainer.used, false) && trainer.schedule && !trainer.by_step)
        at_place(recipe_.optimizers[i].schedule.fields.place, [&] { trainer.schedule->step(); });
    }
  }
  const auto due = [&](std::int64_t every) {
    return report.phase_ended || (report.epoch_ended && epoch_ % std::max<std::int64_t>(every, 1) == 0);
  };
  if (!metrics_.empty() && due(recipe_.evaluate.integer("every"))) report.metrics = evaluate();
  if (report.metrics) {
    for (Trainer& trainer : trainers_)
      if (trainer.plateau && std::exchange(trainer.used, false))
        trainer.plateau->step((*report.metrics)[trainer.plateau_metric].second);
  }
  for (const Image& image : images_)
    if (distributed::rank() == 0 && due(image.part->fields.integer("every"))) report.images.push_back(draw(image));
  if (report.phase_ended) {
    ++phase_;
    phase_step_ = 0;
  }
  return report;
}

Training::Aside::Aside(Training& training) : training_(training), before_(default_generator()) {
  default_generator().manual_seed(training.recipe_.seed + 0x5eed);
  training.networks_->eval();
}

Training::Aside::~Aside() {
  default_generator() = before_;
  training_.networks_->train();
}

std::vector<NamedNumber> Training::evaluate() {
  const Aside aside(*this);
  const NoGrad guard;
  Frame frame = new_frame();
  const auto add = [&](distributed::Rows& rows, double key, std::int64_t count) {
    frame.forget();
    rows.push_back({key, static_cast<double>(count)});
    for (const Formula& metric : metrics_) rows.back().push_back(metric.scalar(frame).item());
  };
  distributed::Rows rows;  // by batch: its place, its size, its metrics
  if (test_loader_) {
    test_loader_->set_epoch(0);
    for (const data::Batch& batch : *test_loader_) {
      const std::int64_t first = batch.indices[0];
      // Processes take the batches in turn: what one draws must not depend on those before it.
      if (updater().cuts())
        default_generator().manual_seed(data::mix_seed(recipe_.seed + 0x5eed, static_cast<std::uint64_t>(first)));
      set_batch(frame, batch);
      add(rows, static_cast<double>(first), batch.size());
    }
    rows = distributed::gather_rows("an evaluation", rows);
  } else {
    for (std::int64_t i = 0; i < recipe_.evaluate.integer("batches"); ++i) add(rows, static_cast<double>(i), 1);
  }
  std::vector<double> sums(metrics_.size());
  double samples = 0;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += row[i + 2] * row[1];
    samples += row[1];
  }
  std::vector<NamedNumber> metrics;
  for (std::size_t i = 0; i < metrics_.size(); ++i)
    metrics.emplace_back(recipe_.metrics[i].name, unsigned_nan(sums[i] / std::max(samples, 1.0)));
  return metrics;
}

ImageGrid Training::draw(const Image& image) {
  const Fields& fields = image.part->fields;
  const Aside aside(*this);
  const NoGrad guard;
  Frame frame = new_frame();
  if (loader_) {
    const data::Dataset& shown = test_loader_ ? test_loader_->dataset() : loader_->dataset();
    set_batch(frame, first_samples(shown, recipe_.data.fields.integer("batch_size"), recipe_.seed));
  }
  Tensor x = image.show.tensor(frame);
  std::vector<std::int64_t> size = fields.integers("size");
  if (size.size() == 1) size.push_back(size[0]);
  at_place(image.show.place(), [&] {
    if (size.size() == 2) x = x.reshape({x.size(0), size[0], size[1]});
    if (x.dim() == 4 && x.size(1) == 1) x = x.squeeze(1);
    if (x.dim() != 3) {
      throw ShapeError("an image needs [n, height, width] or [n, 1, height, width], got " + to_string(x.sizes()) +
                       "; `size` gives rows of pixels a form");
    }
  });
  const std::vector<double> range = fields.numbers("range");
  const Tensor gray = (x.to(kFloat32) - range[0]) * (255 / (range[1] - range[0]));
  return ImageGrid{image.part->name, gray.clamp(0, 255).to(kUInt8).contiguous(), fields.integer("columns")};
}

void Training::add_to(training::Checkpoint& state) {
  if (loader_) {
    state.add(
        "data", [now = data::fingerprint(loader_->dataset())] { return now; },
        [this](const io::Value& saved) { data::check_fingerprint(saved, data::fingerprint(loader_->dataset())); });
  }
  state.add("networks", static_cast<nn::Module&>(*networks_));
  for (std::size_t i = 0; i < trainers_.size(); ++i) {
    const std::string& name = recipe_.optimizers[i].name;
    state.add("optimizer." + name, *trainers_[i].optimizer);
    if (trainers_[i].schedule) state.add("schedule." + name, *trainers_[i].schedule);
    if (trainers_[i].plateau) state.add("schedule." + name, *trainers_[i].plateau);
    state.add("used." + name, trainers_[i].used);
  }
  for (Average& average : averages_) state.add("average." + average.name, average.steps);
  for (std::size_t i = 0; i < last_losses_.size(); ++i) {
    std::optional<double>& loss = last_losses_[i];
    state.add(
        "loss." + recipe_.losses[i].name, [&loss] { return loss ? io::Value(*loss) : io::Value(); },
        [&loss](const io::Value& value) { loss = value.is_none() ? std::nullopt : std::optional(value.as_double()); });
  }
  const bool accumulates = std::any_of(recipe_.phases.begin(), recipe_.phases.end(), [](const Phase& phase) {
    return std::any_of(phase.updates.begin(), phase.updates.end(), [](const Update& u) { return u.accumulate > 1; });
  });
  if (accumulates) {
    const auto save = [this] {
      io::Value gradients = io::Value::dict();
      for (const auto& [name, parameter] : networks_->named_parameters())
        if (parameter.grad().defined()) gradients.set(name, parameter.grad());
      return gradients;
    };
    state.add("gradients", save, [this](const io::Value& gradients) {
      for (auto& [name, parameter] : networks_->named_parameters()) {
        Tensor x = parameter;
        x.set_grad(gradients.contains({name}) ? gradients.as_tensor({name}) : Tensor());
      }
    });
  }
  for (const NetworkPart& part : recipe_.networks) {
    if (part.adapters.empty() && !part.average) continue;  // an average has its network's
    nn::Module& network = networks_->get_submodule(part.name);
    state.add(
        "adapter." + part.name,
        [&network] {
          const std::vector<std::string> active = nn::active_adapters(network);
          return io::Value(active.empty() ? std::string() : active[0]);
        },
        [&network](const io::Value& value) { nn::set_adapter(network, value.as_string()); });
  }
  state.add("phase", phase_);
  state.add("phase_step", phase_step_);
  state.add("epoch", epoch_);
  state.add("epoch_step", epoch_step_);
  if (loader_) state.add("loader", *loader_);
}

std::vector<NamedNumber> Training::losses() const {
  std::vector<NamedNumber> losses;
  for (std::size_t i = 0; i < last_losses_.size(); ++i)
    if (last_losses_[i]) losses.emplace_back(recipe_.losses[i].name, *last_losses_[i]);
  return losses;
}

std::vector<NamedNumber> Training::rates() const {
  std::vector<NamedNumber> rates;
  for (std::size_t i = 0; i < trainers_.size(); ++i) {
    const optim::Optimizer& optimizer = *trainers_[i].optimizer;
    for (std::size_t group = 0; group < optimizer.group_count(); ++group) {
      const optim::OptionValue rate = optimizer.option(group, "lr");
      const std::string name = recipe_.optimizers[i].name;
      const std::string part = optimizer.group_name(group).empty() ? "" : "." + optimizer.group_name(group);
      if (const auto* number = std::get_if<double>(&rate)) rates.emplace_back(name + part, *number);
    }
  }
  return rates;
}

}  // namespace gradus::recipe
