// What can be told of a recipe before it trains: its mistakes, and who trains what in each phase.
#include <fmt/format.h>
#include <gradus/autograd.h>
#include <gradus/core/pattern.h>
#include <gradus/data/random.h>
#include <gradus/nn/freeze.h>

#include <algorithm>

#include "optim/audit/names.h"
#include "recipe/builder.h"
#include "recipe/language/audit_words.h"
#include "recipe/training.h"

namespace gradus::recipe {

data::Batch Training::first_samples(const data::Dataset& dataset, std::int64_t count, std::uint64_t seed) {
  std::vector<data::Sample> samples;
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < std::min(count, dataset.size()); ++i) {
    const data::SampleScope scope(seed, 0, i);
    samples.push_back(dataset.get(i));
    indices.push_back(i);
  }
  data::Batch batch = data::default_collate(std::move(samples));
  batch.indices = std::move(indices);
  return batch;
}

void Training::check() {
  Mistakes mistakes;
  const auto attempt = [&](auto&& call) {
    try {
      call();
    } catch (const RecipeError& e) {
      for (const Mistake& mistake : e.mistakes()) mistakes.add(mistake.place, mistake.what);
    }
  };
  // Changes of options one after the other, and back.
  std::vector<optim::OptimizerState> states;
  for (Trainer& trainer : trainers_) states.push_back(trainer.optimizer->state_dict());
  for (const Phase& phase : recipe_.phases) {
    for (const Change& change : phase.changes)
      attempt([&] { change_options(*trainers_[change.optimizer].optimizer, change, false); });
    for (const Change& change : phase.scales)
      attempt([&] { change_options(*trainers_[change.optimizer].optimizer, change, true); });
  }
  for (std::size_t i = 0; i < trainers_.size(); ++i) trainers_[i].optimizer->load_state_dict(states[i]);

  {
    const Aside aside(*this);
    const Layers::Located located;
    const auto compute = [&](const data::DataLoader* loader, const std::vector<Formula>& formulas) {
      Frame frame = new_frame();
      constexpr std::int64_t kSamples = 2;
      frame.set(batch_, kSamples);
      if (loader != nullptr) {
        attempt([&] {
          at_place(recipe_.data.dataset.fields.place,
                   [&] { set_batch(frame, first_samples(loader->dataset(), kSamples, recipe_.seed)); });
        });
        if (!mistakes.empty()) return;
      }
      for (const Formula& formula : formulas) {
        frame.forget();
        attempt([&] { formula.scalar(frame); });
      }
    };
    compute(loader_ ? &*loader_ : nullptr, losses_);
    compute(test_loader_ ? &*test_loader_ : loader_ ? &*loader_ : nullptr, metrics_);
    for (const Image& image : images_) attempt([&] { draw(image); });
  }
  if (mistakes.empty()) attempt([&] { check_last_batch(); });
  mistakes.raise();
}

// Of one sample batch normalization has no variance: training would end with the first epoch.
void Training::check_last_batch() {
  if (!loader_) return;
  const std::int64_t samples = loader_->dataset().size(), batch = recipe_.data.fields.integer("batch_size");
  const std::int64_t chunks = std::max<std::int64_t>(gradus::training::chunks_of_run(recipe_.chunks), 1);
  // Of the last batch, and of the others where they are cut.
  const auto single = [&](std::int64_t n) { return n > 0 && n < 2 * chunks; };
  const bool last = loader_->size() != samples / batch && single(samples % batch);
  const bool others = chunks > 1 && samples >= batch && single(batch);
  if (batch == 1 || (!last && !others)) return;
  const nn::StateDict shared = networks_->state_dict();
  nn::StateDict before;
  for (const auto& [name, tensor] : shared) before.set(name, tensor.detach().clone());
  before.frozen = shared.frozen;
  {
    const Aside aside(*this);
    networks_->train();
    const NoGrad guard;
    Frame frame = new_frame();
    set_batch(frame, first_samples(loader_->dataset(), 1, recipe_.seed));
    try {
      for (const Phase& phase : recipe_.phases) {
        for (const Node& pattern : phase.freeze) nn::freeze(*networks_, pattern.text);
        for (const Node& pattern : phase.unfreeze) nn::unfreeze(*networks_, pattern.text);
        for (const Update& one : phase.updates) {
          frame.forget();
          losses_[one.loss].scalar(frame);
        }
      }
    } catch (const Error& e) {
      networks_->load_state_dict(before, {.freezing = true});
      const auto* located = dynamic_cast<const RecipeError*>(&e);
      const std::string why = located != nullptr ? located->mistakes()[0].what : e.what();
      throw RecipeError(
          {{recipe_.data.fields.place,
            chunks == 1 ? fmt::format("the last of {} samples is a batch of its own, which cannot be trained on: {}; "
                                      "drop_last: true leaves it out",
                                      samples, why)
                        : fmt::format("a batch of {} samples in {} chunks has chunks of one sample, which cannot be "
                                      "trained on: {}; {}",
                                      others ? batch : samples % batch, chunks, why,
                                      others ? "make batch_size at least twice the chunks"
                                             : "drop_last: true leaves the last batch out")}});
    }
    networks_->load_state_dict(before, {.freezing = true});
  }
}

