// The kernels of a device, one table for each: all that operations and optimizers call. Every pointer is into the
// device's own memory but for what is said to lie in the host's, which is read before the call returns. A kernel may
// still be at work then; those that give something back have waited for it.
#pragma once

#include <gradus/core/device.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/attention.h"
#include "kernels/convolution.h"
#include "kernels/elementwise.h"
#include "kernels/index.h"
#include "kernels/norm.h"
#include "kernels/pool.h"
#include "kernels/product.h"
#include "kernels/random.h"
#include "kernels/recurrent.h"
#include "kernels/reduce.h"
#include "kernels/update.h"

namespace gradus {

struct Kernels {
  using Int = std::int64_t;
  using Shape = gradus::Shape;
  using Operand = kernel::Operand;
  using Formula = kernel::Formula;
  using Extent = kernel::Extent;
  using Rows = kernel::Rows;
  using Scatter = kernel::Scatter;
  using Norm = kernel::Normalization;
  using Pooling = kernel::Pooling;
  using Conv = kernel::Convolution;
  using Epilogue = kernel::Epilogue;
  using Random = kernel::RandomRange;
  using AllElements = std::span<const kernel::Elements>;

  // --- element by element ---
  // out = formula(ins) over `sizes`, read as `compute` and written as `result`; operands of other types are converted.
  // `out` may be one of the ins, at the same place.
  void (*elementwise)(const Shape& sizes, const Operand& out, std::span<const Operand> ins, Dtype compute, Dtype result,
                      const Formula& formula);
  // The same for n elements that all lie side by side, in the formula's types.
  void (*contiguous)(const Formula& formula, Int n, void* out, std::span<const void* const> ins);
  void (*copy)(const Shape& sizes, const Operand& dst, const Operand& src);  // converted
  void (*fill)(const Shape& sizes, const Operand& dst, const kernel::Element& value);
  void (*zero)(void* p, std::size_t bytes);

  // --- products of matrices ---
  void (*gemm)(const kernel::Product& product);
  void (*gemm_batch)(const kernel::Product& product, const kernel::Batch& batch);  // float32 and float64, no epilogue
  // op(A) op(B) in bfloat16, summed in float32; C in float32 or bfloat16. False where there are no fast loops for it;
  // what C holds is undefined then.
  bool (*gemm_bfloat16)(bool trans_a, bool trans_b, Int m, Int n, Int k, const BFloat16* a, Int lda, const BFloat16* b,
                        Int ldb, Dtype c_dtype, void* c, Int ldc);

  // --- reductions ---
  // out[o, i] = over r of in[o, r, i]; the neutral element where `reduced` is 0. float32 and float64; int64 for sum,
  // prod, max and min; uint8 for max and min.
  void (*reduce)(kernel::Reduce kind, Dtype dtype, const void* in, void* out, const Extent& extent);
  // indices[o, i] = the first r where in[o, r, i] is values[o, i], or NaN. float32, float64, int64.
  void (*find_first)(Dtype dtype, const void* in, const void* values, Int* indices, const Extent& extent);
  // out[o, r, i] = the sum of in[o, 0..r, i], or of in[o, r.., i] in reverse. float32, float64, int64.
  void (*cumsum)(Dtype dtype, bool reverse, const void* in, void* out, const Extent& extent);
  // out[r] of each row of [rows, n] = the product of the row's other elements. float32 and float64.
  void (*prod_of_others)(Dtype dtype, const void* in, void* out, Int rows, Int n);

  // --- softmax and cross entropy: float32 and float64 ---
  void (*softmax)(Dtype dtype, bool log, const void* x, void* y, const Extent& extent);
  void (*softmax_backward)(Dtype dtype, bool log, const void* g, const void* y, void* gx, const Extent& extent);
  // losses[r] = -log softmax(x[r])[target[r]]; 0 where target[r] is `ignored`. softmax(x) into p, and into stats
  // [rows, 2] the largest of each row and log(sum(exp(x - largest))), unless these are null.
  void (*cross_entropy)(Dtype dtype, const void* x, const Int* target, Int ignored, void* losses, void* p, void* stats,
                        Int rows, Int classes);
  // gx[r] = (softmax(x[r]) - one_hot(target[r])) * scale * *g. Given are p, or x and stats.
  void (*cross_entropy_backward)(Dtype dtype, const void* p, const void* x, const void* stats, const Int* target,
                                 Int ignored, double scale, const void* g, void* gx, Int rows, Int classes);

  // --- attention: kernels/attention.h; null on a device that has none, which then makes it of other kernels ---
  void (*attention)(const kernel::Attention& a) = nullptr;
  void (*attention_backward)(const kernel::Attention& a) = nullptr;

