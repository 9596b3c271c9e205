// Datasets and transforms by name.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gradus/data/transforms.h>

#include "recipe/calls/callables.h"

namespace gradus::recipe {

namespace {

namespace T = data::transforms;

TransformCall transform(const std::string& signature, const char* help,
                        std::function<data::AnyTransform(const Fields&)> make) {
  return {parse_signature(signature, help), std::move(make)};
}
DatasetCall dataset(const std::string& signature, const char* help,
                    std::function<data::AnyDataset(const Fields&, data::AnyTransform)> make) {
  return {parse_signature(signature, help),
          [make = std::move(make)](const Fields& f, data::AnyTransform t, const data::Dataset*) {
            return make(f, std::move(t));
          }};
}

data::AnyDataset folder(const Fields& f, data::AnyTransform transform, const data::Dataset* trained_on) {
  data::ImageFolder images(f.text("root"), {.transform = std::move(transform)});
  const auto* train = dynamic_cast<const data::ImageFolder*>(trained_on);
  if (train != nullptr && train->classes() != images.classes()) {
    throw ValueError(fmt::format("ImageFolder: {} has the classes {}, but training has {}", f.text("root"),
                                 fmt::join(images.classes(), ", "), fmt::join(train->classes(), ", ")));
  }
  return images;
}

char character(const Fields& f, const char* field) {
  const std::string text = f.text(field);
  if (text.empty()) return 0;
  if (text == "tab" || text == "\\t") return '\t';
  if (text.size() == 1) return text[0];
  throw ValueError(fmt::format("{} needs a single character, or tab, got '{}'", field, text));
}

T::Size size(const Fields& f) {
  const auto values = f.integers("size");
  if (values.size() == 1) return values[0];
  if (values.size() == 2) return {values[0], values[1]};
  throw ValueError("size needs one number or height and width, got " + std::to_string(values.size()));
}
T::Range range(const Fields& f, const char* field) {
  const auto values = f.numbers(field);
  if (values.size() != 2)
    throw ValueError(std::string(field) + " needs two numbers, got " + std::to_string(values.size()));
  return {values[0], values[1]};
}
T::Jitter jitter(const Fields& f, const char* field) {
  const auto values = f.numbers(field);
  if (values.empty()) return {};
  if (values.size() == 1) return values[0];
  return range(f, field);
}
data::InterpolationMode interpolation(const Fields& f) {
  const std::string name = f.text("interpolation");
  if (name == "nearest") return data::InterpolationMode::Nearest;
  if (name == "nearest-exact") return data::InterpolationMode::NearestExact;
  return name == "bicubic" ? data::InterpolationMode::Bicubic : data::InterpolationMode::Bilinear;
}
const std::string kInterpolation = "interpolation: (nearest|nearest-exact|bilinear|bicubic) = bilinear";
const std::string kPaddingMode = "padding_mode: (constant|edge|reflect|symmetric) = constant";

Dtype dtype(const Fields& f) {
  const std::string name = f.text("dtype");
  return name == "uint8" ? kUInt8 : name == "float64" ? kFloat64 : kFloat32;
}

data::MNISTOptions images(const Fields& f, data::AnyTransform transform) {
  return {.train = f.flag("train"), .transform = std::move(transform)};
}

data::AnyDataset table(const Fields& f, data::AnyTransform transform, const data::Dataset* trained_on) {
  data::CsvOptions options = csv_options(f);
  if (const auto* train = dynamic_cast<const data::CsvDataset*>(trained_on)) options.encoding = train->encoding();
  options.transforms.transform = std::move(transform);
  return data::CsvDataset(f.text("path"), options);
}

}  // namespace

data::CsvOptions csv_options(const Fields& f) {
  data::CsvOptions options{.delimiter = character(f, "delimiter"), .decimal = character(f, "decimal")};
  for (const Node& name : f.list("target")) options.target.push_back(name.text);
  for (const Node& name : f.list("columns")) options.columns.push_back(name.text);
  for (const Node& name : f.list("one_hot")) options.one_hot.push_back(name.text);
  if (f.has("header")) options.header = f.flag("header");
  if (f.has("missing")) options.missing = f.number("missing");
  if (f.has("na_values")) options.na_values.clear();
  for (const Node& value : f.list("na_values")) options.na_values.push_back(value.text);
  const std::string type = f.text("target_type");
  options.target_type = type == "int"     ? data::CsvTarget::integers
                        : type == "float" ? data::CsvTarget::numbers
                        : type == "class" ? data::CsvTarget::classes
                                          : data::CsvTarget::automatic;
  return options;
}

const std::vector<TransformCall>& transforms() {
  static const std::vector<TransformCall> all{
      transform("ToTensor()", "converts to float32 from 0 to 1", [](const Fields&) { return T::ToTensor(); }),
      transform("ToDtype(dtype: (float32|float64|uint8), scale: flag = false)",
                "converts to another type; with scale, 255 becomes 1",
                [](const Fields& f) { return T::ToDtype(dtype(f), f.flag("scale")); }),
      transform("Normalize(mean: number..., std: number>0...)", "(x - mean) / std, for each channel",
                [](const Fields& f) { return T::Normalize(f.numbers("mean"), f.numbers("std")); }),
      transform("Flatten()", "joins all dimensions into one",
                [](const Fields&) {
                  return data::Lambda([](const Tensor& x) { return x.reshape({-1}); },
                                      {.name = "flatten", .random = false});
                }),
      transform("Grayscale(num_output_channels: int = 1)", "1 channel, or 3 equal ones",
                [](const Fields& f) { return T::Grayscale(f.integer("num_output_channels")); }),
      transform("Resize(size: int>=1..., " + kInterpolation + ", max_size: int>=1 = none, antialias: flag = true)",
                "a single number is the length of the shorter side",
                [](const Fields& f) {
                  T::ResizeOptions options{.interpolation = interpolation(f), .antialias = f.flag("antialias")};
                  if (f.has("max_size")) options.max_size = f.integer("max_size");
                  return T::Resize(size(f), options);
                }),
      transform("CenterCrop(size: int>=1...)", "", [](const Fields& f) { return T::CenterCrop(size(f)); }),
      transform("RandomCrop(size: int>=1..., padding: int>=0... = none, pad_if_needed: flag = false, "
                "fill: number... = 0, " +
                    kPaddingMode + ")",
                "",
                [](const Fields& f) {
                  return T::RandomCrop(size(f), {.padding = f.integers("padding"),
                                                 .pad_if_needed = f.flag("pad_if_needed"),
                                                 .fill = f.numbers("fill"),
                                                 .padding_mode = f.text("padding_mode")});
                }),
      transform("RandomResizedCrop(size: int>=1..., scale: number>0... = [0.08, 1], "
                "ratio: number>0... = [0.75, 1.3333333333333333], " +
                    kInterpolation + ", antialias: flag = true)",
                "Szegedy et al. (2015)",
                [](const Fields& f) {
                  return T::RandomResizedCrop(size(f), {.scale = range(f, "scale"),
                                                        .ratio = range(f, "ratio"),
                                                        .interpolation = interpolation(f),
                                                        .antialias = f.flag("antialias")});
                }),
      transform("RandomHorizontalFlip(p: number[0,1] = 0.5)", "",
                [](const Fields& f) { return T::RandomHorizontalFlip(f.number("p")); }),
      transform("RandomVerticalFlip(p: number[0,1] = 0.5)", "",
                [](const Fields& f) { return T::RandomVerticalFlip(f.number("p")); }),
      transform(
          "Pad(padding: int>=0..., fill: number... = 0, " + kPaddingMode + ")",
          "one number for all sides, two for left and right, top and bottom, or four for left, top, right, bottom",
          [](const Fields& f) {
            return T::Pad(f.integers("padding"), {.fill = f.numbers("fill"), .padding_mode = f.text("padding_mode")});
          }),
      transform("ColorJitter(brightness: number>=0... = none, contrast: number>=0... = none, "
                "saturation: number>=0... = none, hue: number... = none)",
                "",
                [](const Fields& f) {
                  return T::ColorJitter({.brightness = jitter(f, "brightness"),
                                         .contrast = jitter(f, "contrast"),
                                         .saturation = jitter(f, "saturation"),
                                         .hue = jitter(f, "hue")});
                }),
      transform("RandomErasing(p: number[0,1] = 0.5, scale: number>0... = [0.02, 0.33], "
                "ratio: number>0... = [0.3, 3.3], value: number... = 0)",
                "Zhong et al. (2017)",
                [](const Fields& f) {
                  return T::RandomErasing({.p = f.number("p"),
                                           .scale = range(f, "scale"),
                                           .ratio = range(f, "ratio"),
                                           .value = f.numbers("value")});
                }),
  };
  return all;
}

const std::vector<DatasetCall>& datasets() {
  static const std::vector<DatasetCall> all{
      dataset(
          "MNIST(root: file, train: flag = true)", "28 x 28 images of digits, or other IDX files",
          [](const Fields& f, data::AnyTransform t) { return data::MNIST(f.text("root"), images(f, std::move(t))); }),
      dataset("FashionMNIST(root: file = /usr/share/datasets/fashion-mnist, train: flag = true)",
              "28 x 28 images of clothes; the default folder is that of Debian's package dataset-fashion-mnist",
              [](const Fields& f, data::AnyTransform t) {
                return data::FashionMNIST(f.text("root"), images(f, std::move(t)));
              }),
      dataset(
          "CIFAR10(root: file, train: flag = true)", "32 x 32 colour images, from the binary version of the files",
          [](const Fields& f, data::AnyTransform t) { return data::CIFAR10(f.text("root"), images(f, std::move(t))); }),
      dataset("CIFAR100(root: file, train: flag = true, coarse: flag = false)",
              "32 x 32 colour images, from the binary version of the files",
              [](const Fields& f, data::AnyTransform t) {
                return data::CIFAR100(
                    f.text("root"), {.train = f.flag("train"), .transform = std::move(t), .coarse = f.flag("coarse")});
              }),
      {parse_signature("ImageFolder(root: file)", "JPEG and PNG files: root/CLASS/NAME.jpg"), folder},
      {parse_signature(
           "CsvDataset(path: file, target: text... = none, columns: [text] = none, header: flag = none, "
           "missing: number = none, delimiter: text = none, na_values: [text] = none, "
           "one_hot: text... = none, decimal: text = ., target_type: (auto|int|float|class) = auto)",
           "a table, .csv or .csv.gz; header and delimiter are detected. missing is the value of missing fields, "
           "na_values the texts that mark them; each value of a one_hot column becomes a column"),
       table},
      dataset("NpyDataset(data: file, target: file = none)", "the rows of .npy files",
              [](const Fields& f, data::AnyTransform t) {
                return data::Transformed(data::npy_dataset(f.text("data"), f.text("target")),
                                         {.transform = std::move(t)});
              }),
      dataset("TextBlocks(path: file, tokenizer: file, length: int>=2 = 128)",
              "a text file, in which empty lines separate texts, cut into blocks of length tokens for a language "
              "model; tokenizer is a Hugging Face folder. There is no y: causal_lm_loss(net(x), x)",
              [](const Fields& f, data::AnyTransform t) { return text_blocks(f, t); }),
      dataset("NpzDataset(path: file, data: text, target: text = none)", "the rows of arrays in an .npz file",
              [](const Fields& f, data::AnyTransform t) {
                return data::Transformed(data::npz_dataset(f.text("path"), f.text("data"), f.text("target")),
                                         {.transform = std::move(t)});
              }),
  };
  return all;
}

}  // namespace gradus::recipe
