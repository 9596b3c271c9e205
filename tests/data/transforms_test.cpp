#include "gradus/data/transforms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "gradus/core/error.h"
#include "gradus/core/memory.h"
#include "gradus/data/data_loader.h"
#include "gradus/data/random.h"
#include "gradus/ops.h"
#include "support/message.h"
#include "support/paths.h"

namespace gradus::data {
namespace {

namespace F = functional;
namespace T = transforms;
using nlohmann::json;
using test::message_of;
using testing::HasSubstr;

const json& trace() {
  static const json document = [] {
    std::ifstream in(test::source_path("tests/traces/transforms.json"));
    return json::parse(in);
  }();
  return document;
}

Tensor tensor_of(const json& j) {
  const Shape sizes(j["sizes"].get<std::vector<std::int64_t>>());
  if (j.contains("values")) return tensor(j["values"].get<std::vector<double>>(), sizes);
  const std::string digits = j["bytes"];
  std::vector<int> bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2) bytes.push_back(std::stoi(digits.substr(i, 2), nullptr, 16));
  return tensor(bytes, sizes, {.dtype = kUInt8});
}

InterpolationMode mode_of(const json& c) {
  static const std::map<std::string, InterpolationMode> modes = {{"nearest", InterpolationMode::Nearest},
                                                                 {"nearest-exact", InterpolationMode::NearestExact},
                                                                 {"bilinear", InterpolationMode::Bilinear},
                                                                 {"bicubic", InterpolationMode::Bicubic}};
  return modes.at(c["mode"].get<std::string>());
}

// What our function makes of the case's image, and how far it may be from the recorded result.
std::pair<Tensor, double> run(const json& c, const Tensor& image) {
  const std::string call = c["call"];
  const std::int64_t h = c.contains("size") && c["size"].is_array() ? c["size"][0].get<std::int64_t>() : 0;
  const std::int64_t w = c.contains("size") && c["size"].is_array() ? c["size"][1].get<std::int64_t>() : 0;
  const double factor = c.value("factor", 0.0);
  const Tensor scaled = F::to_dtype(image, kFloat32, true);
  const std::vector<double> mean{0.485, 0.456, 0.406}, std{0.229, 0.224, 0.225};
  const auto channels = image.size(0);
  if (call == "resize") {
    const bool antialias = c["antialias"];
    return {F::resize(image, h, w, mode_of(c), antialias), antialias ? 0 : 1};
  }
  if (call == "resize_pillow") return {F::resize(image, h, w, mode_of(c)), c["mode"] == "bicubic" ? 2 : 1};
  if (call == "resize_float") return {F::resize(scaled, h, w, mode_of(c)), 1e-6};
  if (call == "center_crop") return {F::center_crop(image, h, w), 0};
  if (call == "Resize") {
    T::ResizeOptions options;
    if (!c["max_size"].is_null()) options.max_size = c["max_size"].get<std::int64_t>();
    return {T::Resize(c["size"].get<std::int64_t>(), options)(image), 0};
  }
  if (call == "pad") {
    return {F::pad(image, {3, 1, 2, 4}, {c["mode"] == "constant" ? 7.0 : 0.0}, c["mode"].get<std::string>()), 0};
  }
  if (call == "horizontal_flip") return {F::horizontal_flip(image), 0};
  if (call == "vertical_flip") return {F::vertical_flip(image), 0};
  if (call == "adjust_brightness") return {F::adjust_brightness(image, factor), 1};
  if (call == "adjust_contrast") return {F::adjust_contrast(image, factor), 1};
  if (call == "adjust_saturation") return {F::adjust_saturation(image, factor), 1};
  if (call == "adjust_hue") return {F::adjust_hue(image, factor), 1};
  if (call == "rgb_to_grayscale") return {F::rgb_to_grayscale(image, c["channels"].get<std::int64_t>()), 1};
  if (call == "to_float") return {scaled, 2e-7};
  if (call == "to_bytes") return {F::to_dtype(scaled, kUInt8, true), 0};
  if (call == "normalize") {
    return {F::normalize(scaled, {mean.begin(), mean.begin() + channels}, {std.begin(), std.begin() + channels}), 1e-6};
  }
  if (call == "float_hue") return {F::adjust_hue(scaled, 0.13), 2e-6};
  if (call == "float_contrast") return {F::adjust_contrast(scaled, 0.4), 1e-6};
  ADD_FAILURE() << "unknown call " << call;
  return {image, 0};
}

TEST(Transforms, AreTorchvisions) {
  std::map<std::string, int> off_by_one, elements;
  for (const json& c : trace()["cases"]) {
    const Tensor image = tensor_of(trace()["images"][c["image"].get<std::string>()]);
    // As tensors usually lie, and as decoders give them.
    for (const Tensor& x : {image, image.permute({1, 2, 0}).contiguous().permute({2, 0, 1})}) {
      const auto [result, tolerance] = run(c, x);
      const Tensor expected = tensor_of(c["result"]);
      json shown = c;
      shown.erase("result");
      SCOPED_TRACE(shown.dump());
      ASSERT_EQ(to_string(result.sizes()), to_string(expected.sizes()));
      ASSERT_EQ(result.dtype(), expected.dtype());
      const Tensor difference = (result.to(kFloat64) - expected.to(kFloat64)).abs();
      EXPECT_LE(difference.max().item<double>(), tolerance);
      const std::string call = c["call"];
      if (expected.dtype() == kUInt8) off_by_one[call] += static_cast<int>((difference > 0.5).sum().item<double>());
      elements[call] += static_cast<int>(expected.numel());
    }
  }
  // Truncation lets a last bit decide; that must stay rare.
  for (const auto& [call, count] : off_by_one) {
    EXPECT_LE(count, elements[call] * (call == "resize_pillow" ? 0.15 : 0.002)) << call;
  }
}

Tensor picture() { return randint(0, 256, {3, 40, 50}).to(kUInt8); }

std::string drawn(const T::Compose& transform, const Tensor& image, std::int64_t index) {
  const SampleScope scope(1, 0, index);
  return transform(image).to(kFloat64).sum().to_string();
}

TEST(Transforms, RandomOnesFollowTheSample) {
  const T::Compose augment({T::RandomResizedCrop(24), T::RandomHorizontalFlip(), T::RandomVerticalFlip(),
                            T::ColorJitter({.brightness = 0.4, .contrast = 0.4, .saturation = 0.4, .hue = 0.1}),
                            T::RandomCrop(20, {.padding = {2}}), T::ToDtype(kFloat32, true),
                            T::Normalize({0.5}, {0.25}), T::RandomErasing({.p = 1})});
  EXPECT_TRUE(augment.is_random());
  const Tensor image = picture();
  std::set<std::string> results;
  for (std::int64_t i = 0; i < 20; ++i) {
    EXPECT_EQ(drawn(augment, image, i), drawn(augment, image, i));
    results.insert(drawn(augment, image, i));
  }
  EXPECT_EQ(results.size(), 20u);
}

TEST(Transforms, SayWhetherTheyAreRandom) {
  EXPECT_FALSE(T::Compose({T::Resize(8), T::CenterCrop(8), T::ToTensor(), T::Normalize({0.5}, {0.5})}).is_random());
  EXPECT_TRUE(T::Compose({T::Resize(8), T::RandomHorizontalFlip()}).is_random());
  EXPECT_FALSE(T::RandomHorizontalFlip(1).is_random());
  EXPECT_TRUE(AnyTransform([](const Tensor& x) { return x * 2; }).is_random());
  EXPECT_EQ(AnyTransform([](const Tensor& x) { return x * 2; }).identity(), "");
  const Lambda twice([](const Tensor& x) { return x * 2; }, {.name = "twice", .random = false});
  EXPECT_FALSE(twice.is_random());
  EXPECT_EQ(twice.identity(), "Lambda(twice)");
  EXPECT_EQ(T::Compose({T::Resize(8), [](const Tensor& x) { return x; }}).identity(), "");
  EXPECT_NE(T::Compose({T::Resize(8), twice}).identity(), T::Compose({T::Resize(9), twice}).identity());
}

TEST(Transforms, PrintAsInTorchvision) {
  EXPECT_EQ(T::Resize(256).to_string(), "Resize(size=[256], interpolation=InterpolationMode.BILINEAR, antialias=True)");
  EXPECT_EQ(T::CenterCrop({224, 200}).to_string(), "CenterCrop(size=(224, 200))");
  EXPECT_EQ(T::Normalize({0.5, 1}, {0.25}).to_string(), "Normalize(mean=[0.5, 1.0], std=[0.25])");
  EXPECT_EQ(T::RandomHorizontalFlip().to_string(), "RandomHorizontalFlip(p=0.5)");
  EXPECT_EQ(T::ColorJitter({.brightness = 0.5, .hue = T::Range{0, 0.1}}).to_string(),
            "ColorJitter(brightness=(0.5, 1.5), hue=(0.0, 0.1))");
}

TEST(Transforms, ResizedCropsStayInTheirRanges) {
  const Tensor column = arange(50).view({1, 1, 50}).expand({3, 40, 50}).to(kUInt8);
  const T::RandomResizedCrop crop({16, 16}, {.scale = {0.2, 0.5}});
  double least = 1e9, most = 0;
  for (std::int64_t i = 0; i < 200; ++i) {
    const SampleScope scope(7, 0, i);
    const Tensor x = crop(column);
    ASSERT_EQ(to_string(x.sizes()), "[3, 16, 16]");
    const auto row = x[{0, 0}].to_vector<double>();
    const double width = (row.back() - row.front()) / 15 * 16;
    least = std::min(least, width);
    most = std::max(most, width);
  }
  // Widths are sqrt(2000 scale ratio), from sqrt(2000 0.2 3/4) to sqrt(2000 0.5 4/3).
  EXPECT_NEAR(least, 17.3, 3);
  EXPECT_NEAR(most, 36.5, 3);
  // Where no part has the ratio, the middle is taken.
  const Tensor strip = arange(400).view({1, 1, 400}).expand({1, 2, 400}).to(kFloat32);
  const Tensor middle = T::RandomResizedCrop({2, 2}, {.scale = {1, 1}})(strip);
  EXPECT_NEAR(middle.mean().item<double>(), 199.5, 1);
}

TEST(Transforms, CropsMoveOverTheWholeImage) {
  const Tensor image = arange(12).view({1, 3, 4}).to(kUInt8);
  std::set<int> corners;
  for (std::int64_t i = 0; i < 300; ++i) {
    const SampleScope scope(1, 0, i);
    corners.insert(T::RandomCrop(2)(image).to_vector<int>()[0]);
  }
  EXPECT_EQ(corners, (std::set<int>{0, 1, 2, 4, 5, 6}));
  EXPECT_THAT(message_of<ShapeError>([&] { T::RandomCrop(4)(image); }), HasSubstr("at least 4 x 4"));
  EXPECT_EQ(to_string(T::RandomCrop(5, {.pad_if_needed = true})(image).sizes()), "[1, 5, 5]");
}

TEST(Transforms, ErasingReplacesOnePart) {
  const Tensor image = ones({3, 32, 32});
  for (std::int64_t i = 0; i < 50; ++i) {
    const SampleScope scope(1, 0, i);
    const double erased = (T::RandomErasing({.p = 1})(image) == 0).to(kFloat32).mean().item<double>();
    EXPECT_GE(erased, 0.01);
    EXPECT_LE(erased, 0.36);
  }
  EXPECT_TRUE(equal(T::RandomErasing({.p = 0})(image), image));
  EXPECT_EQ(image.min().item<double>(), 1);
  const SampleScope scope(1, 0, 0);
  const Tensor noisy = T::RandomErasing({.p = 1, .value = {}})(image);
  EXPECT_GT((noisy != 1.0).sum().item<int>(), 0);
  EXPECT_THROW(T::RandomErasing({.p = 1, .value = {1, 2}})(image), ShapeError);
}

TEST(Transforms, NeverChangeTheirInput) {
  const Tensor image = picture(), before = image.clone();
  const SampleScope scope(1, 0, 0);
  for (const AnyTransform& transform :
       {AnyTransform(T::Resize(20)), AnyTransform(T::ColorJitter({.brightness = 0.5, .hue = 0.2})),
        AnyTransform(T::RandomErasing({.p = 1})), AnyTransform(T::RandomHorizontalFlip(1)), AnyTransform(T::Pad({2})),
        AnyTransform(T::ToTensor()), AnyTransform(T::Grayscale(3))}) {
    transform(image);
    EXPECT_TRUE(equal(image, before)) << transform->to_string();
  }
}

TEST(Transforms, MixingKeepsTheShare) {
  const Tensor images = cat({zeros({1, 1, 8, 8}), ones({1, 1, 8, 8})});
  for (std::int64_t i = 0; i < 40; ++i) {
    const SampleScope scope(1, 0, i);
    for (const bool cut : {false, true}) {
      const Batch batch{images, tensor({2, 0}), {0, 1}};
      const Batch mixed =
          cut ? T::CutMix({.num_classes = 3})(batch) : T::MixUp({.alpha = 0.3, .num_classes = 3})(batch);
      ASSERT_EQ(to_string(mixed.target.sizes()), "[2, 3]");
      // The share of ones in a picture is the share of class 0.
      const Tensor share = mixed.data.mean({1, 2, 3});
      EXPECT_TRUE(allclose(share, mixed.target.select(1, 0), 0, 1e-6));
      EXPECT_TRUE(allclose(mixed.target.sum(1), ones({2})));
    }
  }
  EXPECT_EQ(images.sum().item<double>(), 64);
  EXPECT_THROW(T::MixUp({})({images, tensor({2, 0}), {0, 1}}), ValueError);
  EXPECT_THROW(T::MixUp({.num_classes = 3})({images.to(kUInt8), tensor({2, 0}), {0, 1}}), DtypeError);
  EXPECT_THROW(T::CutMix({.num_classes = 3})({images, Tensor(), {0, 1}}), ShapeError);
  EXPECT_THROW(T::CutMix({.alpha = 0}), ValueError);
}

TEST(Transforms, RefuseOptionsAndImagesThatMakeNoSense) {
  EXPECT_THROW(T::Resize(0), ValueError);
  EXPECT_THROW(T::Resize(8, {.max_size = 7}), ValueError);
  EXPECT_THROW(T::CenterCrop({4, -1}), ValueError);
  EXPECT_THROW(T::RandomResizedCrop(8, {.scale = {0.5, 0.1}}), ValueError);
  EXPECT_THROW(T::RandomResizedCrop(8, {.ratio = {0, 1}}), ValueError);
  EXPECT_THROW(T::RandomHorizontalFlip(1.5), ValueError);
  EXPECT_THROW(T::Pad({1, 2, 3}), ValueError);
  EXPECT_THROW(T::Pad({-1}), ValueError);
  EXPECT_THROW(T::ColorJitter({.brightness = -0.1}), ValueError);
  EXPECT_THROW(T::ColorJitter({.hue = 0.6}), ValueError);
  EXPECT_THROW(T::Grayscale(2), ValueError);
  EXPECT_THROW(T::Normalize({0}, {0}), ValueError);
  EXPECT_THROW(T::ToDtype{kInt64}, DtypeError);
  EXPECT_THROW(T::Normalize({0}, {1})(picture()), DtypeError);
  EXPECT_THROW(T::Normalize({0, 1}, {1})(ones({3, 2, 2})), ShapeError);
  EXPECT_THROW(F::resize(ones({2, 2}), 2, 2), ShapeError);
  EXPECT_THROW(F::resize(ones({3, 2, 2}, {.dtype = kInt64}), 4, 2), DtypeError);
  EXPECT_THROW(F::resize(zeros({3, 0, 2}), 4, 2), ShapeError);
  EXPECT_THROW(F::pad(picture(), {60, 0, 0, 0}, {0}, "reflect"), ValueError);
  EXPECT_THROW(F::pad(picture(), {1, 1, 1, 1}, {0}, "mirror"), ValueError);
  EXPECT_THROW(F::adjust_hue(picture(), 0.7), ValueError);
}

TEST(Transforms, OfAnotherDeviceComputeThereOrSaySo) {
  const Device device("emulated");
  const Tensor image = picture();
  const auto there = [&](const Tensor& x) { return x.to(device); };
  const Tensor numbers = F::to_dtype(there(image), kFloat32, true);
  EXPECT_TRUE(allclose(numbers.cpu(), F::to_dtype(image, kFloat32, true), 1e-6, 1e-7));
  EXPECT_TRUE(equal(F::normalize(numbers, {0.5}, {0.25}).cpu(), F::normalize(numbers.cpu(), {0.5}, {0.25})));
  EXPECT_THROW(F::horizontal_flip(there(image)), ValueError);
  EXPECT_THROW(F::resize(there(image), 4, 4), ValueError);
  EXPECT_THROW(F::adjust_brightness(there(image), 0.5), ValueError);
  EXPECT_THROW(F::rgb_to_grayscale(there(image), 1), ValueError);
}

// Together they compute what the crop keeps, to the bit.
TEST(Transforms, ResizeAndCropAreWhatTheyAreOneByOne) {
  Generator generator(5);
  const std::pair<std::int64_t, std::int64_t> sides[] = {{40, 40}, {17, 90}, {300, 31}, {64, 48}, {1, 50}, {50, 1}};
  for (const auto& [height, width] : sides) {
    const Tensor bytes = randint(0, 256, {3, height, width}, {}, &generator).to(kUInt8);
    for (const Tensor& image : {bytes, bytes.permute({1, 2, 0}).contiguous().permute({2, 0, 1}), bytes.to(kFloat32)}) {
      for (const auto mode : {InterpolationMode::Bilinear, InterpolationMode::Bicubic, InterpolationMode::Nearest}) {
        for (const bool antialias : {true, false}) {
          for (const auto& [size, part] : {std::pair<T::Size, T::Size>{32, 28},
                                           {32, 32},
                                           {40, 33},
                                           {20, 24},
                                           {{30, 37}, {29, 10}},
                                           {{height, 20}, {height, 3}},
                                           {{20, width}, {5, 1}}}) {
            const T::Resize resize(size, {.interpolation = mode, .antialias = antialias});
            const T::CenterCrop crop(part);
            EXPECT_TRUE(equal(T::Compose({resize, crop})(image), crop(resize(image))))
                << height << " x " << width << " " << resize.to_string() << crop.to_string();
          }
        }
      }
    }
  }
}

// 1 x 60000 pixels would become 256 x 15,360,000, and with one more channel of them nobody has the memory.
TEST(Transforms, ALongNarrowPictureTakesNoMoreMemoryThanItsCrop) {
  const T::Compose fit({T::Resize(256), T::CenterCrop(224)});
  for (const std::int64_t length : {60'000, 10'000'000}) {
    reset_peak_memory();
    const std::int64_t before = memory_stats().peak_bytes;
    for (const Shape& sizes : {Shape{3, 1, length}, Shape{3, length, 1}}) {
      const Tensor image = full(sizes, 7, {.dtype = kUInt8});
      const Tensor cropped = fit(image);
      EXPECT_EQ(cropped.sizes(), (Shape{3, 224, 224}));
      EXPECT_TRUE(equal(cropped, full({3, 224, 224}, 7, {.dtype = kUInt8})));
    }
    EXPECT_LT(memory_stats().peak_bytes - before, 8 * length + 20'000'000);
  }
}

}  // namespace
}  // namespace gradus::data
