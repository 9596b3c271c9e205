#include "ops/elementwise.h"

namespace gradus::ops {

namespace {
cpu::Operand operand(const Tensor& x, const Shape& sizes) {
  cpu::Operand o{x.impl()->data, x.dtype(), {}};
  const Shape& own = x.impl()->sizes;
  o.strides.resize(sizes.rank());
  const int shift = sizes.rank() - own.rank();
  for (int i = 0; i < own.rank(); ++i) o.strides[i + shift] = own[i] == 1 ? 0 : x.impl()->strides[i];
  return o;
}
}  // namespace

Tensor run_elementwise(const char* name, cpu::Loop loop, const void* formula, std::span<const Tensor* const> ins,
                       Dtype compute, Dtype result, const Tensor& into) {
  const Tensor& first = *ins[0];
  bool alike = true;  // the common case: same sizes, contiguous, nothing to convert
  for (const Tensor* x : ins) {
    alike = alike && x->is_contiguous() && x->dtype() == compute && x->sizes() == first.sizes();
  }
  if (alike && !into.defined() && (result == compute || result == kBool) && first.numel() <= 4096) {
    Tensor y = detail::make_empty(first.sizes(), result, first.device());
    const void* data[cpu::kMaxOperands] = {};
    for (std::size_t i = 0; i < ins.size(); ++i) data[i] = ins[i]->impl()->data;
    if (first.numel() > 0) loop(formula, first.numel(), y.impl()->data, data);
    return y;
  }
  Shape sizes = first.sizes();
  for (std::size_t i = 1; i < ins.size(); ++i) sizes = broadcast_shapes(name, sizes, ins[i]->sizes());
  if (into.defined() && !(into.sizes() == sizes)) {
    throw ShapeError(std::string(name) + ": an in-place result must keep the tensor's sizes " +
                     to_string(into.sizes()) + ", got " + to_string(sizes));
  }
  Tensor y = into.defined() ? into : detail::make_empty(sizes, result, first.device());
  std::array<cpu::Operand, cpu::kMaxOperands> operands;
  for (std::size_t i = 0; i < ins.size(); ++i) operands[i] = operand(*ins[i], sizes);
  cpu::elementwise(sizes, operand(y, sizes), {operands.data(), ins.size()}, compute,
                   compute == result || result == kBool ? result : compute, loop, formula);
  return y;
}

void refuse_type(const char* name, Dtype dtype) {
  throw DtypeError(std::string(name) + ": not defined for " + to_string(dtype));
}

void check_inplace_type(const char* name, const Tensor& self, Dtype result) {
  const auto kind = [](Dtype d) { return d == kBool ? 0 : is_integral(d) ? 1 : 2; };
  if (kind(result) <= kind(self.dtype())) return;
  throw DtypeError(std::string(name) + ": a result of type " + to_string(result) +
                   " cannot be stored in place in a tensor of type " + to_string(self.dtype()));
}

Tensor sum_to(const Tensor& g, const Shape& sizes) {
  if (g.sizes() == sizes) return g;
  Dims dims;
  const int extra = g.sizes().rank() - sizes.rank();
  for (int i = 0; i < g.sizes().rank(); ++i) {
    if (i < extra || (sizes[i - extra] == 1 && g.sizes()[i] != 1)) dims.push_back(i);
  }
  const Tensor summed = dims.empty() ? g : sum(g, dims, true);
  return extra > 0 ? view(summed, sizes) : summed;
}

}  // namespace gradus::ops

namespace gradus {

Dtype result_type(const Tensor& a, const Tensor& b) {
  const auto kind = [](Dtype d) { return d == kBool ? 0 : is_integral(d) ? 1 : 2; };
  const bool a_scalar = a.dim() == 0, b_scalar = b.dim() == 0;
  if (a_scalar != b_scalar) {
    const Dtype strong = a_scalar ? b.dtype() : a.dtype(), weak = a_scalar ? a.dtype() : b.dtype();
    return kind(strong) >= kind(weak) ? strong : weak;
  }
  return promote_types(a.dtype(), b.dtype());
}

Tensor number(const Scalar& value, const Tensor& beside) {
  return Tensor::scalar(value, promote_scalar(beside.dtype(), value));
}

}  // namespace gradus
