// Scaled dot-product attention: what the kernels of every device are given.
#pragma once

#include <gradus/core/dtype.h>

#include <cstdint>

#include "kernels/random.h"

namespace gradus::kernel {

// A matrix for each head of each sample; rows have their elements side by side, and these many elements lie between
// samples, heads and rows.
struct HeadRows {
  void* data = nullptr;
  std::int64_t batch = 0, head = 0, row = 0;
};

// y = softmax(scale q k^T + mask) v over [batch, heads, queries, keys], which is never stored as a whole.
struct Attention {
  Dtype dtype = kFloat32;  // of all but the mask: float32 or float64
  std::int64_t batch = 0, heads = 0, queries = 0, keys = 0;
  std::int64_t shared = 1;  // so many heads in a row use one of k and v
  std::int64_t width = 0, value_width = 0;
  double scale = 1;
  bool causal = false;  // query i sees keys 0 to i
  HeadRows q = {}, k = {}, v = {}, y = {};
  void* log_sums = nullptr;  // [batch, heads, queries]: log(sum(exp(scores))); infinite where no key is seen
  // What is added to scores, or whether a key is seen, with the elements between its samples, heads, rows and columns,
  // 0 where it is the same for all. Null: no mask.
  const void* mask = nullptr;
  bool mask_is_bool = false;
  std::int64_t mask_batch = 0, mask_head = 0, mask_row = 0, mask_column = 0;
  // Weights are dropped, and the others divided by 1 - dropout: those where fill_bernoulli(random, ..., 1 - dropout) of
  // [batch, heads, queries, keys] has a 0.
  double dropout = 0;
  RandomRange random = {};
  // Backward: the gradient of y, and those that are wanted. Null data: not wanted.
  HeadRows g = {}, gq = {}, gk = {}, gv = {};
};

}  // namespace gradus::kernel
