// Sums, means and maxima of rows of a table, bag by bag: torch.nn.functional's.
#pragma once

#include <optional>
#include <string>

#include <gradus/tensor.h>

namespace gradus {

struct EmbeddingBagArguments {
  std::string mode = "mean";                     // or "sum", "max"
  Tensor per_sample_weights = {};                // of "sum": what each row counts, of the input's sizes
  bool include_last_offset = false;              // the last offset is where the last bag ends
  std::optional<std::int64_t> padding_idx = {};  // this row is in no bag, and gets no gradient
};

// weight [rows, features] -> [bags, features]. The input's integers are [bags, n], each row a bag; or [n], of which
// bag i is offsets[i] up to the next offset. offsets [bags] rise from 0 to n at most. An empty bag is zero.
Tensor embedding_bag(const Tensor& input, const Tensor& weight, const Tensor& offsets = Tensor(),
                     const EmbeddingBagArguments& arguments = {});

}  // namespace gradus
