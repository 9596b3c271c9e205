// What stands for data that are not at hand, where sizes are all that is asked for.
#pragma once

#include <optional>

#include "recipe/recipe.h"

namespace gradus::recipe {

struct StandIn {
  bool allowed = false;  // data and weights need not be there
  Shape input = {};      // of one x as networks see it; empty: as the dataset and its transforms make it
  std::optional<std::int64_t> classes = {};
};

// Blank samples of those sizes. `transform` is done to those that the dataset's kind has itself. ValueError where the
// sizes cannot be known.
data::AnyDataset stand_in(const StandIn& wanted, const DataPart& data, const data::AnyTransform& transform);

}  // namespace gradus::recipe
