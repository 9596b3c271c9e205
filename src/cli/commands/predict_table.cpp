#include "cli/commands/predict_table.h"

#include <fmt/format.h>
#include <gradus/autograd.h>
#include <gradus/data.h>
#include <gradus/io/load.h>
#include <gradus/ops.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/run/output.h"
#include "io/file/posix.h"
#include "recipe/training.h"

namespace gradus::cli {

using nlohmann::ordered_json;

namespace {

constexpr std::int64_t kRowsAtOnce = 4096;

// A run's networks as they were saved, and how a row becomes what they take.
class TablePredictor {
 public:
  TablePredictor(const std::string& folder, Device device) : device_(device) {
    const std::string path = folder + "/data.json";
    std::vector<std::string> changes;
    std::optional<data::AnyTransform> standardize;
    try {
      const ordered_json json = ordered_json::parse(io::read_file(path));
      json.at("changes").get_to(changes);
      json.at("columns").get_to(encoding_.columns);
      json.at("one_hot").get_to(encoding_.one_hot);
      json.at("classes").get_to(classes_);
      json.at("target").get_to(targets_);
      whole_ = json.at("target_type") != "float";
      if (const auto found = json.find("standardize"); found != json.end()) {
        standardize = data::transforms::Normalize(found->at("mean").get<std::vector<double>>(),
                                                  found->at("std").get<std::vector<double>>());
      }
    } catch (const nlohmann::json::exception& e) {
      throw IoError(fmt::format("'{}' does not describe a table: {}", path, e.what()));
    }
    recipe::Recipe recipe = recipe::read_recipe(folder + "/recipe.yaml", changes);
    if (recipe.data.dataset.row == nullptr || recipe.data.dataset.row->form.name != "CsvDataset")
      throw ValueError("predict: the recipe in '" + folder + "' has no CsvDataset");
    options_ = recipe::csv_options(recipe.data.dataset.fields);
    options_.encoding = encoding_;
    std::vector<data::AnyTransform> steps;
    if (standardize) steps.push_back(*standardize);
    for (const auto& transform : recipe.data.test_transforms) steps.push_back(transform.row->make(transform.fields));
    if (!steps.empty()) options_.transforms.transform = data::transforms::Compose(std::move(steps));
    const recipe::Expression answer = answer_of(recipe);
    load_networks(std::move(recipe), folder);
    recipe::Mistakes mistakes;
    formula_ = recipe::Formula::compile(answer, {{"x"}, {}, &networks_->networks()}, mistakes);
    mistakes.raise();
  }

  data::CsvDataset read(const std::string& path) const { return data::CsvDataset(path, options_); }

  Tensor operator()(const Tensor& rows) const {
    const NoGrad guard;
    recipe::Frame frame(1, device_);
    frame.set(0, rows.to(device_));
    Tensor answers = formula_.tensor(frame);
    if (answers.dim() == 1) answers = answers.unsqueeze(1);
    if (answers.dim() == 2 && answers.size(0) == rows.size(0)) return answers.to(kFloat32).cpu();
    throw ShapeError("predict: need an answer for each of " + std::to_string(rows.size(0)) + " rows, got " +
                     to_string(answers.sizes()));
  }

  // Of the row's answers: the likeliest classes, or the values of the targets.
  ordered_json describe(const Tensor& answers, std::int64_t top) const {
    const std::int64_t count = answers.size(0);
    ordered_json result;
    if (whole_ && count > 1 && (classes_.empty() || count == std::ssize(classes_))) {
      const auto [values, places] = topk(softmax(answers, 0), std::min(top, count));
      for (std::int64_t i = 0; i < values.size(0); ++i) {
        const auto place = places[i].item<std::size_t>();
        const std::string name = classes_.empty() ? std::to_string(place) : classes_[place];
        result["classes"].push_back({{"class", name}, {"probability", values[i].item()}});
      }
      return result;
    }
    for (std::int64_t i = 0; i < count; ++i) {
      const bool named = count == std::ssize(targets_);
      result["values"][named ? targets_[static_cast<std::size_t>(i)] : std::to_string(i)] = answers[i].item();
    }
    return result;
  }

