// The usual transforms of images: torchvision.transforms.v2's names, argument order and defaults, for images
// [channels, height, width]. Numerics are in gradus/data/functional.h.
//
//   namespace T = data::transforms;
//   const T::Compose augment({T::RandomResizedCrop(224), T::RandomHorizontalFlip(), T::ToDtype(kFloat32, true),
//                             T::Normalize({0.485, 0.456, 0.406}, {0.229, 0.224, 0.225})});
//
// Random ones draw from sample_generator(): in a loader each sample has its own numbers, whatever the number of
// workers. Constructors throw ValueError for options out of range.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <gradus/data/dataset.h>
#include <gradus/data/functional.h>
#include <gradus/data/transform.h>

namespace gradus::data::transforms {

// Height and width, or one number: a square, and for Resize the length of the shorter side.
struct Size {
  std::int64_t height;
  std::optional<std::int64_t> width;
  template <std::integral T>
  Size(T side) : height(side) {}
  Size(std::int64_t h, std::int64_t w) : height(h), width(w) {}
};

struct Range {
  double low, high;
};

// One after the other.
class Compose final : public Transform {
 public:
  explicit Compose(std::vector<AnyTransform> transforms) : transforms_(std::move(transforms)) {}
  Tensor apply(const Tensor& image) const override;
  bool is_random() const override;
  std::string to_string() const override;
  std::string identity() const override;

 private:
  std::vector<AnyTransform> transforms_;
};

struct ResizeOptions {
  InterpolationMode interpolation = InterpolationMode::Bilinear;
  std::optional<std::int64_t> max_size = {};  // of the longer side, where the size is one number
  bool antialias = true;
};
class CenterCrop;
class Resize final : public Transform {
 public:
  Resize(Size size, ResizeOptions options = {});
  Tensor apply(const Tensor& image) const override;
  // What `crop` makes of apply(image), without computing what it leaves out. Compose calls it.
  Tensor apply(const Tensor& image, const CenterCrop& crop) const;
  std::string to_string() const override;

 private:
  std::pair<std::int64_t, std::int64_t> target(const Tensor& image) const;
  Size size_;
  ResizeOptions options_;
};

// Smaller images get a border of 0.
class CenterCrop final : public Transform {
 public:
  CenterCrop(Size size);
  Tensor apply(const Tensor& image) const override;
  std::string to_string() const override;

 private:
  friend class Resize;
  Size size_;
};

struct RandomCropOptions {
  std::vector<std::int64_t> padding = {};  // as Pad's
  bool pad_if_needed = false;              // else an image that is too small is a ShapeError
  std::vector<double> fill = {0};
  std::string padding_mode = "constant";
};
class RandomCrop final : public Transform {
 public:
  RandomCrop(Size size, RandomCropOptions options = {});
  Tensor apply(const Tensor& image) const override;
  bool is_random() const override { return true; }
  std::string to_string() const override;

 private:
  Size size_;
  RandomCropOptions options_;
};

struct RandomResizedCropOptions {
  Range scale = {0.08, 1.0};         // of the part's area in the image's
  Range ratio = {3.0 / 4, 4.0 / 3};  // of the part's width to its height, before it is resized
  InterpolationMode interpolation = InterpolationMode::Bilinear;
  bool antialias = true;
};
// Szegedy et al. (2015).
class RandomResizedCrop final : public Transform {
 public:
  RandomResizedCrop(Size size, RandomResizedCropOptions options = {});
  Tensor apply(const Tensor& image) const override;
  bool is_random() const override { return true; }
  std::string to_string() const override;

 private:
  Size size_;
  RandomResizedCropOptions options_;
};

class RandomHorizontalFlip final : public Transform {
 public:
  explicit RandomHorizontalFlip(double p = 0.5);
  Tensor apply(const Tensor& image) const override;
  bool is_random() const override { return p_ > 0 && p_ < 1; }
  std::string to_string() const override;

 private:
  double p_;
};

class RandomVerticalFlip final : public Transform {
 public:
  explicit RandomVerticalFlip(double p = 0.5);
  Tensor apply(const Tensor& image) const override;
  bool is_random() const override { return p_ > 0 && p_ < 1; }
  std::string to_string() const override;

