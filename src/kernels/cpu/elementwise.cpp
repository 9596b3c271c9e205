#include "kernels/cpu/elementwise.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/parallel.h"

namespace gradus::cpu {

namespace {

constexpr std::int64_t kBlock = 512;    // elements staged at a time
constexpr std::int64_t kGrain = 16384;  // elements below which another thread does not pay

template <class S, class D>
GRADUS_INLINE D convert(S x) {
  if constexpr (std::is_same_v<D, bool>) {
    return static_cast<D>(static_cast<std::conditional_t<std::is_same_v<S, BFloat16>, float, S>>(x) != 0);
  } else if constexpr (std::is_same_v<S, BFloat16> || std::is_same_v<D, BFloat16>) {
    return static_cast<D>(static_cast<float>(x));
  } else if constexpr (std::is_floating_point_v<S> && std::is_same_v<D, std::uint8_t>) {
    return static_cast<D>(static_cast<std::int64_t>(x));  // wraps, as for the wider integers
  } else {
    return static_cast<D>(x);
  }
}

// Elements in rows: the distances from one to the next, and from one row to the next.
struct Steps {
  std::int64_t element, row;
};

template <class S, class D>
struct ConvertBody {
  GRADUS_INLINE static void run(const S* src, Steps from, D* dst, Steps to, std::int64_t n, std::int64_t rows) {
    for (std::int64_t r = 0; r < rows; ++r, src += from.row, dst += to.row) {
      if (from.element == 1 && to.element == 1) {
        for (std::int64_t i = 0; i < n; ++i) dst[i] = convert<S, D>(src[i]);
      } else if (from.element == 0 && to.element == 1) {
        const D value = convert<S, D>(*src);
        for (std::int64_t i = 0; i < n; ++i) dst[i] = value;
      } else {
        for (std::int64_t i = 0; i < n; ++i) dst[i * to.element] = convert<S, D>(src[i * from.element]);
      }
    }
  }
};

using Converter = void (*)(const void* src, Steps from, void* dst, Steps to, std::int64_t n, std::int64_t rows);

template <class S, class D>
void convert_run(const void* src, Steps from, void* dst, Steps to, std::int64_t n, std::int64_t rows) {
  if constexpr (std::is_same_v<S, D>) {
    if (rows == 1 && from.element == 1 && to.element == 1) {
      std::memcpy(dst, src, static_cast<std::size_t>(n) * sizeof(S));
      return;
    }
  }
  simd_call<ConvertBody<S, D>>(static_cast<const S*>(src), from, static_cast<D*>(dst), to, n, rows);
}

template <class S>
Converter converter_from(Dtype dst) {
  switch (dst) {
    case Dtype::Bool:
      return convert_run<S, bool>;
    case Dtype::UInt8:
      return convert_run<S, std::uint8_t>;
    case Dtype::Int32:
      return convert_run<S, std::int32_t>;
    case Dtype::Int64:
      return convert_run<S, std::int64_t>;
    case Dtype::BFloat16:
      return convert_run<S, BFloat16>;
    case Dtype::Float32:
      return convert_run<S, float>;
    case Dtype::Float64:
      return convert_run<S, double>;
  }
  return nullptr;
}

Converter converter(Dtype src, Dtype dst) {
  switch (src) {
    case Dtype::Bool:
      return converter_from<bool>(dst);
    case Dtype::UInt8:
      return converter_from<std::uint8_t>(dst);
    case Dtype::Int32:
      return converter_from<std::int32_t>(dst);
    case Dtype::Int64:
      return converter_from<std::int64_t>(dst);
    case Dtype::BFloat16:
      return converter_from<BFloat16>(dst);
    case Dtype::Float32:
      return converter_from<float>(dst);
    case Dtype::Float64:
      return converter_from<double>(dst);
  }
  return nullptr;
}

// The dimensions in the order in which they follow each other in the memory of the result, innermost last.
struct Order {
  std::array<int, kMaxRank> dims;
  int rank = 0;

