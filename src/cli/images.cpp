#include "cli/images.h"

#include <fmt/format.h>
#include <gradus/data/datasets.h>
#include <gradus/data/transforms.h>
#include <gradus/ops.h>
#include <gradus/random.h>
#include <gradus/resampling.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

namespace gradus::cli {

namespace fs = std::filesystem;
namespace T = data::transforms;

namespace {

constexpr std::int64_t kMostBorder = 8;

// Whether a border makes a picture of these sides one of `size`.
bool needs_only_a_border(std::int64_t height, std::int64_t width, std::int64_t size) {
  return std::max(height, width) <= size && std::min(height, width) + kMostBorder >= size;
}

// "0-4,7,sneaker" as the numbers of classes, each once, in the order of the classes.
std::vector<std::int64_t> select_classes(const std::string& text, const std::vector<std::string>& classes) {
  const auto count = static_cast<std::int64_t>(classes.size());
  std::vector<bool> chosen(classes.size(), text.empty());
  const auto number = [](std::string_view digits) -> std::optional<std::int64_t> {
    std::int64_t value = 0;
    const auto end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, value);
    if (digits.empty() || error != std::errc() || stop != end) return {};
    return value;
  };
  const auto choose = [&](const std::string& part) {
    for (std::size_t i = 0; i < classes.size(); ++i) {
      if (classes[i] == part) {
        chosen[i] = true;
        return;
      }
    }
    const std::size_t dash = part.find('-');
    const auto first = number(std::string_view(part).substr(0, dash));
    const auto last = dash == std::string::npos ? first : number(std::string_view(part).substr(dash + 1));
    if (!first || !last || *first < 0 || *first > *last || *last >= count) {
      throw ValueError(fmt::format("--classes: there is no class '{}'; they are {} and have the numbers 0 to {}", part,
                                   fmt::join(classes, ", "), count - 1));
    }
    std::fill(chosen.begin() + *first, chosen.begin() + *last + 1, true);
  };
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    choose(text.substr(begin, end - begin));
    begin = end + 1;
  }
  std::vector<std::int64_t> numbers;
  for (std::int64_t i = 0; i < count; ++i)
    if (chosen[static_cast<std::size_t>(i)]) numbers.push_back(i);
  return numbers;
}

// The new number of each class, or -1 where it is not chosen.
std::vector<std::int64_t> renumbered(const std::vector<std::int64_t>& chosen, std::size_t classes) {
  std::vector<std::int64_t> numbers(classes, -1);
  for (std::size_t i = 0; i < chosen.size(); ++i)
    numbers[static_cast<std::size_t>(chosen[i])] = static_cast<std::int64_t>(i);
  return numbers;
}

std::vector<std::int64_t> positions_of(const std::vector<std::int64_t>& targets,
                                       const std::vector<std::int64_t>& numbers) {
  std::vector<std::int64_t> positions;
  for (std::size_t i = 0; i < targets.size(); ++i)
    if (numbers[static_cast<std::size_t>(targets[i])] >= 0) positions.push_back(static_cast<std::int64_t>(i));
  return positions;
}

// --- pictures in memory ---

data::AnyDataset array_part(const data::ImageArray& all, const std::vector<std::int64_t>& numbers,
                            const Preprocess& preprocess, Augment augment) {
  const std::int64_t height = all.images().size(2), width = all.images().size(3), size = preprocess.size;
  const auto positions = positions_of(all.targets().to_vector<std::int64_t>(), numbers);
  const Tensor rows = tensor(positions);
  std::vector<std::int64_t> targets;
  for (std::int64_t target : index_select(all.targets(), 0, rows).to_vector<std::int64_t>())
    targets.push_back(numbers[static_cast<std::size_t>(target)]);
  const data::ImageArray part(index_select(all.images(), 0, rows), tensor(targets), all.classes(), {});

  std::vector<data::AnyTransform> steps;
  if (!needs_only_a_border(height, width, size)) steps.push_back(fit_picture(size));
  if (augment == Augment::crop) steps.emplace_back(T::RandomCrop(std::min(height, size), {.padding = {4}}));
  if (augment != Augment::none) steps.emplace_back(T::RandomHorizontalFlip());
  if (steps.empty()) return part;
  return data::Transformed(part, {.transform = T::Compose(steps)});
}

