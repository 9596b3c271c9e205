#include "cli/pictures/images.h"

#include <fmt/format.h>
#include <gradus/data/datasets.h>
#include <gradus/data/transforms.h>
#include <gradus/ops.h>
#include <gradus/ops/resampling.h>
#include <gradus/random.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "io/value/utf8.h"

namespace gradus::cli {

namespace fs = std::filesystem;
namespace T = data::transforms;

namespace {

constexpr std::int64_t kMostBorder = 8;

// Whether a border makes a picture of these sides one of `size`.
bool needs_only_a_border(std::int64_t height, std::int64_t width, std::int64_t size) {
  return std::max(height, width) <= size && std::min(height, width) + kMostBorder >= size;
}

std::optional<std::int64_t> number_of(std::string_view digits) {
  std::int64_t value = 0;
  const auto end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value);
  if (digits.empty() || error != std::errc() || stop != end) return {};
  return value;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t"), end = text.find_last_not_of(" \t");
  return begin == text.npos ? std::string_view() : text.substr(begin, end - begin + 1);
}

// "0-4,7,sneaker" as the positions of classes, each once, in the order of the classes. Where classes have numbers for
// names (folders 1 to 12), numbers mean these names, alone and in ranges; else positions.
std::vector<std::int64_t> select_classes(const std::string& text, const std::vector<std::string>& classes) {
  const auto count = static_cast<std::int64_t>(classes.size());
  std::vector<bool> chosen(classes.size(), text.empty());
  std::vector<std::optional<std::int64_t>> numbers;  // the number that means a class
  for (const std::string& name : classes) numbers.push_back(number_of(name));
  const bool named = std::any_of(numbers.begin(), numbers.end(), [](const auto& n) { return n.has_value(); });
  for (std::int64_t i = 0; i < count && !named; ++i) numbers[static_cast<std::size_t>(i)] = i;
  const auto choose_equal = [&](const auto& list, const auto& wanted) {
    bool found = false;
    for (std::size_t i = 0; i < classes.size(); ++i) {
      if (list[i] != wanted) continue;
      chosen[i] = found = true;
    }
    return found;
  };
  const auto choose = [&](std::string_view part) {
    if (choose_equal(classes, part)) return;
    part = trimmed(part);
    if (choose_equal(classes, part)) return;
    const std::size_t dash = part.find('-', 1);  // one at the start is a sign
    const auto first = number_of(trimmed(part.substr(0, dash)));
    const auto last = dash == part.npos ? first : number_of(trimmed(part.substr(dash + 1)));
    if (first && last && *first > *last)
      throw ValueError(fmt::format("--classes: the range '{}' ends before it begins", part));
    // Both ends must be there: a range that reaches further is a mistake.
    if (!first || !last || !choose_equal(numbers, first) || !choose_equal(numbers, last)) {
      const std::string rule = named ? "" : fmt::format(" and have the numbers 0 to {}", count - 1);
      throw ValueError(
          fmt::format("--classes: there is no class '{}'; they are {}{}", part, fmt::join(classes, ", "), rule));
    }
    for (std::size_t i = 0; i < classes.size(); ++i)
      if (numbers[i] && *numbers[i] >= *first && *numbers[i] <= *last) chosen[i] = true;
  };
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    choose(std::string_view(text).substr(begin, end - begin));
    begin = end + 1;
  }
  std::vector<std::int64_t> positions;
  for (std::int64_t i = 0; i < count; ++i)
    if (chosen[static_cast<std::size_t>(i)]) positions.push_back(i);
  return positions;
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
                about,
                {}};
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

data::ImageFolder open_folder(const std::string& path) {
  return data::ImageFolder(
      path, {.read = {.mode = io::ImageReadMode::RGB, .apply_exif_orientation = true}, .allow_empty = true});
}

// The folder's classes as they are shown and kept: JSON must be UTF-8.
std::vector<std::string> names_of(const data::ImageFolder& folder) {
  std::vector<std::string> names;
  for (const std::string& name : folder.classes()) names.push_back(io::escaped_utf8(name));
  return names;
}

