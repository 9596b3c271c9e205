// Pictures and their classes, from whatever a folder holds, as networks take them.
#pragma once

#include <gradus/data/dataset.h>
#include <gradus/data/transform.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace gradus::cli {

// What becomes of a picture before a network sees it: part of a trained classifier, since it must be the same later.
struct Preprocess {
  std::int64_t size = 224;                                                        // sides, in pixels
  std::vector<double> mean = {0.485, 0.456, 0.406}, std = {0.229, 0.224, 0.225};  // of ImageNet's pixels in [0, 1]

  // uint8 [N, 1 or 3, H, W] -> float32 [N, 3, size, size]. Smaller pictures get a border of 0, gray ones three
  // channels.
  Tensor operator()(const Tensor& images) const;
};
void to_json(nlohmann::ordered_json& json, const Preprocess& preprocess);
void from_json(const nlohmann::ordered_json& json, Preprocess& preprocess);

// A uint8 picture [C, H, W] to [C, size, size]: one that is smaller by a few pixels gets a border of 0, as MNIST's for
// LeNet; of others the shorter side becomes size * 256 / 224, and the middle is cut out, as torchvision evaluates.
data::AnyTransform fit_picture(std::int64_t size);

enum class Augment { none, flip, crop };

struct ImageOptions {
  std::string folder;
  std::string classes;  // which: numbers, ranges and names, "0-4,7,sneaker"; empty: all
  double held_out = 0.2;
  std::uint64_t seed = 1;  // of what is held out
  Augment augment = Augment::none;
};

// Datasets of uint8 pictures whose targets count the chosen classes from 0. Where the pictures of a dataset have one
// size they come in batches at once.
struct Images {
  data::AnyDataset train, test;
  std::vector<std::string> classes;
  std::string about;                  // "Fashion-MNIST"
  std::vector<std::string> left_out;  // "3 .webp files (p/cat/a.webp)"
};

// MNIST's and Fashion-MNIST's IDX files, CIFAR-10 and CIFAR-100 (binary), folders of pictures (class = sub-folder) in
// train/ and val/ (valid/, validation/, test/), or together: then `held_out` of them are for the test. Pictures stand
// as their EXIF data say; folders without one are not classes. IoError where there is nothing of the kind; ValueError
// for classes that are not there.
Images read_images(const ImageOptions& options, const Preprocess& preprocess);

}  // namespace gradus::cli