template <class D>
Images read_arrays(const ImageOptions& options, const Preprocess& preprocess, const std::string& about) {
  const D train(options.folder, {.train = true}), test(options.folder, {.train = false});
  const auto chosen = select_classes(options.classes, train.classes());
  const auto numbers = renumbered(chosen, train.classes().size());
  Images images{array_part(train, numbers, preprocess, options.augment),
                array_part(test, numbers, preprocess, Augment::none),
                {},
                about};
  for (std::int64_t i : chosen) images.classes.push_back(train.classes()[static_cast<std::size_t>(i)]);
  return images;
}

// --- pictures in folders ---

data::AnyTransform folder_transform(const Preprocess& preprocess, Augment augment) {
  const std::int64_t size = preprocess.size;
  std::vector<data::AnyTransform> steps;
  if (augment == Augment::crop) {
    steps.emplace_back(T::RandomResizedCrop(size));
  } else {
    steps.push_back(fit_picture(size));
  }
  if (augment != Augment::none) steps.emplace_back(T::RandomHorizontalFlip());
  return T::Compose(steps);
}

data::AnyDataset folder_part(const data::ImageFolder& all, const std::vector<std::int64_t>& positions,
                             const std::vector<std::int64_t>& numbers, const Preprocess& preprocess, Augment augment) {
  const data::Lambda renumber([numbers](const Tensor& target) { return tensor(numbers[target.item<std::size_t>()]); },
                              {.name = fmt::format("classes {}", fmt::join(numbers, " ")), .random = false});
  return data::Transformed(data::Subset(all, positions),
                           {.transform = folder_transform(preprocess, augment), .target_transform = renumber});
}

std::vector<std::int64_t> targets_of(const data::ImageFolder& folder) {
  std::vector<std::int64_t> targets;
  for (const auto& file : folder.samples()) targets.push_back(file.target);
  return targets;
}

Images read_folder(const ImageOptions& options, const Preprocess& preprocess) {
  const auto part = [&](const char* name) { return (fs::path(options.folder) / name).string(); };
  const bool parted = fs::is_directory(part("train"));
  const data::ImageFolder train(parted ? part("train") : options.folder);
  const auto chosen = select_classes(options.classes, train.classes());
  const auto numbers = renumbered(chosen, train.classes().size());
  std::vector<std::string> names;
  for (std::int64_t i : chosen) names.push_back(train.classes()[static_cast<std::size_t>(i)]);
  const auto positions = positions_of(targets_of(train), numbers);

  if (parted) {
    const std::string held_out = fs::is_directory(part("val")) ? part("val") : part("test");
    const data::ImageFolder test(held_out);
    if (test.classes() != train.classes()) {
      throw ValueError(fmt::format("the classes in '{}' and '{}' must be the same, got {} and {}", part("train"),
                                   held_out, fmt::join(train.classes(), ", "), fmt::join(test.classes(), ", ")));
    }
    return {folder_part(train, positions, numbers, preprocess, options.augment),
            folder_part(test, positions_of(targets_of(test), numbers), numbers, preprocess, Augment::none), names,
            "pictures"};
  }

  Generator generator(options.seed);
  const auto count = static_cast<std::int64_t>(positions.size());
  const auto order = randperm(count, {}, &generator).to_vector<std::int64_t>();
  const auto held = static_cast<std::int64_t>(static_cast<double>(count) * options.held_out);
  if (held < 1 || held >= count) {
    throw ValueError(fmt::format("--held-out: needs a picture for training and one for the test, got {} of {} pictures",
                                 options.held_out, count));
  }
  std::vector<std::int64_t> test_positions, train_positions;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t position = positions[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])];
    (i < held ? test_positions : train_positions).push_back(position);
  }
  return {folder_part(train, train_positions, numbers, preprocess, options.augment),
          folder_part(train, test_positions, numbers, preprocess, Augment::none), names, "pictures"};
}