  Order(const Shape& shape, const Shape& strides) {
    for (int i = 0; i < shape.rank(); ++i) {
      if (shape[i] == 1) continue;
      int j = rank++;
      for (; j > 0 && strides[dims[static_cast<std::size_t>(j - 1)]] < strides[i]; --j)
        dims[static_cast<std::size_t>(j)] = dims[static_cast<std::size_t>(j - 1)];
      dims[static_cast<std::size_t>(j)] = i;
    }
  }
};

// An operand with its dimensions merged as far as its own strides allow, innermost last.
struct Walk {
  std::byte* data = nullptr;
  std::int64_t width = 0;  // bytes per element
  int rank = 0;
  std::array<std::int64_t, kMaxRank> sizes, strides;

  void set(const Order& order, const Shape& shape, const Operand& operand) {
    data = static_cast<std::byte*>(operand.data);
    width = element_size(operand.dtype);
    for (int k = 0; k < order.rank; ++k) {
      const int i = order.dims[static_cast<std::size_t>(k)];
      const std::int64_t stride = operand.strides[i];
      if (rank > 0 && strides[static_cast<std::size_t>(rank - 1)] == stride * shape[i]) {
        sizes[static_cast<std::size_t>(rank - 1)] *= shape[i];
        strides[static_cast<std::size_t>(rank - 1)] = stride;
      } else {
        sizes[static_cast<std::size_t>(rank)] = shape[i];
        strides[static_cast<std::size_t>(rank)] = stride;
        ++rank;
      }
    }
    if (rank == 0) {
      rank = 1;
      sizes[0] = 1;
      strides[0] = 1;
    }
  }

  bool contiguous() const { return rank == 1 && strides[0] == 1; }
  bool constant() const { return rank == 1 && strides[0] == 0; }

  // Calls run(pointer, steps, offset, length, rows) for the pieces of the flat range [begin, begin + n): as many rows
  // of `length` elements as there are, from the offset in the range on.
  template <class Run>
  void pieces(std::int64_t begin, std::int64_t n, Run&& run) const {
    std::array<std::int64_t, kMaxRank> at;
    std::int64_t rest = begin, offset = 0;
    for (int i = rank - 1; i >= 0; --i) {
      const auto d = static_cast<std::size_t>(i);
      at[d] = rest % sizes[d];
      rest /= sizes[d];
      offset += at[d] * strides[d];
    }
    const auto last = static_cast<std::size_t>(rank - 1);
    for (std::int64_t done = 0; done < n;) {
      const std::int64_t length = std::min(sizes[last] - at[last], n - done);
      std::int64_t rows = 1;
      Steps steps{strides[last], 0};
      if (rank > 1 && length == sizes[last]) {
        rows = std::min(sizes[last - 1] - at[last - 1], (n - done) / length);
        steps.row = strides[last - 1];
      }
      run(data + offset * width, steps, done, length, rows);
      done += length * rows;
      if (done == n) return;
      offset -= at[last] * strides[last];
      at[last] = 0;
      for (int i = rank - 2; i >= 0; --i, rows = 1) {
        const auto d = static_cast<std::size_t>(i);
        offset += rows * strides[d];
        if ((at[d] += rows) < sizes[d]) break;
        offset -= sizes[d] * strides[d];
        at[d] = 0;
      }
    }
  }

