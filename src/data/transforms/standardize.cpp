#include "gradus/data/standardize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "gradus/core/error.h"

namespace gradus::data {

transforms::Normalize standardize(const Dataset& dataset, const std::vector<std::int64_t>& columns) {
  // Welford's running mean and sum of squares, which large means do not spoil.
  struct Column {
    double count = 0, mean = 0, squares = 0;
  };
  std::vector<Column> found;
  for (std::int64_t i = 0; i < dataset.size(); ++i) {
    const Tensor row = dataset.get(i).data;
    if (i == 0 && row.dim() == 1) found.resize(static_cast<std::size_t>(row.size(0)));
    if (row.dim() != 1 || row.size(0) != std::ssize(found)) {
      throw ShapeError(fmt::format("standardize: need rows [columns] of numbers, got {} of {}", to_string(row.sizes()),
                                   dataset.name(i)));
    }
    const auto values = row.to_vector<double>();
    for (std::size_t c = 0; c < found.size(); ++c) {
      if (!std::isfinite(values[c])) continue;
      const double off = values[c] - found[c].mean;
      found[c].mean += off / ++found[c].count;
      found[c].squares += off * (values[c] - found[c].mean);
    }
  }
  if (found.empty()) throw ShapeError("standardize: need a sample of at least one column, got none");
  std::vector<double> mean(found.size(), 0), std(found.size(), 1);
  for (std::size_t c = 0; c < found.size(); ++c) {
    const bool wanted =
        columns.empty() || std::find(columns.begin(), columns.end(), static_cast<std::int64_t>(c)) != columns.end();
    if (!wanted || found[c].count == 0) continue;
    mean[c] = found[c].mean;
    const double deviation = std::sqrt(found[c].squares / found[c].count);
    if (deviation > 0) std[c] = deviation;
  }
  return {std::move(mean), std::move(std)};
}

}  // namespace gradus::data