bool has_file(const std::string& folder, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(), [&](const char* name) { return fs::exists(fs::path(folder) / name); });
}

}  // namespace

data::AnyTransform fit_picture(std::int64_t size) {
  const T::Compose resize({T::Resize(size * 256 / 224), T::CenterCrop(size)});
  const auto fit = [size, resize](const Tensor& picture) {
    const std::int64_t height = picture.size(1), width = picture.size(2);
    if (!needs_only_a_border(height, width, size)) return resize(picture);
    const std::int64_t left = (size - width) / 2, top = (size - height) / 2;
    return pad(picture, {left, size - width - left, top, size - height - top});
  };
  return data::Lambda(fit, {.name = fmt::format("fit_picture({})", size), .random = false});
}

Tensor Preprocess::operator()(const Tensor& images) const {
  if (images.dim() != 4 || (images.size(1) != 1 && images.size(1) != 3) || images.size(2) > size ||
      images.size(3) > size) {
    throw ShapeError(fmt::format("pictures: need [N, 1 or 3, H, W] with sides of at most {}, got {}", size,
                                 to_string(images.sizes())));
  }
  const std::int64_t rows = size - images.size(2), columns = size - images.size(3);
  Tensor x = images.to(kFloat32) / 255;
  if (rows > 0 || columns > 0) {
    x = pad(x, {columns / 2, columns - columns / 2, rows / 2, rows - rows / 2});
  }
  const Tensor shift = tensor(mean, {.dtype = kFloat32}).view({1, 3, 1, 1});
  const Tensor scale = tensor(std, {.dtype = kFloat32}).view({1, 3, 1, 1});
  return (x - shift) / scale;
}

void to_json(nlohmann::ordered_json& json, const Preprocess& preprocess) {
  json = {{"size", preprocess.size}, {"mean", preprocess.mean}, {"std", preprocess.std}};
}

void from_json(const nlohmann::ordered_json& json, Preprocess& preprocess) {
  json.at("size").get_to(preprocess.size);
  json.at("mean").get_to(preprocess.mean);
  json.at("std").get_to(preprocess.std);
  if (preprocess.size < 1 || preprocess.size > 1 << 14 || preprocess.mean.size() != 3 || preprocess.std.size() != 3)
    throw ValueError("needs a size from 1 to 16384, and three means and deviations");
}

Images read_images(const ImageOptions& options, const Preprocess& preprocess) {
  const std::string& folder = options.folder;
  if (!fs::is_directory(folder)) throw IoError(fmt::format("'{}' is no folder", folder));
  const auto idx = [](std::string name) { return name + "-images-idx3-ubyte"; };
  const std::string plain = idx("train"), zipped = plain + ".gz";
  if (has_file(folder, {"FashionMNIST/raw"}) ||
      (has_file(folder, {plain.c_str(), zipped.c_str()}) &&
       fs::path(folder).lexically_normal().string().find("ashion") != std::string::npos)) {
    return read_arrays<data::FashionMNIST>(options, preprocess, "Fashion-MNIST");
  }
  if (has_file(folder, {"MNIST/raw", plain.c_str(), zipped.c_str()}))
    return read_arrays<data::MNIST>(options, preprocess, "MNIST");
  if (has_file(folder, {"cifar-10-batches-bin", "data_batch_1.bin"})) {
    return read_arrays<data::CIFAR10>(options, preprocess, "CIFAR-10");
  }
  if (has_file(folder, {"cifar-100-binary", "train.bin"})) {
    return read_arrays<data::CIFAR100>(options, preprocess, "CIFAR-100");
  }
  return read_folder(options, preprocess);
}

}  // namespace gradus::cli
