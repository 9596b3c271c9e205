#include <fmt/format.h>

#include "data/datasets/idx.h"
#include "data/datasets/rows.h"
#include "data/loader/hash.h"
#include "gradus/core/error.h"
#include "gradus/data/datasets.h"
#include "gradus/ops.h"

namespace gradus::data {

namespace {

// What is wrong with the first of the targets that is none of so many classes; "" where all are.
std::string label_fault(const Tensor& targets, std::size_t classes) {
  const Tensor labels = targets.contiguous();
  const auto* label = labels.data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < labels.numel(); ++i) {
    if (label[i] < 0 || label[i] >= static_cast<std::int64_t>(classes)) {
      return fmt::format("sample {}: there are {} classes, so a label is from 0 to {}, got {}", i, classes, classes - 1,
                         label[i]);
    }
  }
  return {};
}

}  // namespace

ImageArray::ImageArray(Tensor images, Tensor targets, std::vector<std::string> classes, TransformedOptions options,
                       std::string name)
    : images_(std::move(images)),
      targets_(std::move(targets)),
      classes_(std::move(classes)),
      options_(std::move(options)),
      name_(std::move(name)) {
  if (images_.dtype() != kUInt8 || targets_.dtype() != kInt64) {
    throw DtypeError(fmt::format("ImageArray: need uint8 images and int64 targets, got {} and {}",
                                 to_string(images_.dtype()), to_string(targets_.dtype())));
  }
  if (images_.dim() != 4 || targets_.dim() != 1 || images_.size(0) != targets_.size(0)) {
    throw ShapeError(fmt::format("ImageArray: need images [N, C, H, W] and targets [N], got {} and {}",
                                 to_string(images_.sizes()), to_string(targets_.sizes())));
  }
  if (classes_.empty()) return;
  if (const std::string fault = label_fault(targets_, classes_.size()); !fault.empty()) {
    throw ValueError(fmt::format("ImageArray: {}, {}", name_, fault));
  }
}

Sample ImageArray::get(std::int64_t index) const {
  check_index("ImageArray", index);
  return {options_.transform(images_.select(0, index)), options_.target_transform(targets_.select(0, index))};
}

Batch ImageArray::get_batch(std::span<const std::int64_t> indices) const {
  if (options_.transform || options_.target_transform) return {};
  return rows_of(images_, targets_, indices);
}

std::string ImageArray::name(std::int64_t index) const { return fmt::format("{}[{}]", name_, index); }

bool ImageArray::is_random() const { return options_.is_random(); }

std::string ImageArray::identity() const {
  return options_.identity("images " + Hash().add(images_).add(targets_).hex());
}

namespace {

// The arrays of both files.
ImageArray read_pair(const std::string& root, const std::string& folder, std::vector<std::string> classes,
                     const MNISTOptions& options) {
  const std::string part = options.train ? "train" : "t10k";
  const auto read = [&](const std::string& where, const char* what) {
    return read_idx(where + "/" + part + "-" + what + "-ubyte");
  };
  std::string where = root + "/" + folder + "/raw";
  IdxArray images, labels;
  try {
    images = read(where, "images-idx3");
  } catch (const IoError& missing) {
    if (std::string_view(missing.what()).find("no file") == std::string_view::npos) throw;
    images = read(root, "images-idx3");
    where = root;
  }
  labels = read(where, "labels-idx1");
  const std::string name = where + "/" + part;
  if (images.shape.size() != 3 || labels.shape.size() != 1 || images.shape[0] != labels.shape[0]) {
    throw IoError(fmt::format("MNIST: {}: need images [N, height, width] and N labels, got {} and {}", name,
                              to_string(Shape(images.shape)), to_string(Shape(labels.shape))));
  }
  const Tensor targets = tensor(labels.bytes, {labels.shape[0]}, {.dtype = kUInt8}).to(kInt64);
  if (const std::string fault = label_fault(targets, classes.size()); !fault.empty()) {
    throw IoError(fmt::format("MNIST: {}-labels-idx1-ubyte, {}", name, fault));
  }
  return {tensor(images.bytes, {images.shape[0], 1, images.shape[1], images.shape[2]}, {.dtype = kUInt8}),
          targets,
          std::move(classes),
          {options.transform, options.target_transform},
          name};
}

}  // namespace

MNIST::MNIST(const std::string& root, const std::string& folder, std::vector<std::string> classes,
             const MNISTOptions& options)
    : ImageArray(read_pair(root, folder, std::move(classes), options)) {}

MNIST::MNIST(const std::string& root, const MNISTOptions& options)
    : MNIST(root, "MNIST",
            {"0 - zero", "1 - one", "2 - two", "3 - three", "4 - four", "5 - five", "6 - six", "7 - seven", "8 - eight",
             "9 - nine"},
            options) {}

FashionMNIST::FashionMNIST(const std::string& root, const MNISTOptions& options)
    : MNIST(root, "FashionMNIST",
            {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"},
            options) {}

}  // namespace gradus::data
