#include "kernels/cpu/elementwise/elementwise.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/threads/parallel.h"
#include "core/visit.h"

namespace gradus::cpu {

namespace {

constexpr std::int64_t kBlock = 512;    // elements staged at a time
constexpr std::int64_t kGrain = 16384;  // elements below which another thread does not pay

template <class S, class D>
GRADUS_INLINE D convert(S x) {
  if constexpr (std::is_same_v<D, bool>) {
    return static_cast<D>(x != 0);
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

// What stands between a type to store in and all others: one loop each way, and no loop for each pair of types.
template <class T>
struct WiderOf {
  using type = T;
};
template <>
struct WiderOf<std::int8_t> {
  using type = std::int32_t;
};
template <>
struct WiderOf<std::int16_t> {
  using type = std::int32_t;
};
template <>
struct WiderOf<Float16> {
  using type = float;
};
template <>
struct WiderOf<BFloat16> {
  using type = float;
};

template <class Fn>
void with_wide(Dtype dtype, Fn&& fn) {
  visit<bool, std::uint8_t, std::int32_t, std::int64_t, float, double>("conversion", dtype, fn);
}

// From one type to another in up to three steps: from a type to store in to its wider one, to the other's wider one,
// and to the other.
class Conversion {
 public:
  Conversion() = default;
  Conversion(Dtype from, Dtype to) : from_width_(element_size(from)), to_width_(element_size(to)) {
    if (from == to) {
      visit_all(from, [&]<class T>(T) { add(convert_run<T, T>); });
      return;
    }
    Dtype wide_from = from, wide_to = to;
    visit_all(from, [&]<class T>(T) { wide_from = DtypeOf<typename WiderOf<T>::type>::value; });
    visit_all(to, [&]<class T>(T) { wide_to = DtypeOf<typename WiderOf<T>::type>::value; });
    if (from != wide_from) visit_all(from, [&]<class T>(T) { add(convert_run<T, typename WiderOf<T>::type>); });
    if (wide_from != wide_to) {
      with_wide(wide_from, [&]<class S>(S) { with_wide(wide_to, [&]<class D>(D) { add(convert_run<S, D>); }); });
    }
    if (to != wide_to) visit_all(to, [&]<class T>(T) { add(convert_run<typename WiderOf<T>::type, T>); });
  }

  void operator()(const void* src, Steps from, void* dst, Steps to, std::int64_t n, std::int64_t rows) const {
    if (count_ == 1) return steps_[0](src, from, dst, to, n, rows);
    alignas(64) std::byte staged[2][kBlock * 8];
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t i = 0; i < n; i += kBlock) {
        const std::int64_t length = std::min(kBlock, n - i);
        const void* at = static_cast<const std::byte*>(src) + (r * from.row + i * from.element) * from_width_;
        Steps steps = from;
        for (int k = 0; k < count_; ++k) {
          const bool last = k == count_ - 1;
          void* into = last ? static_cast<std::byte*>(dst) + (r * to.row + i * to.element) * to_width_ : staged[k];
          steps_[static_cast<std::size_t>(k)](at, steps, into, last ? to : Steps{1, 0}, length, 1);
          at = into;
          steps = {1, 0};
        }
      }
    }
  }

 private:
  void add(Converter step) { steps_[static_cast<std::size_t>(count_++)] = step; }

  std::array<Converter, 3> steps_{};
  int count_ = 0;
  std::int64_t from_width_ = 0, to_width_ = 0;
};

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

  void load(const Conversion& convert, std::int64_t begin, std::int64_t n, void* to, std::int64_t to_width) const {
    pieces(begin, n, [&](const std::byte* p, Steps steps, std::int64_t offset, std::int64_t length, std::int64_t rows) {
      convert(p, steps, static_cast<std::byte*>(to) + offset * to_width, {1, length}, length, rows);
    });
  }
  void store(const Conversion& convert, std::int64_t begin, std::int64_t n, const void* from,
             std::int64_t from_width) const {
    pieces(begin, n, [&](std::byte* p, Steps steps, std::int64_t offset, std::int64_t length, std::int64_t rows) {
      convert(static_cast<const std::byte*>(from) + offset * from_width, {1, length}, p, steps, length, rows);
    });
  }
};

}  // namespace

void elementwise(const Shape& sizes, const Operand& out, std::span<const Operand> ins, Dtype compute, Dtype result,
                 const Formula& formula) {
  const std::int64_t numel = sizes.numel();
  if (numel == 0) return;
  const int count = static_cast<int>(ins.size());
  const auto loop = formula.loop.cpu;
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
          loop(formula.data, end - begin, to.data + begin * out_width, in.data());
          return;
        }
        alignas(64) std::byte staged[kMaxOperands][kBlock * 8];
        alignas(64) std::byte staged_out[kBlock * 8];
        std::array<Conversion, kMaxOperands> load;
        for (int i = 0; i < count; ++i) {
          const auto k = static_cast<std::size_t>(i);
          if (direct[k]) continue;
          load[k] = Conversion(ins[k].dtype, compute);
          in[k] = staged[k];
          if (from[k].constant()) load[k](from[k].data, {0, 0}, staged[k], {1, 0}, std::min(kBlock, end - begin), 1);
        }
        const Conversion save = direct_out ? Conversion() : Conversion(result, out.dtype);
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
          loop(formula.data, n, direct_out ? to.data + i * out_width : staged_out, in.data());
          if (!direct_out) to.store(save, i, n, staged_out, out_width);
        }
      },
      kBlock);
}

void contiguous(const Formula& formula, std::int64_t n, void* out, std::span<const void* const> ins) {
  formula.loop.cpu(formula.data, n, out, ins.data());
}

void fill(const Shape& sizes, const Operand& dst, const Element& value) {
  Shape strides;
  strides.resize(sizes.rank());
  copy(sizes, dst, {const_cast<std::byte*>(value.bytes), dst.dtype, strides});
}

void copy(const Shape& sizes, const Operand& dst, const Operand& src) {
  const std::int64_t numel = sizes.numel();
  if (numel == 0) return;
  Walk to, from;
  const Order order(sizes, dst.strides);
  to.set(order, sizes, dst);
  from.set(order, sizes, src);
  const Conversion convert(src.dtype, dst.dtype);
  core::parallel_for(
      numel, kGrain,
      [&](std::int64_t begin, std::int64_t end) {
        if (to.contiguous()) {
          from.load(convert, begin, end - begin, to.data + begin * to.width, to.width);
        } else if (from.contiguous()) {
          to.store(convert, begin, end - begin, from.data + begin * from.width, from.width);
        } else {
          alignas(64) std::byte staged[kBlock * 8];
          const Conversion plain(dst.dtype, dst.dtype);
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
