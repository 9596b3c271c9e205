// The kernels of GPUs, as kernels/dispatch/kernels.h describes each: functions that start work on the device and
// return.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "kernels/convolution.h"
#include "kernels/elementwise.h"
#include "kernels/epilogue.h"
#include "kernels/index.h"
#include "kernels/norm.h"
#include "kernels/pool.h"
#include "kernels/product.h"
#include "kernels/random.h"
#include "kernels/recurrent.h"
#include "kernels/reduce.h"
#include "kernels/update.h"

namespace gradus::gpu {

using Int = std::int64_t;
using kernel::Batch;
using kernel::Convolution;
using kernel::Element;
using kernel::Elements;
using kernel::Epilogue;
using kernel::Extent;
using kernel::Formula;
using kernel::IndexRange;
using kernel::Normalization;
using kernel::NormalizationGradients;
using kernel::Operand;
using kernel::Picks;
using kernel::Piece;
using kernel::Pooling;
using kernel::Product;
using kernel::RandomRange;
using kernel::Recurrence;
using kernel::Reduce;
using kernel::Rows;
using kernel::Rules;
using kernel::Scatter;
using kernel::Taps;

void elementwise(const Shape& sizes, const Operand& out, std::span<const Operand> ins, Dtype compute, Dtype result,
                 const Formula& formula);
void contiguous(const Formula& formula, Int n, void* out, std::span<const void* const> ins);
void copy(const Shape& sizes, const Operand& dst, const Operand& src);
void fill(const Shape& sizes, const Operand& dst, const Element& value);

void gemm(const Product& product);
void gemm_batch(const Product& product, const Batch& batch);
bool gemm_bfloat16(bool trans_a, bool trans_b, Int m, Int n, Int k, const BFloat16* a, Int lda, const BFloat16* b,
                   Int ldb, Dtype c_dtype, void* c, Int ldc);

void reduce(Reduce kind, Dtype dtype, const void* in, void* out, const Extent& extent);
void find_first(Dtype dtype, const void* in, const void* values, Int* indices, const Extent& extent);
void cumsum(Dtype dtype, bool reverse, const void* in, void* out, const Extent& extent);
void prod_of_others(Dtype dtype, const void* in, void* out, Int rows, Int n);

void softmax(Dtype dtype, bool log, const void* x, void* y, const Extent& extent);
void softmax_backward(Dtype dtype, bool log, const void* g, const void* y, void* gx, const Extent& extent);
void cross_entropy(Dtype dtype, const void* x, const Int* target, Int ignored, void* losses, void* p, void* stats,
                   Int rows, Int classes);
void cross_entropy_backward(Dtype dtype, const void* p, const void* x, const void* stats, const Int* target,
                            Int ignored, double scale, const void* g, void* gx, Int rows, Int classes);

void moments(const Normalization& n, double floor, const void* x, void* mean, double* var);
void normalize(const Normalization& n, const void* x, const void* mean, const void* rstd, const void* weight,
               const Epilogue& then, void* y);
void normalize_backward(const Normalization& n, const NormalizationGradients& to);
void rms_norm(Dtype dtype, double eps, const void* x, const void* weight, void* rstd, void* y, Int rows, Int n);
void rms_norm_backward(Dtype dtype, const void* g, const void* x, const void* rstd, const void* weight, void* gx,
                       void* gw, Int rows, Int n);
// What these call for channels-last.
void rows_moments(const Normalization& n, const void* x, void* mean, double* var);
void rows_normalize(const Normalization& n, const void* x, const void* mean, const void* rstd, const void* weight,
                    const Epilogue& then, void* y);
void rows_norm_backward(const Normalization& n, const NormalizationGradients& to);

void conv_forward(Dtype dtype, const Convolution& c, const void* x, const void* w, const void* bias, void* y);
void conv_backward_data(Dtype dtype, const Convolution& c, const void* g, const void* w, void* gx);
void conv_backward_weight(Dtype dtype, const Convolution& c, const void* g, const void* x, void* gw);

void recurrent_forward(Dtype dtype, const Recurrence& r, const kernel::RecurrentForward<void>& p);
void recurrent_backward(Dtype dtype, const Recurrence& r, const kernel::RecurrentBackward<void>& p);
void recurrent_states_before(Dtype dtype, const Recurrence& r, const void* y, const void* h0, void* before);

void max_pool(Dtype dtype, const Pooling& p, bool relu, const void* x, void* y, std::int32_t* places);
void pool_pick(Dtype dtype, const Picks& p, const void* x, void* y);
void pool_put(Dtype dtype, const Picks& p, const void* g, void* gx);
void avg_pool(Dtype dtype, const Pooling& p, const void* x, void* y);
void avg_pool_backward(Dtype dtype, const Pooling& p, const void* g, void* gx);
void resample(Dtype dtype, const Taps& taps, Int outer, Int inner, const void* x, void* y);
void resample_backward(Dtype dtype, const Taps& taps, Int outer, Int inner, const void* g, void* gx);

void check_index(const Int* index, const Shape& sizes, const IndexRange& range);
// Throws what a check before found, once. Called where the device has been waited for.
void throw_bad_index();
void pick_rows(Dtype dtype, const void* x, const Rows& rows, void* values);
void put_rows(Dtype dtype, void* y, const Rows& rows, const void* values);
void add_rows(Dtype dtype, void* y, const Rows& rows, const void* values);
void gather(Dtype dtype, const void* x, const Scatter& places, void* values);
void scatter(Dtype dtype, void* y, const Scatter& places, const void* values);
void scatter_add(Dtype dtype, void* y, const Scatter& places, const void* values);
std::vector<Int> nonzero(const std::uint8_t* mask, Int n);
void sort_rows(Dtype dtype, const void* x, Int rows, Int n, Int k, bool descending, Int* positions);
void triangle(const void* x, void* y, Int count, Int rows, Int columns, Int width, Int diagonal, bool lower);

void fill_uniform(RandomRange range, Dtype dtype, void* out, Int n, double from, double to, double last);
void fill_normal(RandomRange range, Dtype dtype, void* out, Int n, double mean, double std);
void fill_integers(RandomRange range, Int* out, Int n, Int low, Int high);
void fill_bernoulli(RandomRange range, std::uint8_t* out, Int n, double p);
void fill_permutation(RandomRange range, Int* out, Int n);

void update(std::span<const Piece> pieces, const Rules& rules);
std::vector<double> norm_powers(std::span<const Elements> tensors, double p);
void multi_scale(std::span<const Elements> tensors, double factor);
void multi_clamp(std::span<const Elements> tensors, double limit);
void multi_lerp(std::span<const Elements> a, std::span<const Elements> b, double weight);
void multi_meet(std::span<const Elements> a, std::span<const Elements> b, double weight);

}  // namespace gradus::gpu
