#include "gradus/data/datasets.h"
#include "gradus/io/numpy.h"

namespace gradus::data {

TensorDataset npy_dataset(const std::string& data, const std::string& target) {
  return {io::load_npy(data), target.empty() ? Tensor() : io::load_npy(target)};
}

TensorDataset npz_dataset(const std::string& path, const std::string& data, const std::string& target) {
  std::vector<std::string> names{data};
  if (!target.empty()) names.push_back(target);
  const io::Value arrays = io::load_npz(path, {}, names);
  return {arrays.as_tensor({data}), target.empty() ? Tensor() : arrays.as_tensor({target})};
}

}  // namespace gradus::data
