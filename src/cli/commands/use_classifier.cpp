#include "cli/commands/use_classifier.h"

#include <fmt/format.h>
#include <gradus/autograd.h>
#include <gradus/io/image.h>
#include <gradus/ops.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/commands/predict_table.h"
#include "cli/pictures/classifier.h"
#include "cli/run/output.h"
#include "io/log/jsonl.h"

namespace gradus::cli {

using nlohmann::ordered_json;

int eval_classifier(const EvalOptions& options) {
  require_available("--device", options.device);
  Classifier classifier = Classifier::load(options.folder, options.weights);
  classifier.net->to(options.device);
  const Images images = read_images(
      {.folder = options.data, .classes = options.classes, .held_out = options.held_out, .seed = options.seed},
      classifier.preprocess);
  if (images.classes != classifier.classes) {
    throw ValueError(fmt::format("the data's classes are {}, the network's {}; --classes chooses some",
                                 fmt::join(images.classes, ", "), fmt::join(classifier.classes, ", ")));
  }
  data::DataLoader loader(
      images.test,
      {.batch_size = options.batch, .num_workers = options.workers, .seed = 0, .skip_damaged = options.skip_damaged});
  const Score score =
      test_classifier([&](const Tensor& x) { return (*classifier.net)(classifier.preprocess(x.to(options.device))); },
                      loader, images.classes.size());
  if (score.pictures() == 0) {
    throw IoError(fmt::format("--data: none of the {} pictures can be read: {}", loader.skipped().size(),
                              loader.skipped()[0].error));
  }
  const int status = score.nan > 0 ? 3 : 0;
  if (score.nan > 0) complain(fmt::format("gradus: {}", score.nan_message()));
  if (options.json) {
    ordered_json result{
        {"accuracy", score.accuracy()}, {"pictures", score.pictures()}, {"skipped", loader.skipped().size()}};
    if (score.nan > 0) result["nan"] = score.nan;
    for (std::size_t i = 0; i < images.classes.size(); ++i)
      result["classes"][images.classes[i]] = {{"right", score.right[i]}, {"pictures", score.count[i]}};
    fmt::print("{}", io::to_text(result, 2));
    return status;
  }
  std::size_t width = 5;
  for (const std::string& name : images.classes) width = std::max(width, name.size());
  fmt::print("{:<{}}  right / pictures\n", "class", width);
  for (std::size_t i = 0; i < images.classes.size(); ++i) {
    const double share = score.count[i] == 0 ? 0 : 100.0 * score.right[i] / static_cast<double>(score.count[i]);
    fmt::print("{:<{}}  {:>5} / {:<5}  {:6.2f} %\n", images.classes[i], width, score.right[i], score.count[i], share);
  }
  say_skipped({&loader});
  fmt::print("accuracy {:.2f} % on {} pictures\n", 100 * score.accuracy(), score.pictures());
  return status;
}

int predict(const PredictOptions& options) {
  require_available("--device", options.device);
  if (is_table_run(options.folder)) return predict_table(options);
  Classifier classifier = Classifier::load(options.folder, options.weights);
  classifier.net->to(options.device);
  const std::int64_t size = classifier.preprocess.size;
  const auto count = std::min(options.top, static_cast<std::int64_t>(classifier.classes.size()));
  const data::AnyTransform prepare = fit_picture(size);
  const NoGrad guard;
  int status = 0;
  ordered_json results = ordered_json::array();
  for (const std::string& path : options.images) {
    try {
      const Tensor image =
          prepare(io::read_image(path, {.mode = io::ImageReadMode::RGB, .apply_exif_orientation = true}));
      const Tensor scores = (*classifier.net)(classifier.preprocess(image.unsqueeze(0).to(options.device)));
      const auto [values, classes] = topk(softmax(scores, 1)[0].cpu(), count);
      if (isnan(values).any().item<bool>()) {
        complain(fmt::format("gradus: {}: its scores are NaN", path));
        status = std::max(status, 3);
      }
      ordered_json likeliest = ordered_json::array();
      for (std::int64_t i = 0; i < count; ++i) {
        likeliest.push_back(
            {{"class", classifier.classes.at(classes[i].item<std::size_t>())}, {"probability", values[i].item()}});
      }
      results.push_back({{"image", path}, {"classes", likeliest}});
      if (options.json) continue;
      std::string line = path + ":";
      for (const auto& entry : likeliest) {
        line +=
            fmt::format(" {} {:.1f} %,", entry["class"].get<std::string>(), 100 * entry["probability"].get<double>());
      }
      line.pop_back();
      fmt::print("{}\n", line);
    } catch (const std::exception& e) {
      complain(fmt::format("gradus: {}", e.what()));
      status = 2;
    }
  }
  if (options.json) fmt::print("{}", io::to_text(results, 2));
  return status;
}

}  // namespace gradus::cli
