// Datasets and transforms by name.
#include <gradus/data/transforms.h>

#include "recipe/callables.h"

namespace gradus::recipe {

namespace {

namespace T = data::transforms;

TransformCall transform(const std::string& signature, const char* help,
                        std::function<data::AnyTransform(const Fields&)> make) {
  return {parse_signature(signature, help), std::move(make)};
}
DatasetCall dataset(const std::string& signature, const char* help,
                    std::function<data::AnyDataset(const Fields&, data::AnyTransform)> make) {
  return {parse_signature(signature, help), std::move(make)};
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

}  // namespace

const std::vector<TransformCall>& transforms() {
  static const std::vector<TransformCall> all{
      transform("ToTensor()", "float32 from 0 to 1", [](const Fields&) { return T::ToTensor(); }),
      transform("ToDtype(dtype: (float32|float64|uint8), scale: flag = false)", "another type; with scale 255 is 1",
                [](const Fields& f) { return T::ToDtype(dtype(f), f.flag("scale")); }),
      transform("Normalize(mean: number..., std: number>0...)", "(x - mean) / std, for each channel",
                [](const Fields& f) { return T::Normalize(f.numbers("mean"), f.numbers("std")); }),
      transform("Flatten()", "all dimensions as one",
                [](const Fields&) {
                  return data::Lambda([](const Tensor& x) { return x.reshape({-1}); },
                                      {.name = "flatten", .random = false});
                }),
      transform("Grayscale(num_output_channels: int = 1)", "1 or 3 equal channels",
                [](const Fields& f) { return T::Grayscale(f.integer("num_output_channels")); }),
      transform("Resize(size: int>=1..., " + kInterpolation + ", max_size: int>=1 = none, antialias: flag = true)",
                "one number: the shorter side",
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
      transform("Pad(padding: int>=0..., fill: number... = 0, " + kPaddingMode + ")",
                "all sides; left and right, top and bottom; or left, top, right, bottom",
                [](const Fields& f) {
                  return T::Pad(f.integers("padding"),
                                {.fill = f.numbers("fill"), .padding_mode = f.text("padding_mode")});
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
          "MNIST(root: file, train: flag = true)", "28 x 28 images of digits, and other IDX files",
          [](const Fields& f, data::AnyTransform t) { return data::MNIST(f.text("root"), images(f, std::move(t))); }),
      dataset("FashionMNIST(root: file = /usr/share/datasets/fashion-mnist, train: flag = true)",
              "28 x 28 images of clothes; Debian's dataset-fashion-mnist",
              [](const Fields& f, data::AnyTransform t) {
                return data::FashionMNIST(f.text("root"), images(f, std::move(t)));
              }),
      dataset(
          "CIFAR10(root: file, train: flag = true)", "32 x 32 colour images, the binary version",
          [](const Fields& f, data::AnyTransform t) { return data::CIFAR10(f.text("root"), images(f, std::move(t))); }),
      dataset("CIFAR100(root: file, train: flag = true, coarse: flag = false)", "32 x 32 colour images",
              [](const Fields& f, data::AnyTransform t) {
                return data::CIFAR100(
                    f.text("root"), {.train = f.flag("train"), .transform = std::move(t), .coarse = f.flag("coarse")});
              }),
      dataset("ImageFolder(root: file)", "JPEG and PNG files: root/CLASS/NAME.jpg",
              [](const Fields& f, data::AnyTransform t) {
                return data::ImageFolder(f.text("root"), {.transform = std::move(t)});
              }),
      dataset("CsvDataset(path: file, target: text = none, columns: [text] = none, header: flag = true, "
              "missing: number = none)",
              "a table of numbers",
              [](const Fields& f, data::AnyTransform t) {
                data::CsvOptions options{.header = f.flag("header")};
                if (f.has("target")) options.target = f.text("target");
                for (const Node& column : f.list("columns")) options.columns.push_back(column.text);
                if (f.has("missing")) options.missing = f.number("missing");
                options.transforms.transform = std::move(t);
                return data::CsvDataset(f.text("path"), options);
              }),
      dataset("NpyDataset(data: file, target: file = none)", "the rows of .npy files",
              [](const Fields& f, data::AnyTransform t) {
                return data::Transformed(data::npy_dataset(f.text("data"), f.text("target")),
                                         {.transform = std::move(t)});
              }),
      dataset("NpzDataset(path: file, data: text, target: text = none)", "the rows of arrays in an .npz file",
              [](const Fields& f, data::AnyTransform t) {
                return data::Transformed(data::npz_dataset(f.text("path"), f.text("data"), f.text("target")),
                                         {.transform = std::move(t)});
              }),
  };
  return all;
}

}  // namespace gradus::recipe
