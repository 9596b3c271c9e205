// Columns of mean 0 and deviation 1.
#pragma once

#include <cstdint>
#include <vector>

#include <gradus/data/dataset.h>
#include <gradus/data/transforms.h>

namespace gradus::data {

// The Normalize for rows [columns] by which each column of this dataset gets the mean 0 and the deviation 1, as
// scikit-learn's StandardScaler: fit it on the samples to train on, and use it on all. `columns`: which; empty: all.
// What is not finite does not count, and a column that is constant keeps its deviation. ShapeError for what is not
// rows.
transforms::Normalize standardize(const Dataset& dataset, const std::vector<std::int64_t>& columns = {});

}  // namespace gradus::data
