#include "kernels/cpu/index/rows.h"

#include <algorithm>
#include <cstring>

#include "core/threads/parallel.h"
#include "core/visit.h"
#include "kernels/cpu/simd/simd.h"

namespace gradus::cpu {

namespace {

constexpr std::int64_t kGrain = 16384;  // elements below which another thread does not pay

// What one thread writes: ranges of outer, of inner, along the run, and of positions.
struct Part {
  std::int64_t outer_begin, outer_end, inner_begin, inner_end, run_begin, run_end, place_begin, place_end;
};

struct Put {
  template <class T>
  GRADUS_INLINE static T join(T, T value) {
    return value;
  }
};
struct Add {
  template <class T>
  GRADUS_INLINE static T join(T old, T value) {
    return static_cast<T>(old + value);
  }
};
struct Or {
  template <class T>
  GRADUS_INLINE static T join(T old, T value) {
    return static_cast<T>(old | value);
  }
};

template <class T, class Join>
struct WriteBody {
  GRADUS_INLINE static void run(T* y, const Rows* m, const T* values, const Part* part) {
    const auto inner = static_cast<std::int64_t>(m->inner.size());
    for (std::int64_t o = part->outer_begin; o < part->outer_end; ++o) {
      for (std::int64_t i = 0; i < m->count; ++i) {
        const std::int64_t place = m->index[i];
        if (place < part->place_begin || place >= part->place_end || place == m->skip) continue;
        T* to = y + m->outer[static_cast<std::size_t>(o)] + place * m->index_stride;
        const T* from = values + (o * m->count + i) * inner * m->length;
        for (std::int64_t r = part->inner_begin; r < part->inner_end; ++r) {
          T* out = to + m->inner[static_cast<std::size_t>(r)];
          const T* in = from + r * m->length;
          if (m->stride == 1) {
#pragma GCC ivdep
            for (std::int64_t l = part->run_begin; l < part->run_end; ++l) out[l] = Join::join(out[l], in[l]);
          } else {
            for (std::int64_t l = part->run_begin; l < part->run_end; ++l)
              out[l * m->stride] = Join::join(out[l * m->stride], in[l]);
          }
        }
      }
    }
  }
};

// Splits the places, never the values of one place, so that threads do not meet and each keeps the index's order.
template <class T, class Join>
void write(void* y, const Rows& m, const void* values) {
  const auto outer = static_cast<std::int64_t>(m.outer.size()), inner = static_cast<std::int64_t>(m.inner.size());
  const std::int64_t total = outer * m.count * inner * m.length;
  if (total == 0) return;
  const Part all{0, outer, 0, inner, 0, m.length, 0, m.extent};
  struct Way {
    std::int64_t n, multiple;
    std::int64_t Part::*begin, Part::*end;
  };
  const Way by_outer{outer, 1, &Part::outer_begin, &Part::outer_end};
  const Way by_inner{inner, 1, &Part::inner_begin, &Part::inner_end};
  const Way by_run{m.length, 16, &Part::run_begin, &Part::run_end};
  const Way by_place{m.extent, 1, &Part::place_begin, &Part::place_end};
  const Way way = outer >= 8 ? by_outer : m.length >= 64 ? by_run : inner >= 8 ? by_inner : by_place;
  const std::int64_t grain = std::max<std::int64_t>(1, kGrain * way.n / total);
  core::parallel_for(
      way.n, grain,
      [&](std::int64_t begin, std::int64_t end) {
        Part part = all;
        part.*way.begin = begin;
        part.*way.end = end;
        simd_call<WriteBody<T, Join>>(static_cast<T*>(y), &m, static_cast<const T*>(values), &part);
      },
      way.multiple);
}

template <class T>
void pick(const void* x, const Rows& m, void* values) {
  const auto outer = static_cast<std::int64_t>(m.outer.size()), inner = static_cast<std::int64_t>(m.inner.size());
  const std::int64_t width = inner * m.length;
  if (outer * m.count * width == 0) return;
  core::parallel_for(outer * m.count, std::max<std::int64_t>(1, kGrain / width), [&](auto begin, auto end) {
    std::int64_t o = begin / m.count, i = begin % m.count;
    T* to = static_cast<T*>(values) + begin * width;
    for (std::int64_t row = begin; row < end; ++row) {
      const T* from = static_cast<const T*>(x) + m.outer[static_cast<std::size_t>(o)] + m.index[i] * m.index_stride;
      if (width == 1) {
        *to++ = from[m.inner[0]];
      } else {
        for (const std::int64_t offset : m.inner) {
          if (m.stride == 1) {
            std::memcpy(to, from + offset, static_cast<std::size_t>(m.length) * sizeof(T));
          } else {
            for (std::int64_t l = 0; l < m.length; ++l) to[l] = from[offset + l * m.stride];
          }
          to += m.length;
        }
      }
      if (++i == m.count) {
        i = 0;
        ++o;
      }
    }
  });
}

}  // namespace

void pick_rows(Dtype dtype, const void* x, const Rows& rows, void* values) {
  switch (element_size(dtype)) {
    case 1:
      return pick<std::uint8_t>(x, rows, values);
    case 2:
      return pick<std::uint16_t>(x, rows, values);
    case 4:
      return pick<std::uint32_t>(x, rows, values);
    default:
      return pick<std::uint64_t>(x, rows, values);
  }
}

void put_rows(Dtype dtype, void* y, const Rows& rows, const void* values) {
  switch (element_size(dtype)) {
    case 1:
      return write<std::uint8_t, Put>(y, rows, values);
    case 2:
      return write<std::uint16_t, Put>(y, rows, values);
    case 4:
      return write<std::uint32_t, Put>(y, rows, values);
    default:
      return write<std::uint64_t, Put>(y, rows, values);
  }
}

void add_rows(Dtype dtype, void* y, const Rows& rows, const void* values) {
  if (dtype == kBool) return write<std::uint8_t, Or>(y, rows, values);
  visit<std::uint8_t, std::int32_t, std::int64_t, float, double>("index_add", dtype,
                                                                 [&]<class T>(T) { write<T, Add>(y, rows, values); });
}

}  // namespace gradus::cpu