  // --- normalisation: float32 and float64, and what kernels/norm.h says of channels-last ---
  // `floor` is what will be added to the variance: what is nothing beside it need not be exact.
  void (*moments)(const Norm& n, double floor, const void* x, void* mean, double* var);
  // y = then((x - mean) rstd weight). A null weight stands for 1.
  void (*normalize)(const Norm& n, const void* x, const void* mean, const void* rstd, const void* weight,
                    const Epilogue& then, void* y);
  void (*normalize_backward)(const Norm& n, const kernel::NormalizationGradients& to);
  // y = x * rstd * weight with rstd[r] = 1 / sqrt(mean(x[r]^2) + eps), of contiguous rows.
  void (*rms_norm)(Dtype dtype, double eps, const void* x, const void* weight, void* rstd, void* y, Int rows, Int n);
  void (*rms_norm_backward)(Dtype dtype, const void* g, const void* x, const void* rstd, const void* weight, void* gx,
                            void* gw, Int rows, Int n);
  // --- convolutions: kernels/convolution.h. Row-major, float32 and float64 ---
  void (*conv_forward)(Dtype dtype, const Conv& c, const void* x, const void* w, const void* bias, void* y);
  void (*conv_backward_data)(Dtype dtype, const Conv& c, const void* g, const void* w, void* gx);
  void (*conv_backward_weight)(Dtype dtype, const Conv& c, const void* g, const void* x, void* gw);
  // The same for channels-last memory in float32 or bfloat16, as a handle. It returns null where the device has no good
  // loops for it.
  std::shared_ptr<const kernel::ChannelsLast> (*conv_channels_last)(Dtype dtype, const Conv& c) = nullptr;

  // --- recurrent layers: float32 and float64 ---
  void (*recurrent_forward)(Dtype dtype, const kernel::Recurrence& r, const kernel::RecurrentForward<void>& p);
  void (*recurrent_backward)(Dtype dtype, const kernel::Recurrence& r, const kernel::RecurrentBackward<void>& p);
  // The state before each row, [rows, out].
  void (*recurrent_states_before)(Dtype dtype, const kernel::Recurrence& r, const void* y, const void* h0,
                                  void* before);

  // --- pooling: x [planes, in..., channels], y [planes, out..., channels]. float32 and float64; float32 and bfloat16
  // where there are several channels ---
  // Also where each maximum stands in its plane; where a relu after it gives 0, the place is marked as closed.
  void (*max_pool)(Dtype dtype, const Pooling& pooling, bool relu, const void* x, void* y, std::int32_t* places);
  void (*pool_pick)(Dtype dtype, const kernel::Picks& picks, const void* x, void* y);
  void (*pool_put)(Dtype dtype, const kernel::Picks& picks, const void* g, void* gx);
  void (*avg_pool)(Dtype dtype, const Pooling& pooling, const void* x, void* y);
  void (*avg_pool_backward)(Dtype dtype, const Pooling& pooling, const void* g, void* gx);
  void (*resample)(Dtype dtype, const kernel::Taps& taps, Int outer, Int inner, const void* x, void* y);
  void (*resample_backward)(Dtype dtype, const kernel::Taps& taps, Int outer, Int inner, const void* g, void* gx);

  // --- indices ---
  // IndexError where an entry is out of range: at once, or when the device is next waited for.
  void (*check_index)(const Int* index, const Shape& sizes, const kernel::IndexRange& range);
  void (*pick_rows)(Dtype dtype, const void* x, const Rows& rows, void* values);
  void (*put_rows)(Dtype dtype, void* y, const Rows& rows, const void* values);  // of several for one place, the last
  void (*add_rows)(Dtype dtype, void* y, const Rows& rows, const void* values);  // in the order of the index
  void (*gather)(Dtype dtype, const void* x, const Scatter& places, void* values);
  void (*scatter)(Dtype dtype, void* y, const Scatter& places, const void* values);
  void (*scatter_add)(Dtype dtype, void* y, const Scatter& places, const void* values);
  std::vector<Int> (*nonzero)(const std::uint8_t* mask, Int n);  // positions of the ones, into the host's memory
  // Positions of the first k of each row in sorted order; equal numbers keep theirs, NaN is the greatest.
  void (*sort_rows)(Dtype dtype, const void* x, Int rows, Int n, Int k, bool descending, Int* positions);
  void (*triangle)(const void* x, void* y, Int count, Int rows, Int columns, Int width, Int diagonal, bool lower);

  // --- random numbers: kernels/cpu/random/random.h says which ---
  void (*fill_uniform)(Random range, Dtype dtype, void* out, Int n, double from, double to, double last);
  void (*fill_normal)(Random range, Dtype dtype, void* out, Int n, double mean, double std);
  void (*fill_integers)(Random range, Int* out, Int n, Int low, Int high);
  void (*fill_bernoulli)(Random range, std::uint8_t* out, Int n, double p);
  void (*fill_permutation)(Random range, Int* out, Int n);

  // --- optimizers: many tensors at once ---
  void (*update)(std::span<const kernel::Piece> pieces, const kernel::Rules& rules);
  std::vector<double> (*norm_powers)(AllElements tensors, double p);  // of each the sum of |x|^p; p = inf: the largest
  void (*multi_scale)(AllElements tensors, double factor);
  void (*multi_clamp)(AllElements tensors, double limit);
  void (*multi_lerp)(AllElements a, AllElements b, double weight);  // a += weight (b - a)
  void (*multi_meet)(AllElements a, AllElements b, double weight);  // the same, and b = a

  // Which of the device's loops run, where their sums differ in bits: the CPU's instruction set.
  int (*variant)();
};

extern const Kernels cpu_kernels;
const Kernels& kernels_beside_cpu(Device device);

inline const Kernels& kernels(Device device) {
  return device.type == DeviceType::CPU ? cpu_kernels : kernels_beside_cpu(device);
}

}  // namespace gradus
