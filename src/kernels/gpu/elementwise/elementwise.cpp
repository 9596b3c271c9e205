// Copies and conversions, and element-wise operations, whose formulas are found by name.
#include <gradus/core/error.h>

#include <array>
#include <cstring>
#include <string>
#include <unordered_map>

#include "kernels/gpu/elementwise/formulas.h"
#include "kernels/gpu/half.h"
#include "kernels/gpu/kernels.h"
#include "kernels/gpu/places.h"

namespace gradus::gpu {

namespace {

template <class T>
struct Copy {
  Places<2> places;
  Global<T> to;
  Global<const T> from;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    std::int64_t at[2];
    places.find(i, at);
    to[at[0]] = from[at[1]];
  }
};

// Whole numbers pass through int64, which holds all of them, and others through double.
struct Convert {
  Places<2> places;
  Dtype to_type, from_type;
  Global<std::byte> to;
  Global<const std::byte> from;

  template <class T>
  GRADUS_DEVICE T read(std::int64_t i) const {
    return *reinterpret_cast<const T*>(&from[i * static_cast<std::int64_t>(sizeof(T))]);
  }
  template <class T>
  GRADUS_DEVICE T& place(std::int64_t i) const {
    return *reinterpret_cast<T*>(&to[i * static_cast<std::int64_t>(sizeof(T))]);
  }

  GRADUS_DEVICE void operator()(std::int64_t i) const {
    std::int64_t at[2];
    places.find(i, at);
    switch (from_type) {
      case Dtype::Bool:
      case Dtype::UInt8:
        return write_whole(at[0], read<std::uint8_t>(at[1]));
      case Dtype::Int8:
        return write_whole(at[0], read<std::int8_t>(at[1]));
      case Dtype::Int16:
        return write_whole(at[0], read<std::int16_t>(at[1]));
      case Dtype::Int32:
        return write_whole(at[0], read<std::int32_t>(at[1]));
      case Dtype::Int64:
        return write_whole(at[0], read<std::int64_t>(at[1]));
      case Dtype::Float16:
        return write_floating(at[0], static_cast<double>(wide(read<Float16>(at[1]))));
      case Dtype::BFloat16:
        return write_floating(at[0], static_cast<double>(wide(read<BFloat16>(at[1]))));
      case Dtype::Float32:
        return write_floating(at[0], static_cast<double>(read<float>(at[1])));
      case Dtype::Float64:
        return write_floating(at[0], read<double>(at[1]));
    }
  }

  template <class V>
  GRADUS_DEVICE void write_rest(std::int64_t i, V v) const {
    switch (to_type) {
      case Dtype::Bool:
        place<std::uint8_t>(i) = v != 0 ? 1 : 0;
        return;
      case Dtype::Int64:
        place<std::int64_t>(i) = static_cast<std::int64_t>(v);
        return;
      case Dtype::Float16:
        return put(place<Float16>(i), static_cast<float>(v));
      case Dtype::BFloat16:
        return put(place<BFloat16>(i), static_cast<float>(v));
      case Dtype::Float32:
        place<float>(i) = static_cast<float>(v);
        return;
      case Dtype::Float64:
        place<double>(i) = static_cast<double>(v);
        return;
      default:
        return;
    }
  }
  GRADUS_DEVICE void write_whole(std::int64_t i, std::int64_t v) const {
    switch (to_type) {
      case Dtype::UInt8:
        place<std::uint8_t>(i) = static_cast<std::uint8_t>(v);
        return;
      case Dtype::Int8:
        place<std::int8_t>(i) = static_cast<std::int8_t>(v);
        return;
      case Dtype::Int16:
        place<std::int16_t>(i) = static_cast<std::int16_t>(v);
        return;
      case Dtype::Int32:
        place<std::int32_t>(i) = static_cast<std::int32_t>(v);
        return;
      default:
        return write_rest(i, v);
    }
  }
  GRADUS_DEVICE void write_floating(std::int64_t i, double v) const {
    switch (to_type) {
      case Dtype::UInt8:  // wraps, as for the wider integers
        place<std::uint8_t>(i) = static_cast<std::uint8_t>(static_cast<std::int64_t>(v));
        return;
      case Dtype::Int8:
        place<std::int8_t>(i) = static_cast<std::int8_t>(static_cast<std::int32_t>(v));
        return;
      case Dtype::Int16:
        place<std::int16_t>(i) = static_cast<std::int16_t>(static_cast<std::int32_t>(v));
        return;
      case Dtype::Int32:
        place<std::int32_t>(i) = static_cast<std::int32_t>(v);
        return;
      default:
        return write_rest(i, v);
    }
  }
};

template <class T>
struct Fill {
  Places<1> places;
  Global<T> to;
  T value;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    std::int64_t at[1];
    places.find(i, at);
    to[at[0]] = value;
  }
};

