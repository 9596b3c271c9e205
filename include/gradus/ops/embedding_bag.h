// Rows of a table, and their sums, means and maxima, bag by bag: torch.nn.functional's. gradus/ops.h has embedding
// without further arguments.
#pragma once

#include <optional>
#include <string>

#include <gradus/tensor.h>

namespace gradus {

struct EmbeddingArguments {
  std::optional<std::int64_t> padding_idx = {};  // this row gets no gradient; negative: from the end
  std::optional<double> max_norm = {};           // used rows with a larger norm are first scaled to it, in place
  double norm_type = 2;                          // which norm
  bool scale_grad_by_freq = false;               // gradients are divided by how often their row is used in this call
};
Tensor embedding(const Tensor& index, const Tensor& weight, const EmbeddingArguments& arguments);

struct EmbeddingBagArguments {
  std::string mode = "mean";                     // or "sum", "max"
  Tensor per_sample_weights = {};                // for "sum": the weight of each row, with the input's sizes
  bool include_last_offset = false;              // the last offset is where the last bag ends
  std::optional<std::int64_t> padding_idx = {};  // this row is in no bag, and gets no gradient
  std::optional<double> max_norm = {};           // these as EmbeddingArguments'
  double norm_type = 2;
  bool scale_grad_by_freq = false;
};

// weight [rows, features] -> [bags, features]. The input's integers are [bags, n], each row a bag; or [n], where
// bag i goes from offsets[i] to the next offset. offsets [bags] increase from 0 to at most n. An empty bag is zero.
Tensor embedding_bag(const Tensor& input, const Tensor& weight, const Tensor& offsets = Tensor(),
                     const EmbeddingBagArguments& arguments = {});

}  // namespace gradus

namespace gradus::nn::functional {
using gradus::embedding;  // the form above, too
using gradus::embedding_bag;
}  // namespace gradus::nn::functional
