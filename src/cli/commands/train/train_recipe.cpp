#include "cli/commands/train/train_recipe.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <gradus/core/portable.h>
#include <gradus/io/load.h>
#include <gradus/models/pretrained.h>
#include <gradus/random.h>
#include <gradus/training/adapter_files.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <set>

#include "cli/commands/flops.h"
#include "cli/run/interrupt.h"
#include "cli/run/output.h"
#include "cli/run/processes.h"
#include "cli/run/progress.h"
#include "cli/run/run_watch.h"
#include "cli/text/language_model.h"
#include "io/file/atomic_file.h"
#include "io/image/png.h"
#include "recipe/language/audit_words.h"
#include "recipe/training.h"
#include "text/table.h"

namespace gradus::cli {

namespace fs = std::filesystem;
using nlohmann::ordered_json;
using recipe::NamedNumber;

namespace {

// Where recipes lie beside the running command: in an installed copy, and in a build folder.
std::vector<fs::path> recipe_folders() {
  std::error_code error;
  const fs::path here = fs::read_symlink("/proc/self/exe", error).parent_path();
  return {here / "../share/gradus/recipes", here / "share/gradus/recipes"};
}

// A run keeps the recipe that it follows.
std::string kept_recipe(const std::string& out) { return out + "/recipe.yaml"; }

void add_numbers(ordered_json& json, const std::vector<NamedNumber>& numbers) {
  for (const auto& [name, value] : numbers) json[name] = value;
}

ordered_json to_json(const std::vector<NamedNumber>& numbers) {
  ordered_json json = ordered_json::object();
  add_numbers(json, numbers);
  return json;
}

// "d_loss 0.693" for all but the first, which the progress bar shows itself.
std::string further(const std::vector<NamedNumber>& losses) {
  std::string text;
  for (std::size_t i = 1; i < losses.size(); ++i)
    text += fmt::format("{}{} {:.4g}", i == 1 ? "" : "  ", losses[i].first, losses[i].second);
  return text;
}

// Ready to train; all mistakes are found.
std::unique_ptr<recipe::Training> training_of(const std::string& path, const std::vector<std::string>& changes,
                                              const std::string& name = "", const recipe::StandIn& stand_in = {},
                                              std::int64_t chunks = 0) {
  recipe::Mistakes mistakes;
  recipe::Recipe recipe = recipe::read_recipe(path, changes, mistakes);
  if (!name.empty()) recipe.name = name;
  if (recipe.portable) set_portable(true);
  recipe.chunks = chunks;
  manual_seed(recipe.seed);
  auto training = std::make_unique<recipe::Training>(recipe, std::move(mistakes), stand_in);
  for (const std::string& note : training->notes()) warn("note: " + note);
  training->check();
  return training;
}

// What becomes of a table, for whoever uses the networks later.
ordered_json encoding_of(const recipe::Training& training, const std::vector<std::string>& changes) {
  if (!training.encoding()) return {};
  const data::CsvEncoding& encoding = *training.encoding();
  const char* types[] = {"auto", "int", "float", "class"};
  ordered_json json{{"changes", changes},
                    {"columns", encoding.columns},
                    {"one_hot", encoding.one_hot},
                    {"target", encoding.target},
                    {"target_type", types[static_cast<int>(encoding.target_type)]},
                    {"classes", encoding.classes}};
  if (const auto& standardization = training.standardization())
    json["standardize"] = {{"mean", standardization->mean()}, {"std", standardization->std()}};
  return json;
}

class RecipeRun {
 public:
  RecipeRun(Run& run, recipe::Training& training, const RecipeOptions& options)
      : run_(run), training_(training), options_(options) {
    run_.state().add(
        "metrics_now", [this] { return save_metrics(); }, [this](const io::Value& value) { load_metrics(value); });
    training_.add_to(run_.state());
    run_.watch(watched());
    training_.on_update([this](const std::string& loss, double value) { return run_.accept(loss, value); });
  }