 private:
  static recipe::Expression answer_of(const recipe::Recipe& recipe) {
    if (recipe.predict) return *recipe.predict;
    if (recipe.networks.size() != 1)
      throw ValueError("predict: there are several networks; say what to compute in outputs, as in `predict: net(x)`");
    recipe::Expression call, x;
    call.kind = recipe::Expression::Kind::Call;
    call.text = recipe.networks[0].name;
    x.kind = recipe::Expression::Kind::Name;
    x.text = "x";
    call.operands = {x};
    return call;
  }

  // Neither data nor optimizers are needed, nor what training began with.
  void load_networks(recipe::Recipe recipe, const std::string& folder) {
    recipe.data.dataset.row = nullptr;
    recipe.data.test.row = nullptr;
    for (auto* list : {&recipe.constants, &recipe.values, &recipe.losses, &recipe.metrics}) list->clear();
    recipe.optimizers.clear();
    recipe.phases.clear();
    recipe.images.clear();
    recipe.predict.reset();
    recipe.freeze.clear();
    for (recipe::NetworkPart& network : recipe.networks) {
      network.weights.reset();
      network.inits.clear();
    }
    networks_ = std::make_unique<recipe::Training>(recipe);
    for (const recipe::NetworkPart& network : recipe.networks)
      networks_->network(network.name).load_state_dict(io::load_state_dict(folder + "/" + network.name + ".pth"));
    networks_->networks().eval();
    networks_->to(device_);
  }

  Device device_;
  data::CsvEncoding encoding_;
  std::vector<std::string> classes_, targets_;
  bool whole_ = false;
  data::CsvOptions options_;
  std::unique_ptr<recipe::Training> networks_;
  recipe::Formula formula_;
};

std::string text_of(const ordered_json& answer) {
  std::string text;
  if (answer.contains("classes")) {
    for (const auto& one : answer["classes"])
      text += fmt::format("{}{} {:.1f} %", text.empty() ? "" : ", ", one["class"].get<std::string>(),
                          100 * one["probability"].get<double>());
    return text;
  }
  const auto& values = answer["values"];
  for (const auto& [name, value] : values.items())
    text +=
        fmt::format("{}{}{:.6g}", text.empty() ? "" : ", ", values.size() > 1 ? name + " " : "", value.get<double>());
  return text;
}

}  // namespace

bool is_table_run(const std::string& folder) {
  std::error_code error;
  return std::filesystem::exists(folder + "/data.json", error) &&
         std::filesystem::exists(folder + "/recipe.yaml", error);
}

int predict_table(const PredictOptions& options) {
  const TablePredictor predictor(options.folder, options.device);
  ordered_json results = ordered_json::array();
  int status = 0;
  for (const std::string& path : options.images) {
    try {
      const data::CsvDataset table = predictor.read(path);
      data::DataLoader loader(table, {.batch_size = kRowsAtOnce});
      for (const data::Batch& batch : loader) {
        const Tensor answers = predictor(batch.data);
        if (const auto nan = sum(any(isnan(answers), {1})).item<std::int64_t>(); nan > 0) {
          complain(fmt::format("gradus: {}: the answers for {} of {} rows are NaN", path, nan, batch.size()));
          status = std::max(status, 3);
        }
        for (std::int64_t i = 0; i < batch.size(); ++i) {
          const std::string name = table.name(batch.indices[static_cast<std::size_t>(i)]);
          ordered_json answer{{"row", name}};
          answer.update(predictor.describe(answers[i], options.top));
          if (options.json)
            results.push_back(std::move(answer));
          else
            fmt::print("{}: {}\n", name, text_of(answer));
        }
      }
    } catch (const Error& e) {
      complain(fmt::format("gradus: {}", e.what()));
      status = 2;
    }
  }
  if (options.json) fmt::print("{}\n", results.dump(2, ' ', false, ordered_json::error_handler_t::replace));
  return status;
}

}  // namespace gradus::cli
