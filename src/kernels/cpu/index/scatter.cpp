#include "kernels/cpu/index/scatter.h"

#include <algorithm>
#include <array>

#include "core/threads/parallel.h"
#include "core/visit.h"

namespace gradus::cpu {

namespace {

constexpr std::int64_t kGrain = 16384;  // elements below which another thread does not pay

struct Dim {
  std::int64_t size, stride, values_stride, index_stride;
  bool along;  // the one that the index replaces
};

// The dimensions of the index that have more than one position, the tensor's stride left out along `dim`.
struct Walk {
  std::array<Dim, kMaxRank> dims;
  std::size_t rank = 0;
  std::int64_t numel = 1;

  explicit Walk(const Scatter& places) {
    std::int64_t step = 1;
    std::array<std::int64_t, kMaxRank> index_strides{};
    for (int d = places.sizes.rank() - 1; d >= 0; --d) {
      index_strides[static_cast<std::size_t>(d)] = step;
      step *= places.sizes[d];
    }
    numel = step;
    for (int d = 0; d < places.sizes.rank(); ++d) {
      if (places.sizes[d] == 1) continue;
      dims[rank++] = {places.sizes[d], d == places.dim ? 0 : places.strides[d], places.values_strides[d],
                      index_strides[static_cast<std::size_t>(d)], d == places.dim};
    }
    if (rank == 0) dims[rank++] = {1, 0, 0, 0, true};
  }

  // The longest dimension along which threads may split: places that differ there hold different elements.
  std::size_t widest(bool any) const {
    std::size_t best = rank;
    for (std::size_t d = 0; d < rank; ++d) {
      if (dims[d].along && !any) continue;
      if (best == rank || dims[d].size > dims[best].size) best = d;
    }
    return best;
  }

  // Calls row(tensor offset, values offset, index offset) at the start of each run along the last dimension.
  template <class Row>
  void rows(Row&& row) const {
    if (numel == 0) return;
    std::array<std::int64_t, kMaxRank> at{};
    std::int64_t own = 0, values = 0, index = 0;
    while (true) {
      row(own, values, index);
      std::size_t d = rank - 1;
      while (true) {
        if (d == 0) return;
        --d;
        own += dims[d].stride;
        values += dims[d].values_stride;
        index += dims[d].index_stride;
        if (++at[d] < dims[d].size) break;
        own -= dims[d].size * dims[d].stride;
        values -= dims[d].size * dims[d].values_stride;
        index -= dims[d].size * dims[d].index_stride;
        at[d] = 0;
      }
    }
  }
};

// Calls each(tensor element, values element) for every place.
template <class T, class V, class Each>
void visit(T* x, const Scatter& places, V* values, bool any, Each&& each) {
  const Walk walk(places);
  if (walk.numel == 0) return;
  const std::int64_t along = places.sizes.rank() > 0 ? places.strides[places.dim] : 0;
  const std::size_t split = walk.widest(any);
  const std::int64_t n = split < walk.rank ? walk.dims[split].size : 1;
  core::parallel_for(n, std::max<std::int64_t>(1, kGrain * n / walk.numel), [&](std::int64_t begin, std::int64_t end) {
    Walk part = walk;
    T* own = x;
    V* other = values;
    const std::int64_t* index = places.index;
    if (split < walk.rank) {
      part.dims[split].size = end - begin;
      own += begin * walk.dims[split].stride;
      other += begin * walk.dims[split].values_stride;
      index += begin * walk.dims[split].index_stride;
    }
    const Dim last = part.dims[part.rank - 1];
    part.rows([&](std::int64_t o, std::int64_t v, std::int64_t i) {
      for (std::int64_t j = 0; j < last.size; ++j)
        each(own[o + j * last.stride + index[i + j * last.index_stride] * along], other[v + j * last.values_stride]);
    });
  });
}

template <class T>
void gather_as(const void* x, const Scatter& places, void* values) {
  visit(static_cast<const T*>(x), places, static_cast<T*>(values), true, [](const T& from, T& to) { to = from; });
}

template <class T>
void scatter_as(void* y, const Scatter& places, const void* values) {
  visit(static_cast<T*>(y), places, static_cast<const T*>(values), false, [](T& to, const T& from) { to = from; });
}

template <class T>
void scatter_add_as(void* y, const Scatter& places, const void* values) {
  visit(static_cast<T*>(y), places, static_cast<const T*>(values), false,
        [](T& to, const T& from) { to = static_cast<T>(to + from); });
}

}  // namespace

void gather(Dtype dtype, const void* x, const Scatter& places, void* values) {
  switch (element_size(dtype)) {
    case 1:
      return gather_as<std::uint8_t>(x, places, values);
    case 2:
      return gather_as<std::uint16_t>(x, places, values);
    case 4:
      return gather_as<std::uint32_t>(x, places, values);
    default:
      return gather_as<std::uint64_t>(x, places, values);
  }
}

void scatter(Dtype dtype, void* y, const Scatter& places, const void* values) {
  switch (element_size(dtype)) {
    case 1:
      return scatter_as<std::uint8_t>(y, places, values);
    case 2:
      return scatter_as<std::uint16_t>(y, places, values);
    case 4:
      return scatter_as<std::uint32_t>(y, places, values);
    default:
      return scatter_as<std::uint64_t>(y, places, values);
  }
}

void scatter_add(Dtype dtype, void* y, const Scatter& places, const void* values) {
  if (dtype == kBool) {
    return visit(static_cast<std::uint8_t*>(y), places, static_cast<const std::uint8_t*>(values), false,
                 [](std::uint8_t& to, const std::uint8_t& from) { to = static_cast<std::uint8_t>(to | from); });
  }
  gradus::visit<std::uint8_t, std::int32_t, std::int64_t, float, double>(
      "scatter_add", dtype, [&]<class T>(T) { scatter_add_as<T>(y, places, values); });
}

}  // namespace gradus::cpu
