#include "data/datasets/cifar.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "gradus/core/error.h"
#include "gradus/data/datasets.h"
#include "gradus/ops.h"
#include "io/file/posix.h"

namespace gradus::data {

namespace {

constexpr std::size_t kPixels = 3 * 32 * 32;

bool exists(const std::string& path) { return static_cast<bool>(io::Fd(io::open_file(path, 0))); }

std::string folder_of(const std::string& root, const std::string& folder, const std::string& file) {
  const std::string inner = root + "/" + folder;
  return exists(inner + "/" + file) || !exists(root + "/" + file) ? inner : root;
}

CifarRecords read_files(const std::string& folder, const std::vector<std::string>& files, const CifarFormat& format) {
  std::vector<Tensor> images, targets;
  for (const std::string& file : files) {
    const std::string path = folder + "/" + file;
    CifarRecords records = parse_cifar(io::read_file(path), format, path);
    images.push_back(std::move(records.images));
    targets.push_back(std::move(records.targets));
  }
  return {images.size() == 1 ? images[0] : cat(images), targets.size() == 1 ? targets[0] : cat(targets)};
}

// The lines of the file of names; numbers where it is not there.
std::vector<std::string> read_names(const std::string& path, int classes) {
  std::vector<std::string> names;
  if (!exists(path)) {
    for (int i = 0; i < classes; ++i) names.push_back(std::to_string(i));
    return names;
  }
  const std::string text = io::read_file(path);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string name = text.substr(at, end - at);
    if (name.ends_with('\r')) name.pop_back();
    if (!name.empty()) names.push_back(std::move(name));
    at = end + 1;
  }
  if (std::ssize(names) != classes) {
    throw IoError(fmt::format("CIFAR: need the names of {} classes in {}, got {}", classes, path, names.size()));
  }
  return names;
}

ImageArray cifar(const std::string& root, const std::string& folder, const std::vector<std::string>& files,
                 const std::string& names, const CifarFormat& format, TransformedOptions options) {
  const std::string path = folder_of(root, folder, files[0]);
  CifarRecords records = read_files(path, files, format);
  return {std::move(records.images), std::move(records.targets),
          read_names(path + "/" + names, format.label_limits[format.label]), std::move(options), path};
}

}  // namespace

CifarRecords parse_cifar(std::string_view bytes, const CifarFormat& format, const std::string& name) {
  const std::size_t labels = format.label_limits.size(), record = labels + kPixels;
  if (bytes.size() % record != 0) {
    throw IoError(fmt::format("CIFAR: {} has {} bytes, which are not whole records of {}", name, bytes.size(), record));
  }
  const auto count = static_cast<std::int64_t>(bytes.size() / record);
  CifarRecords records{empty({count, 3, 32, 32}, {.dtype = kUInt8}), empty({count}, {.dtype = kInt64})};
  auto* pixels = records.images.data_ptr<std::uint8_t>();
  auto* targets = records.targets.data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < count; ++i, bytes.remove_prefix(record), pixels += kPixels) {
    for (std::size_t j = 0; j < labels; ++j) {
      const int label = static_cast<unsigned char>(bytes[j]);
      if (label >= format.label_limits[j]) {
        throw IoError(fmt::format("CIFAR: {}, record {}: need a label from 0 to {}, got {}", name, i,
                                  format.label_limits[j] - 1, label));
      }
      if (j == format.label) targets[i] = label;
    }
    std::memcpy(pixels, bytes.data() + labels, kPixels);
  }
  return records;
}

CIFAR10::CIFAR10(const std::string& root, const MNISTOptions& options)
    : ImageArray(cifar(root, "cifar-10-batches-bin",
                       options.train
                           ? std::vector<std::string>{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                                      "data_batch_4.bin", "data_batch_5.bin"}
                           : std::vector<std::string>{"test_batch.bin"},
                       "batches.meta.txt", kCifar10, {options.transform, options.target_transform})) {}

CIFAR100::CIFAR100(const std::string& root, const CIFAR100Options& options)
    : ImageArray(cifar(root, "cifar-100-binary", {options.train ? "train.bin" : "test.bin"},
                       options.coarse ? "coarse_label_names.txt" : "fine_label_names.txt",
                       options.coarse ? kCifar100Coarse : kCifar100, {options.transform, options.target_transform})) {}

}  // namespace gradus::data
