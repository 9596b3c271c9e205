// Sums, means and maxima of rows of a table, bag by bag: torch.nn.functional's.
#pragma once

#include <optional>
#include <string>

#include <gradus/tensor.h>

namespace gradus {

struct EmbeddingBagArguments {
  std::string mode = "mean";                     // or "sum", "max"
  Tensor per_sample_weights = {};                // for "sum": the weight of each row, with the input's sizes
  bool include_last_offset = false;              // the last offset is where the last bag ends
  std::optional<std::int64_t> padding_idx = {};  // this row is in no bag, and gets no gradient
};

// weight [rows, features] -> [bags, features]. The input's integers are [bags, n], each row a bag; or [n], where
// bag i goes from offsets[i] to the next offset. offsets [bags] increase from 0 to at most n. An empty bag is zero.
Tensor embedding_bag(const Tensor& input, const Tensor& weight, const Tensor& offsets = Tensor(),
                     const EmbeddingBagArguments& arguments = {});

}  // namespace gradus