// The part of an operand's sizes along which it has elements of its own.
struct Own {
  Shape sizes, strides, dense;
  Own(const Shape& all, const Shape& given) : sizes(all), strides(given), dense(given) {
    std::int64_t step = 1;
    for (int d = all.rank() - 1; d >= 0; --d) {
      if (given[d] == 0) sizes[d] = 1;
      dense[d] = given[d] == 0 ? 0 : step;
      step *= sizes[d];
    }
  }
};

const ElementwiseEntry* find(const char* name) {
  static const auto table = [] {
    std::unordered_map<std::string_view, const ElementwiseEntry*> all;
    for (const auto entries :
         {activation_formulas(), arithmetic_formulas(), comparison_formulas(), function_formulas()})
      for (const ElementwiseEntry& entry : entries) all.emplace(entry.name, &entry);
    return all;
  }();
  const auto found = table.find(name);
  return found == table.end() ? nullptr : found->second;
}

}  // namespace

ElementwiseRun find_elementwise(const char* name) {
  if (const ElementwiseEntry* entry = find(name)) return entry->run;
  throw Error(std::string("element-wise operation: GPUs have no kernel for the formula ") + name);
}

void copy(const Shape& sizes, const Operand& dst, const Operand& src) {
  const Places<2> places(sizes, {&dst.strides, &src.strides});
  if (dst.dtype != src.dtype) {
    launch(sizes.numel(),
           Convert{places, dst.dtype, src.dtype, output<std::byte>(dst.data), input<std::byte>(src.data)});
    return;
  }
  with_bits(dst.dtype, [&]<class T>(T) {
    launch(sizes.numel(), Copy<T>{places, output<T>(dst.data), input<T>(src.data)});
  });
}

void fill(const Shape& sizes, const Operand& dst, const Element& value) {
  with_bits(dst.dtype, [&]<class T>(T) {
    Fill<T> fill{Places<1>(sizes, {&dst.strides}), output<T>(dst.data), {}};
    std::memcpy(&fill.value, value.bytes, sizeof(T));
    launch(sizes.numel(), fill);
  });
}

// Operands of other types are converted aside, and so is the result.
void elementwise(const Shape& sizes, const Operand& out, std::span<const Operand> ins, Dtype compute, Dtype result,
                 const Formula& formula) {
  const std::int64_t numel = sizes.numel();
  if (numel == 0) return;
  const ElementwiseRun run = find_elementwise(formula.loop.name());
  std::array<Operand, kernel::kMaxOperands> given;
  std::array<std::unique_ptr<Scratch<std::byte>>, kernel::kMaxOperands + 1> aside;
  for (std::size_t k = 0; k < ins.size(); ++k) {
    given[k] = ins[k];
    if (ins[k].dtype == compute) continue;
    const Own own(sizes, ins[k].strides);
    aside[k] = std::make_unique<Scratch<std::byte>>(own.sizes.numel() * element_size(compute));
    given[k] = {aside[k]->get(), compute, own.dense};
    copy(own.sizes, given[k], ins[k]);
  }
  Operand to = out;
  if (out.dtype != result) {
    auto& scratch = aside[kernel::kMaxOperands];
    scratch = std::make_unique<Scratch<std::byte>>(numel * element_size(result));
    to = {scratch->get(), result, contiguous_strides(sizes)};
  }
  run(formula.data, sizes, to, {given.data(), ins.size()});
  if (out.dtype != result) copy(sizes, out, to);
}

void contiguous(const Formula& formula, Int n, void* out, std::span<const void* const> ins) {
  const Shape sizes{n}, strides{1};
  std::array<Operand, kernel::kMaxOperands> operands;
  for (std::size_t k = 0; k < ins.size(); ++k) operands[k] = {const_cast<void*>(ins[k]), kFloat32, strides};
  find_elementwise(formula.loop.name())(formula.data, sizes, {out, kFloat32, strides}, {operands.data(), ins.size()});
}

}  // namespace gradus::gpu
