// Softmax and its logarithm along one dimension of [outer, reduced, inner]; cross entropy of rows. float32 and float64.
#pragma once

#include "kernels/cpu/reduce/reduce.h"

namespace gradus::cpu {

// y = softmax(x), or its logarithm.
void softmax(Dtype dtype, bool log, const void* x, void* y, const Extent& extent);

// gx from the gradient g of y and y itself.
void softmax_backward(Dtype dtype, bool log, const void* g, const void* y, void* gx, const Extent& extent);

// losses[r] = -log softmax(x[r])[target[r]] for each row of [rows, classes]; 0 where target[r] is `ignored`. All other
// targets lie in [0, classes). Writes softmax(x) to p, and to stats [rows, 2] the largest element of each row and
// log(sum(exp(x - largest))), unless these are null.
void cross_entropy(Dtype dtype, const void* x, const std::int64_t* target, std::int64_t ignored, void* losses, void* p,
                   void* stats, std::int64_t rows, std::int64_t classes);

// gx[r] = (softmax(x[r]) - one_hot(target[r])) * scale * g for the number that g points to; 0 where target[r] is
// `ignored`. Given are p, or x and stats.
void cross_entropy_backward(Dtype dtype, const void* p, const void* x, const void* stats, const std::int64_t* target,
                            std::int64_t ignored, double scale, const void* g, void* gx, std::int64_t rows,
                            std::int64_t classes);

}  // namespace gradus::cpu
