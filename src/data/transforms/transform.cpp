#include "gradus/data/transform.h"

#include <fmt/format.h>

#include "gradus/core/error.h"
#include "gradus/data/datasets.h"

namespace gradus::data {

Lambda::Lambda(std::function<Tensor(const Tensor&)> function) : Lambda(std::move(function), Options{}) {}

Lambda::Lambda(std::function<Tensor(const Tensor&)> function, Options options)
    : function_(std::move(function)), options_(std::move(options)) {
  if (!function_) throw ValueError("Lambda: need a function, got an empty one");
}

bool TransformedOptions::is_random() const { return transform.is_random() || target_transform.is_random(); }

std::string TransformedOptions::identity(const std::string& of) const {
  const std::string first = transform.identity(), second = target_transform.identity();
  if (of.empty() || first.empty() || second.empty()) return {};
  return fmt::format("{}; data: {}; target: {}", of, first, second);
}

Sample Transformed::get(std::int64_t index) const {
  const Sample sample = dataset_->get(index);
  return {options_.transform(sample.data),
          sample.target.defined() ? options_.target_transform(sample.target) : sample.target};
}

bool Transformed::is_random() const { return dataset_->is_random() || options_.is_random(); }

std::string Transformed::identity() const { return options_.identity(dataset_->identity()); }

}  // namespace gradus::data
