// A recipe at work.
//
//   recipe::Training training(recipe);   // the default generator is seeded
//   training.check();                    // one batch through everything, and back as if it had not been
//   training.add_to(state);              // for checkpoints
//   while (!training.done()) {
//     const auto report = training.step();
//     ...
//   }
#pragma once

#include <gradus/data/data_loader.h>
#include <gradus/data/datasets.h>
#include <gradus/data/transforms.h>
#include <gradus/optim/control/plan.h>
#include <gradus/optim/swa_utils.h>
#include <gradus/training/checkpoint.h>

#include <functional>

#include "recipe/language/formula.h"
#include "recipe/language/stand_in.h"
#include "recipe/recipe.h"
#include "training/updater.h"

namespace gradus::recipe {

using NamedNumber = std::pair<std::string, double>;

// A grid of images to be written.
struct ImageGrid {
  std::string name;
  Tensor images;  // uint8 [n, height, width]
  std::int64_t columns = 8;
};

// What happened in a step, beside the step.
struct StepReport {
  bool epoch_ended = false, phase_ended = false;
  std::optional<std::vector<NamedNumber>> metrics;  // where it was evaluated
  std::vector<ImageGrid> images;
};

class Training {
 public:
  // Makes networks, in the order of the recipe, then constants, optimizers and the loader. RecipeError with all
  // mistakes: patterns that match nothing, names that do not exist, files that are missing, options out of range.
  explicit Training(const Recipe& recipe) : Training(recipe, {}) {}
  // With mistakes that reading found: they are raised too.
  Training(const Recipe& recipe, Mistakes mistakes) : Training(recipe, std::move(mistakes), {}) {}
  // Where data or weights are missing, blank ones stand for them if that is allowed; notes() says which.
  Training(const Recipe& recipe, Mistakes mistakes, const StandIn& stand_in);
  ~Training();
  Training(const Training&) = delete;
  Training& operator=(const Training&) = delete;

  // Computes every loss and metric on two samples: sizes that do not fit are RecipeErrors at their place. Random
  // numbers and running statistics are as before.
  void check();

  // Computes there from now on: networks, constants and batches move. Before the first step.
  void to(Device device);
  // Who makes the updates, in however many processes; by default one that it makes itself.
  void use(gradus::training::Updater& updater) { updater_ = &updater; }

  // Everything that steps change. The parts are referred to.
  void add_to(training::Checkpoint& state);

  bool done() const { return phase_ >= static_cast<std::int64_t>(recipe_.phases.size()); }
  StepReport step();

  // The phase of the next step, and how far it is.
  const std::string& phase_name() const;
  std::int64_t phase_step() const { return phase_step_; }
  std::int64_t phase_steps() const;
  std::int64_t total_steps() const;  // of all phases
  std::int64_t epochs() const { return epoch_; }

  // Asked before each update, with the loss's name and value, whether to make it. Without it all are made.
  void on_update(std::function<bool(const std::string& loss, double value)> accept) { accept_ = std::move(accept); }

  // As they were when they were last computed, in the order of the recipe; those of no update yet are left out.
  std::vector<NamedNumber> losses() const;
  // The rate of each group: "optimizer", or "optimizer.group" where there are several.
  std::vector<NamedNumber> rates() const;
  // Metrics now.
  std::vector<NamedNumber> evaluate();

  // Who trains what in each phase, and what that costs. Goes through the phases without training: the last call.
  std::vector<std::pair<std::string, optim::Plan>> plan();

  const Recipe& recipe() const { return recipe_; }
  // What was guessed of the data, for people to read.
  const std::vector<std::string>& notes() const { return notes_; }
  // What becomes of the table that it is trained on; none for other data.
  const std::optional<data::CsvEncoding>& encoding() const { return encoding_; }
  const std::optional<data::transforms::Normalize>& standardization() const { return standardization_; }
  nn::Module& networks();
  nn::Module& network(const std::string& name);
  optim::Optimizer& optimizer(const std::string& name);
  std::vector<std::string> optimizer_names() const;
  // Names of parameters that only optimizers of phases to come own.
  std::vector<std::string> trained_later() const;
  // Sizes of one sample; empty without a dataset.
  Shape sample_sizes() const;

 private:
  struct Networks;
  class Builder;
  struct Trainer {
    std::unique_ptr<optim::Optimizer> optimizer;
    std::optional<optim::lr_scheduler::LRScheduler> schedule;
    std::optional<optim::lr_scheduler::ReduceLROnPlateau> plateau;
    std::size_t plateau_metric = 0;
    bool by_step = false, used = false;  // `used` in this epoch; of a plateau, since the last evaluation
  };
  // A network whose weights are the average of another's.
  struct Average {
    std::string name;
    nn::Module *average, *model;
    std::int64_t after, every;
    optim::swa_utils::AveragedModelOptions options;
    std::int64_t steps = 0;
    void step();
  };
  struct Image {
    Formula show;
    const ImagePart* part;
  };
  // Around what looks on: random numbers of its own, and evaluation mode, so that training draws what it would have.
  class Aside {
   public:
    explicit Aside(Training& training);
    ~Aside();
    Aside(const Aside&) = delete;
    Aside& operator=(const Aside&) = delete;

   private:
    Training& training_;
    gradus::Generator before_;
  };

  void start_phase();
  void check_last_batch();
  data::Batch next_batch();
  void set_batch(Frame& frame, const data::Batch& batch) const;
  Frame new_frame() const;
  bool update(const Update& update, Frame& frame, const data::Batch& batch);
  gradus::training::Updater& updater();
  ImageGrid draw(const Image& image);
  std::int64_t steps_per_epoch() const;
  // The first samples of a dataset, as a loader's first epoch would have them.
  static data::Batch first_samples(const data::Dataset& dataset, std::int64_t count, std::uint64_t seed);

  Recipe recipe_;
  StandIn stand_in_;
  bool stands_in_ = false;  // for the data
  std::shared_ptr<Networks> networks_;
  Names names_;
  std::size_t x_ = 0, y_ = 0, batch_ = 0, first_constant_ = 0, first_value_ = 0, first_loss_ = 0;
  std::vector<Formula> values_, losses_, metrics_;
  std::vector<Image> images_;
  Device device_;
  std::vector<Value> constants_;  // the same for every run of a seed, and so not in checkpoints
  std::vector<Trainer> trainers_;
  std::vector<Average> averages_;
  std::optional<data::DataLoader> loader_, test_loader_;
  std::vector<std::string> notes_;
  std::optional<data::CsvEncoding> encoding_;
  std::optional<data::transforms::Normalize> standardization_;
  std::optional<data::DataLoader::Iterator> batches_;

  std::int64_t phase_ = 0, phase_step_ = 0;
  std::int64_t epoch_ = 0, epoch_step_ = 0;
  std::vector<std::optional<double>> last_losses_;
  std::function<bool(const std::string&, double)> accept_;
  std::unique_ptr<gradus::training::Updater> own_updater_;
  gradus::training::Updater* updater_ = nullptr;
};

}  // namespace gradus::recipe