std::vector<std::pair<std::string, optim::Plan>> Training::plan() {
  std::vector<std::pair<std::string, optim::Plan>> plans;
  for (; !done(); ++phase_) {
    start_phase();
    const Phase& phase = recipe_.phases[static_cast<std::size_t>(phase_)];
    std::int64_t samples = recipe_.data.fields.integer("batch_size");
    if (stands_in_) samples = std::min<std::int64_t>(samples, 2);  // costs are told for one
    Frame frame = new_frame();
    if (loader_) set_batch(frame, first_samples(loader_->dataset(), samples, recipe_.seed));
    optim::AuditedOptimizers optimizers;
    optim::PlanOptions options;
    std::vector<std::size_t> losses;
    for (const Update& one : phase.updates) {
      Trainer& trainer = trainers_[one.optimizer];
      if (std::find(losses.begin(), losses.end(), one.loss) == losses.end()) losses.push_back(one.loss);
      const bool known = std::any_of(optimizers.begin(), optimizers.end(), [&](const optim::Optimizer& optimizer) {
        return &optimizer == trainer.optimizer.get();
      });
      if (known) continue;
      optimizers.emplace_back(*trainer.optimizer);
      if (trainer.schedule) options.schedules.emplace_back(*trainer.schedule);
      if (trainer.plateau) options.plateaus.emplace_back(*trainer.plateau);
    }
    for (const Trainer& trainer : trainers_) {
      const bool here = std::any_of(optimizers.begin(), optimizers.end(), [&](const optim::Optimizer& optimizer) {
        return &optimizer == trainer.optimizer.get();
      });
      if (!here && trainer.optimizer) options.others.emplace_back(*trainer.optimizer);
    }
    const auto forward = [&] {
      Tensor sum;
      for (const std::size_t loss : losses) {
        frame.forget();
        const Tensor value = losses_[loss].scalar(frame);
        sum = sum.defined() ? sum + value : value;
      }
      return sum;
    };
    std::vector<std::pair<const optim::Optimizer*, std::string>> known;
    for (std::size_t i = 0; i < trainers_.size(); ++i)
      known.emplace_back(trainers_[i].optimizer.get(), recipe_.optimizers[i].name);
    const optim::OptimizerNames names(std::move(known));
    options.costs.emplace("", nn::summary(*networks_, forward));
    options.samples = loader_ ? std::min(samples, loader_->dataset().size()) : samples;
    plans.emplace_back(phase.name, optim::plan(*networks_, optimizers, options));
    auto& findings = plans.back().second.findings;
    for (const auto& [rule, pattern] : recipe_.expected) {
      for (optim::AuditFinding& finding : findings)
        if (finding.rule == rule)
          std::erase_if(finding.parameters, [&, &p = pattern](const std::string& name) { return matches(p, name); });
    }
    std::erase_if(findings, [](const optim::AuditFinding& finding) { return finding.parameters.empty(); });
    for (optim::AuditFinding& finding : findings) in_recipe_words(finding);
  }
  return plans;
}

}  // namespace gradus::recipe
