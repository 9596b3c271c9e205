#include "kernels/cpu/elementwise/multi_tensor.h"

#include <algorithm>
#include <vector>

#include "core/threads/parallel.h"
#include "core/visit.h"
#include "kernels/cpu/reduce/reduce_rows.h"
#include "kernels/cpu/simd/simd.h"
#include "kernels/math.h"

namespace gradus::cpu {

namespace {

// What one call of a loop does: it fits the first cache, and is long enough for the call not to matter.
constexpr std::int64_t kBlock = 4096;
constexpr std::int64_t kGrain = 32768;  // elements that are worth a thread

struct Block {
  std::size_t tensor;
  std::int64_t begin, n;
};

std::vector<Block> blocks_of(std::span<const Elements> tensors) {
  std::vector<Block> blocks;
  for (std::size_t t = 0; t < tensors.size(); ++t)
    for (std::int64_t i = 0; i < tensors[t].n; i += kBlock)
      blocks.push_back({t, i, std::min(kBlock, tensors[t].n - i)});
  return blocks;
}

// body(number of the block, block), in any order.
template <class F>
void for_blocks(std::span<const Elements> tensors, const std::vector<Block>& blocks, F body) {
  std::int64_t total = 0;
  for (const Elements& tensor : tensors) total += tensor.n;
  const auto count = static_cast<std::int64_t>(blocks.size());
  const std::int64_t grain = total <= kGrain ? count : std::max<std::int64_t>(1, count * kGrain / total);
  core::parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) body(static_cast<std::size_t>(b), blocks[static_cast<std::size_t>(b)]);
  });
}

// Calls Body<T>(first element, number, args...) for each block.
template <template <class> class Body, class... Args>
void change(std::span<const Elements> tensors, Args... args) {
  const auto blocks = blocks_of(tensors);
  for_blocks(tensors, blocks, [&](std::size_t, const Block& block) {
    const Elements& x = tensors[block.tensor];
    visit<float, double>("optimizer", x.dtype, [&]<class T>(T) {
      simd_call<Body<T>>(static_cast<T*>(x.data) + block.begin, block.n, static_cast<T>(args)...);
    });
  });
}

template <template <class> class Body>
void change_pairs(std::span<const Elements> as, std::span<const Elements> bs, double weight) {
  for (std::size_t i = 0; i < as.size(); ++i)
    if (as[i].dtype != bs[i].dtype || as[i].n != bs[i].n) refuse_type("pairs of unequal tensors", bs[i].dtype);
  const auto blocks = blocks_of(as);
  for_blocks(as, blocks, [&](std::size_t, const Block& block) {
    const Elements &a = as[block.tensor], &b = bs[block.tensor];
    visit<float, double>("optimizer", a.dtype, [&]<class T>(T) {
      simd_call<Body<T>>(static_cast<T*>(a.data) + block.begin, static_cast<T*>(b.data) + block.begin, block.n,
                         static_cast<T>(weight));
    });
  });
}

template <class T>
struct ScaleBody {
  GRADUS_INLINE static void run(T* x, std::int64_t n, T factor) {
    for (std::int64_t i = 0; i < n; ++i) x[i] *= factor;
  }
};

template <class T>
struct ClampBody {
  GRADUS_INLINE static void run(T* x, std::int64_t n, T limit) {
    for (std::int64_t i = 0; i < n; ++i) {
      const T low = x[i] < -limit ? -limit : x[i];
      x[i] = low > limit ? limit : low;
    }
  }
};

// torch.lerp's formula: exact at both ends.
template <class T>
GRADUS_INLINE T mix(T a, T b, T weight) {
  return weight < T(0.5) ? a + weight * (b - a) : b - (b - a) * (1 - weight);
}

template <class T>
struct LerpBody {
  GRADUS_INLINE static void run(T* a, const T* b, std::int64_t n, T weight) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) a[i] = mix(a[i], b[i], weight);
  }
};

template <class T>
struct MeetBody {
  GRADUS_INLINE static void run(T* a, T* b, std::int64_t n, T weight) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) a[i] = b[i] = mix(a[i], b[i], weight);
  }
};

enum class Power { one, two, any, largest };

template <class T, Power power>
struct PowerBody {
  GRADUS_INLINE static void run(const T* x, std::int64_t n, double p, double* out) {
    using Reduce = std::conditional_t<power == Power::largest, ExtremeOf<double, true>, SumOf<double>>;
    const double sum = reduce_block<Reduce, double>(n, [x, p](std::int64_t i) GRADUS_LAMBDA -> double {
      const double v = std::abs(static_cast<double>(x[i]));
      if constexpr (power == Power::two) return v * v;
      if constexpr (power == Power::any) return math::pow(v, p);
      return v;
    });
    *out = sum;
  }
};

template <class T>
void block_power(const void* x, std::int64_t begin, std::int64_t n, double p, double* out) {
  const T* first = static_cast<const T*>(x) + begin;
  if (p == 2) return simd_call<PowerBody<T, Power::two>>(first, n, p, out);
  if (p == 1) return simd_call<PowerBody<T, Power::one>>(first, n, p, out);
  if (std::isinf(p)) return simd_call<PowerBody<T, Power::largest>>(first, n, p, out);
  simd_call<PowerBody<T, Power::any>>(first, n, p, out);
}

}  // namespace

std::vector<double> norm_powers(std::span<const Elements> tensors, double p) {
  const auto blocks = blocks_of(tensors);
  std::vector<double> parts(blocks.size());
  for_blocks(tensors, blocks, [&](std::size_t number, const Block& block) {
    const Elements& x = tensors[block.tensor];
    visit<float, double>("norm", x.dtype,
                         [&]<class T>(T) { block_power<T>(x.data, block.begin, block.n, p, &parts[number]); });
  });
  std::vector<double> powers(tensors.size());
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    double& all = powers[blocks[b].tensor];
    all = std::isinf(p) ? ExtremeOf<double, true>::combine(all, parts[b]) : all + parts[b];
  }
  return powers;
}

void multi_scale(std::span<const Elements> tensors, double factor) { change<ScaleBody>(tensors, factor); }
void multi_clamp(std::span<const Elements> tensors, double limit) { change<ClampBody>(tensors, limit); }
void multi_lerp(std::span<const Elements> a, std::span<const Elements> b, double weight) {
  change_pairs<LerpBody>(a, b, weight);
}
void multi_meet(std::span<const Elements> a, std::span<const Elements> b, double weight) {
  change_pairs<MeetBody>(a, b, weight);
}

}  // namespace gradus::cpu