// Positions of the classes that have a picture.
std::vector<std::int64_t> classes_with_pictures(const data::ImageFolder& folder) {
  std::vector<std::int64_t> found;
  for (const auto& file : folder.samples())
    if (found.empty() || found.back() != file.target) found.push_back(file.target);
  return found;
}

bool has_folders(const fs::path& folder) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    std::error_code unknown;
    if (entry.is_directory(unknown) && !entry.path().filename().string().starts_with('.')) return true;
  }
  return false;
}

// The folder of the test part beside train/, if there is one.
std::optional<std::string> test_folder(const fs::path& root) {
  for (const char* name : {"val", "valid", "validation", "test"})
    if (fs::is_directory(root / name)) return (root / name).string();
  return {};
}

void add_left_out(const data::ImageFolder& folder, std::vector<std::string>& notes) {
  for (const auto& kind : folder.left_out())
    notes.push_back(fmt::format("{} {} ({})", kind.count, kind.what, io::escaped_utf8(kind.first)));
}

Images read_folder(const ImageOptions& options, const Preprocess& preprocess) {
  const fs::path root = options.folder;
  const bool parted = has_folders(root / "train");  // else it may be a class
  const std::optional<std::string> held_out = parted ? test_folder(root) : std::nullopt;
  const std::string train_path = parted ? (root / "train").string() : options.folder;
  const data::ImageFolder train = open_folder(train_path);
  std::vector<std::string> left_out;
  add_left_out(train, left_out);

  // A folder without a picture is not a class.
  const std::vector<std::int64_t> filled = classes_with_pictures(train);
  if (filled.empty()) throw IoError(fmt::format("--data: no picture in '{}'", train_path));
  const std::vector<std::string> all = names_of(train);
  if (filled.size() < all.size()) {
    for (std::size_t i = 0; i < all.size(); ++i)
      if (std::find(filled.begin(), filled.end(), static_cast<std::int64_t>(i)) == filled.end())
        left_out.push_back(fmt::format("the folder '{}', which has no picture", all[i]));
  }
  std::vector<std::string> classes;
  for (const std::int64_t i : filled) classes.push_back(all[static_cast<std::size_t>(i)]);
  std::vector<std::int64_t> numbers(all.size(), -1);  // the new number of each folder, or -1
  std::vector<std::string> names;
  for (const std::int64_t i : select_classes(io::escaped_utf8(options.classes), classes)) {
    numbers[static_cast<std::size_t>(filled[static_cast<std::size_t>(i)])] = std::ssize(names);
    names.push_back(classes[static_cast<std::size_t>(i)]);
  }
  const auto positions = positions_of(targets_of(train), numbers);

  if (held_out) {
    const data::ImageFolder test = open_folder(*held_out);
    add_left_out(test, left_out);
    const std::vector<std::string> others = names_of(test);
    std::vector<std::int64_t> test_numbers(others.size(), -1);
    for (const std::int64_t i : classes_with_pictures(test)) {
      const auto at = static_cast<std::size_t>(i);
      const auto known = std::find(all.begin(), all.end(), others[at]);
      if (known == all.end() || std::find(classes.begin(), classes.end(), others[at]) == classes.end()) {
        throw ValueError(fmt::format("--data: the class '{}' in '{}' has no picture in '{}', which has {}", others[at],
                                     *held_out, train_path, fmt::join(classes, ", ")));
      }
      test_numbers[at] = numbers[static_cast<std::size_t>(known - all.begin())];
    }
    const auto test_positions = positions_of(targets_of(test), test_numbers);
    if (test_positions.empty()) throw IoError(fmt::format("--data: no picture of the classes in '{}'", *held_out));
    return {folder_part(train, positions, numbers, preprocess, options.augment),
            folder_part(test, test_positions, test_numbers, preprocess, Augment::none), names, "pictures", left_out};
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
          folder_part(train, test_positions, numbers, preprocess, Augment::none), names, "pictures", left_out};
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
  const Tensor shift = tensor(mean, {.dtype = kFloat32, .device = x.device()}).view({1, 3, 1, 1});
  const Tensor scale = tensor(std, {.dtype = kFloat32, .device = x.device()}).view({1, 3, 1, 1});
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
  if (!fs::is_directory(folder)) throw IoError(fmt::format("'{}' is not a folder", folder));
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
