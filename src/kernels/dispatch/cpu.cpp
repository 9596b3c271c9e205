// The CPU's kernels.
#include <bit>
#include <cstring>

#include "core/visit.h"
#include "kernels/cpu/elementwise/elementwise.h"
#include "kernels/cpu/elementwise/multi_tensor.h"
#include "kernels/cpu/elementwise/update.h"
#include "kernels/cpu/index/nonzero.h"
#include "kernels/cpu/index/rows.h"
#include "kernels/cpu/index/scatter.h"
#include "kernels/cpu/index/sort.h"
#include "kernels/cpu/index/triangle.h"
#include "kernels/cpu/norm/normalization.h"
#include "kernels/cpu/norm/rms_norm.h"
#include "kernels/cpu/norm/softmax.h"
#include "kernels/cpu/pool/pooling.h"
#include "kernels/cpu/pool/resample.h"
#include "kernels/cpu/random/random.h"
#include "kernels/cpu/recurrent/recurrent.h"
#include "kernels/cpu/reduce/reduce.h"
#include "kernels/cpu/reduce/scan.h"
#include "kernels/cpu/simd/simd.h"
#include "kernels/dispatch/attention.h"
#include "kernels/dispatch/convolution.h"
#include "kernels/dispatch/gemm.h"
#include "kernels/dispatch/kernels.h"

namespace gradus {

namespace {

void zero(void* p, std::size_t bytes) { std::memset(p, 0, bytes); }

void fill_uniform(kernel::RandomRange range, Dtype dtype, void* out, std::int64_t n, double from, double to,
                  double last) {
  visit<float, double>("uniform_", dtype,
                       [&]<class T>(T) { cpu::fill_uniform(range, static_cast<T*>(out), n, from, to, last); });
}

void fill_normal(kernel::RandomRange range, Dtype dtype, void* out, std::int64_t n, double mean, double std) {
  visit<float, double>("normal_", dtype,
                       [&]<class T>(T) { cpu::fill_normal(range, static_cast<T*>(out), n, mean, std); });
}

// The same pointers, to elements of T.
void recurrent_forward(Dtype dtype, const kernel::Recurrence& r, const kernel::RecurrentForward<void>& p) {
  visit<float, double>("recurrent", dtype, [&]<class T>(T) {
    cpu::recurrent_forward<T>(r, std::bit_cast<kernel::RecurrentForward<T>>(p));
  });
}

void recurrent_backward(Dtype dtype, const kernel::Recurrence& r, const kernel::RecurrentBackward<void>& p) {
  visit<float, double>("recurrent", dtype, [&]<class T>(T) {
    cpu::recurrent_backward<T>(r, std::bit_cast<kernel::RecurrentBackward<T>>(p));
  });
}

void recurrent_states_before(Dtype dtype, const kernel::Recurrence& r, const void* y, const void* h0, void* before) {
  visit<float, double>("recurrent", dtype, [&]<class T>(T) {
    cpu::recurrent_states_before<T>(r, static_cast<const T*>(y), static_cast<const T*>(h0), static_cast<T*>(before));
  });
}

}  // namespace

constinit const Kernels cpu_kernels{
    .elementwise = cpu::elementwise,
    .contiguous = cpu::contiguous,
    .copy = cpu::copy,
    .fill = cpu::fill,
    .zero = zero,
    .gemm = cpu::gemm,
    .gemm_batch = cpu::gemm_batch,
    .gemm_bfloat16 = cpu::gemm_bfloat16,
    .reduce = cpu::reduce,
    .find_first = cpu::find_first,
    .cumsum = cpu::cumsum,
    .prod_of_others = cpu::prod_of_others,
    .softmax = cpu::softmax,
    .softmax_backward = cpu::softmax_backward,
    .cross_entropy = cpu::cross_entropy,
    .cross_entropy_backward = cpu::cross_entropy_backward,
    .attention = cpu::attention,
    .attention_backward = cpu::attention_backward,
    .moments = cpu::moments,
    .normalize = cpu::normalize,
    .normalize_backward = cpu::normalize_backward,
    .rms_norm = cpu::rms_norm,
    .rms_norm_backward = cpu::rms_norm_backward,
    .conv_forward = cpu::conv_forward,
    .conv_backward_data = cpu::conv_backward_data,
    .conv_backward_weight = cpu::conv_backward_weight,
    .conv_channels_last = cpu::conv_channels_last,
    .recurrent_forward = recurrent_forward,
    .recurrent_backward = recurrent_backward,
    .recurrent_states_before = recurrent_states_before,
    .max_pool = cpu::max_pool,
    .pool_pick = cpu::pool_pick,
    .pool_put = cpu::pool_put,
    .avg_pool = cpu::avg_pool,
    .avg_pool_backward = cpu::avg_pool_backward,
    .resample = cpu::resample,
    .resample_backward = cpu::resample_backward,
    .check_index = kernel::check_index,
    .pick_rows = cpu::pick_rows,
    .put_rows = cpu::put_rows,
    .add_rows = cpu::add_rows,
    .gather = cpu::gather,
    .scatter = cpu::scatter,
    .scatter_add = cpu::scatter_add,
    .nonzero = cpu::nonzero,
    .sort_rows = cpu::sort_rows,
    .triangle = cpu::triangle,
    .fill_uniform = fill_uniform,
    .fill_normal = fill_normal,
    .fill_integers = cpu::fill_integers,
    .fill_bernoulli = cpu::fill_bernoulli,
    .fill_permutation = cpu::fill_permutation,
    .update = cpu::update,
    .norm_powers = cpu::norm_powers,
    .multi_scale = cpu::multi_scale,
    .multi_clamp = cpu::multi_clamp,
    .multi_lerp = cpu::multi_lerp,
    .multi_meet = cpu::multi_meet,
    .variant = [] { return static_cast<int>(cpu::current_isa()); },
};

}  // namespace gradus