 private:
  double p_;
};

struct PadOptions {
  std::vector<double> fill = {0};
  std::string padding_mode = "constant";
};
// `padding`: {all sides}, {left and right, top and bottom} or {left, top, right, bottom}.
class Pad final : public Transform {
 public:
  Pad(std::vector<std::int64_t> padding, PadOptions options = {});
  Tensor apply(const Tensor& image) const override;
  std::string to_string() const override;

 private:
  std::vector<std::int64_t> padding_;
  PadOptions options_;
};

// A factor f stands for the range from max(0, 1 - f) to 1 + f, for hue from -f to f. Unset: left alone.
using Jitter = std::variant<std::monostate, double, Range>;
struct ColorJitterOptions {
  Jitter brightness = {}, contrast = {}, saturation = {}, hue = {};
};
// Each by a factor from its range, in random order.
class ColorJitter final : public Transform {
 public:
  explicit ColorJitter(ColorJitterOptions options);
  Tensor apply(const Tensor& image) const override;
  bool is_random() const override { return true; }
  std::string to_string() const override;

 private:
  std::optional<Range> brightness_, contrast_, saturation_, hue_;
};

class Grayscale final : public Transform {
 public:
  explicit Grayscale(std::int64_t num_output_channels = 1);
  Tensor apply(const Tensor& image) const override;
  std::string to_string() const override;

 private:
  std::int64_t channels_;
};

class Normalize final : public Transform {
 public:
  Normalize(std::vector<double> mean, std::vector<double> std);
  Tensor apply(const Tensor& image) const override;
  std::string to_string() const override;
  const std::vector<double>& mean() const { return mean_; }
  const std::vector<double>& std() const { return std_; }

 private:
  std::vector<double> mean_, std_;
};

class ToDtype final : public Transform {
 public:
  explicit ToDtype(Dtype dtype, bool scale = false);
  Tensor apply(const Tensor& image) const override;
  std::string to_string() const override;

 private:
  Dtype dtype_;
  bool scale_;
};

// float32 from 0 to 1: ToDtype(kFloat32, true).
class ToTensor final : public Transform {
 public:
  Tensor apply(const Tensor& image) const override;
  std::string to_string() const override { return "ToTensor()"; }
};

struct RandomErasingOptions {
  double p = 0.5;
  Range scale = {0.02, 0.33};       // of the part's area in the image's
  Range ratio = {0.3, 3.3};         // of the part's height to its width
  std::vector<double> value = {0};  // one, or one for each channel; empty: normal random numbers ("random")
};
// Zhong et al. (2017).
class RandomErasing final : public Transform {
 public:
  explicit RandomErasing(RandomErasingOptions options = {});
  Tensor apply(const Tensor& image) const override;
  bool is_random() const override { return options_.p > 0; }
  std::string to_string() const override;

 private:
  RandomErasingOptions options_;
};

// Applies another with probability p.
class RandomApply final : public Transform {
 public:
  RandomApply(std::vector<AnyTransform> transforms, double p = 0.5);
  Tensor apply(const Tensor& image) const override;
  bool is_random() const override { return true; }
  std::string to_string() const override;
  std::string identity() const override;

 private:
  Compose transforms_;
  double p_;
};

// --- of whole batches: give one to a loader within `collate` ---------------------------------------------------------
//
//   .collate = [cutmix = transforms::CutMix({.num_classes = 10})](std::vector<Sample> s) {
//     return cutmix(default_collate(std::move(s)));
//   }
//
// Each sample is mixed with its neighbour in the batch, so the order should be random. Targets, classes [N], become
// float32 [N, num_classes] (cross_entropy takes them); those that already have that form are mixed as they are.
// Data are floating-point for MixUp, any for CutMix: [N, C, H, W].
struct MixOptions {
  double alpha = 1.0;  // of Beta(alpha, alpha), which the share comes from
  std::int64_t num_classes = 0;
};

class MixUp {  // Zhang et al. (2017)
 public:
  explicit MixUp(MixOptions options);
  Batch operator()(Batch batch) const;

 private:
  MixOptions options_;
};

class CutMix {  // Yun et al. (2019)
 public:
  explicit CutMix(MixOptions options);
  Batch operator()(Batch batch) const;

 private:
  MixOptions options_;
};

}  // namespace gradus::data::transforms