  int train() {
    const recipe::Recipe& recipe = training_.recipe();
    const std::int64_t log_every = recipe.outputs.integer("log_every");
    run_.begin(training_.networks());
    training_.use(run_.updater());
    std::unique_ptr<Progress> progress;
    std::string watched_phase;
    while (!training_.done() && !run_.interrupted()) {
      const std::string phase = training_.phase_name();
      const std::int64_t steps = training_.phase_steps();
      if (!progress) {
        progress = std::make_unique<Progress>(phase, steps);
        progress->start_at(training_.phase_step());
      }
      if (watched_phase != phase) run_.begin_phase(watched_phase = phase);
      const recipe::StepReport report = training_.step();
      const std::int64_t step = run_.step() + 1;
      const std::int64_t phase_step = report.phase_ended ? steps : training_.phase_step();
      const std::vector<NamedNumber> losses = training_.losses();
      progress->update(phase_step, losses.empty() ? 0 : losses[0].second, further(losses));
      if (step % log_every == 0 || report.phase_ended) {
        ordered_json line{{"step", step}, {"phase", phase}, {"epoch", training_.epochs()}};
        add_numbers(line, losses);
        const std::vector<NamedNumber> rates = training_.rates();
        for (const auto& [name, rate] : rates) line[rates.size() == 1 ? "lr" : "lr." + name] = rate;
        run_.log(line);
      }
      std::optional<double> best;
      if (report.metrics) {
        metrics_ = *report.metrics;
        ordered_json line{{"step", step}, {"phase", phase}, {"epoch", training_.epochs()}};
        for (const auto& [name, value] : metrics_) {
          line["test." + name] = value;
          if (name == recipe.best) best = value;
          if (!std::isfinite(value) && nonfinite_.insert(name).second)
            warn(fmt::format("step {}: test.{} is {}", step, name, value));
        }
        run_.log(line);
      }
      for (const recipe::ImageGrid& grid : report.images) write(grid);
      if (report.epoch_ended || report.phase_ended) run_.end_epoch();
      if (report.phase_ended) {
        progress->finish();
        progress.reset();
      }
      run_.advance(best);
      if (report.phase_ended) run_.end_phase();
    }
    if (progress) progress->finish();
    run_.end();
    write_results();
    return run_.status();
  }

 private:
  Watched watched() {
    const recipe::Recipe& recipe = training_.recipe();
    std::vector<optim::AuditedModels::Model> networks;
    for (const recipe::NetworkPart& network : recipe.networks)
      networks.emplace_back(network.name, training_.network(network.name));
    std::vector<training::NamedOptimizer> optimizers;
    for (const std::string& name : training_.optimizer_names()) optimizers.push_back({name, training_.optimizer(name)});
    return {std::move(networks), std::move(optimizers), recipe.expected, [this](optim::AuditFinding& finding) {
              recipe::in_recipe_words(finding);
              if (finding.rule != "never-stepped" || training_.done()) return;
              for (const std::string& later : training_.trained_later()) std::erase(finding.parameters, later);
            }};
  }

  void write(const recipe::ImageGrid& grid) const {
    const auto bytes = grid.images.to_vector<std::uint8_t>();
    const Shape& sizes = grid.images.sizes();
    io::write_png(run_.path(fmt::format("{}-{:03}.png", grid.name, training_.epochs())),
                  io::image_grid(bytes.data(), sizes[0], sizes[1], sizes[2], grid.columns).view());
  }

  // NET.pth. Beside it, of what is laid out otherwise elsewhere: each adapter as PEFT's folder NET-ADAPTER, and a model
  // that came from a folder of the Hub's as another one, NET.
  void write_weights(const recipe::NetworkPart& part) const {
    const nn::Module& network = training_.network(part.name);
    io::save(run_.path(part.name + ".pth"), network.state_dict());
    const bool pretrained = part.model.row != nullptr && part.model.row->form.name == "from_pretrained";
    const std::string folder = pretrained ? part.model.fields.text("folder") : "";
    for (const auto& [name, adapter] : part.adapters)
      training::save_adapter(network, run_.path(part.name + "-" + name.text),
                             {.name = name.text, .base_model = folder});
    if (!pretrained || !part.adapters.empty()) return;
    models::save_pretrained(network, run_.path(part.name));
    copy_tokenizer(folder, run_.path(part.name));
  }

  void write_results() {
    const recipe::Recipe& recipe = training_.recipe();
    for (const recipe::NetworkPart& network : recipe.networks)
      run_.check_finite(network.name, training_.network(network.name));
    if (recipe.outputs.flag("weights") && run_.writes()) {
      for (const recipe::NetworkPart& network : recipe.networks) write_weights(network);
    }
    run_.write_summary({{"command", "train"},
                        {"recipe", recipe.name},
                        {"changes", options_.changes},
                        {"seed", recipe.seed},
                        {"steps", run_.step()},
                        {"epochs", training_.epochs()},
                        {"interrupted", run_.interrupted()},
                        {"training_seconds", run_.seconds()},
                        {"losses", to_json(training_.losses())},
                        {"metrics", to_json(metrics_)}});
    for (const auto& [name, value] : metrics_) say("{}: {:.4g}\n", name, value);
    say("trained in {:.1f} s\nsummary: {}\n", run_.seconds(), run_.path("summary.json"));
  }