  void load(Converter convert, std::int64_t begin, std::int64_t n, void* to, std::int64_t to_width) const {
    pieces(begin, n, [&](const std::byte* p, Steps steps, std::int64_t offset, std::int64_t length, std::int64_t rows) {
      convert(p, steps, static_cast<std::byte*>(to) + offset * to_width, {1, length}, length, rows);
    });
  }
  void store(Converter convert, std::int64_t begin, std::int64_t n, const void* from, std::int64_t from_width) const {
    pieces(begin, n, [&](std::byte* p, Steps steps, std::int64_t offset, std::int64_t length, std::int64_t rows) {
      convert(static_cast<const std::byte*>(from) + offset * from_width, {1, length}, p, steps, length, rows);
    });
  }
};

}  // namespace

void elementwise(const Shape& sizes, const Operand& out, std::span<const Operand> ins, Dtype compute, Dtype result,
                 Loop loop, const void* formula) {
  const std::int64_t numel = sizes.numel();
  if (numel == 0) return;
  const int count = static_cast<int>(ins.size());
  const Order order(sizes, out.strides);
  Walk to;
  to.set(order, sizes, out);
  const bool direct_out = to.contiguous() && out.dtype == result;
  std::array<Walk, kMaxOperands> from;
  std::array<bool, kMaxOperands> direct{};
  bool all_direct = direct_out;
  for (int i = 0; i < count; ++i) {
    const auto k = static_cast<std::size_t>(i);
    from[k].set(order, sizes, ins[k]);
    direct[k] = from[k].contiguous() && ins[k].dtype == compute;
    all_direct = all_direct && direct[k];
  }
  const std::int64_t in_width = element_size(compute), out_width = element_size(result);

  core::parallel_for(
      numel, kGrain,
      [&](std::int64_t begin, std::int64_t end) {
        std::array<const void*, kMaxOperands> in{};
        if (all_direct) {
          for (int i = 0; i < count; ++i)
            in[static_cast<std::size_t>(i)] = from[static_cast<std::size_t>(i)].data + begin * in_width;
          loop(formula, end - begin, to.data + begin * out_width, in.data());
          return;
        }
        alignas(64) std::byte staged[kMaxOperands][kBlock * 8];
        alignas(64) std::byte staged_out[kBlock * 8];
        std::array<Converter, kMaxOperands> load{};
        for (int i = 0; i < count; ++i) {
          const auto k = static_cast<std::size_t>(i);
          if (direct[k]) continue;
          load[k] = converter(ins[k].dtype, compute);
          in[k] = staged[k];
          if (from[k].constant()) load[k](from[k].data, {0, 0}, staged[k], {1, 0}, std::min(kBlock, end - begin), 1);
        }
        const Converter save = direct_out ? nullptr : converter(result, out.dtype);
        for (std::int64_t i = begin; i < end; i += kBlock) {
          const std::int64_t n = std::min(kBlock, end - i);
          for (int j = 0; j < count; ++j) {
            const auto k = static_cast<std::size_t>(j);
            if (direct[k]) {
              in[k] = from[k].data + i * in_width;
            } else if (!from[k].constant()) {
              from[k].load(load[k], i, n, staged[k], in_width);
            }
          }
          loop(formula, n, direct_out ? to.data + i * out_width : staged_out, in.data());
          if (!direct_out) to.store(save, i, n, staged_out, out_width);
        }
      },
      kBlock);
}

void copy(const Shape& sizes, const Operand& dst, const Operand& src) {
  const std::int64_t numel = sizes.numel();
  if (numel == 0) return;
  Walk to, from;
  const Order order(sizes, dst.strides);
  to.set(order, sizes, dst);
  from.set(order, sizes, src);
  const Converter convert = converter(src.dtype, dst.dtype);
  core::parallel_for(
      numel, kGrain,
      [&](std::int64_t begin, std::int64_t end) {
        if (to.contiguous()) {
          from.load(convert, begin, end - begin, to.data + begin * to.width, to.width);
        } else if (from.contiguous()) {
          to.store(convert, begin, end - begin, from.data + begin * from.width, from.width);
        } else {
          alignas(64) std::byte staged[kBlock * 8];
          const Converter plain = converter(dst.dtype, dst.dtype);
          for (std::int64_t i = begin; i < end; i += kBlock) {
            const std::int64_t n = std::min(kBlock, end - i);
            from.load(convert, i, n, staged, to.width);
            to.store(plain, i, n, staged, to.width);
          }
        }
      },
      kBlock);
}

}  // namespace gradus::cpu