  io::Value save_metrics() const {
    io::Value value = io::Value::dict();
    for (const auto& [name, number] : metrics_) value.set(name, number);
    return value;
  }
  void load_metrics(const io::Value& value) {
    metrics_.clear();
    for (const auto& [name, number] : value.entries()) metrics_.emplace_back(name.text(), number.as_double());
  }

  Run& run_;
  recipe::Training& training_;
  const RecipeOptions& options_;
  std::vector<NamedNumber> metrics_;
  std::set<std::string> nonfinite_;  // metrics that were
};

}  // namespace

std::string find_recipe(const std::string& recipe) {
  std::error_code error;
  if (fs::is_regular_file(recipe, error)) return recipe;
  std::vector<std::string> names;
  for (const fs::path& folder : recipe_folders()) {
    for (const auto& file : fs::directory_iterator(folder, error)) {
      if (file.path().extension() != ".yaml") continue;
      names.push_back(file.path().stem().string());
      if (names.back() == recipe) return file.path().lexically_normal().string();
    }
  }
  std::sort(names.begin(), names.end());
  throw IoError("there is no recipe '" + recipe + "', neither a file nor one that comes with Gradus" +
                did_you_mean(recipe, names));
}

int train_recipe(const RecipeOptions& given) {
  const InterruptScope interrupts;
  RecipeOptions options = given;
  check_chunks(options.run.chunks);
  // A run that was killed before it began has not kept its recipe yet.
  const std::string kept = kept_recipe(options.run.out);
  const std::string path = options.run.resume && fs::exists(kept) ? kept : find_recipe(options.recipe);
  // All mistakes are found before the run's folder is touched.
  const auto checked =
      training_of(path, options.changes, fs::path(options.recipe).stem().string(), {}, options.run.chunks);
  recipe::Training& training = *checked;
  const recipe::Recipe& recipe = training.recipe();
  if (options.run.out.empty()) options.run.out = "out/" + recipe.name;
  options.run.seed = recipe.seed;
  options.run.best = recipe.best_mode;
  options.run.on_nan = recipe.on_nan;
  options.run.audit = options.run.audit || recipe.audit;
  const gradus::Generator drawn = default_generator();
  Run run(options.run);
  default_generator() = drawn;
  training.to(run.device());
  run.keep("recipe.yaml", recipe.text);
  if (const ordered_json encoding = encoding_of(training, options.changes); !encoding.is_null())
    run.keep("data.json", encoding.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n");
  return RecipeRun(run, training, options).train();
}

int plan_recipe(const PlanOptions& options) {
  recipe::StandIn stand_in{.allowed = true, .classes = options.classes};
  bandwidth_of(options.processes.bandwidth);  // wrong ones are said at once
  duration_of("--latency", options.processes.latency);
  duration_of("--overhead", options.processes.overhead);
  if (!options.input.empty()) stand_in.input = parse_sizes("--input", options.input);
  const auto training = training_of(find_recipe(options.recipe), options.changes, "", stand_in);
  const std::int64_t samples = training->recipe().data.fields.integer("batch_size");
  for (const auto& [phase, plan] : training->plan()) {
    fmt::print("{}\n{}\n", phase, plan.to_string());
    if (options.processes.processes > 1) fmt::print("{}\n", plan_of_processes(plan, samples, options.processes));
  }
  return 0;
}

int check_recipe(const RecipeOptions& options) {
  const std::string path = find_recipe(options.recipe);
  const auto checked = training_of(path, options.changes);
  const recipe::Recipe& recipe = checked->recipe();
  recipe::Training& training = *checked;
  std::int64_t parameters = 0;
  for (const Tensor& x : training.networks().parameters()) parameters += x.numel();
  fmt::print("{}: fine: {} parameters in {} network{}, {} steps in {} phase{}\n", path, parameters,
             recipe.networks.size(), recipe.networks.size() == 1 ? "" : "s", training.total_steps(),
             recipe.phases.size(), recipe.phases.size() == 1 ? "" : "s");
  return 0;
}

}  // namespace gradus::cli
