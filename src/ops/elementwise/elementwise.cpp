#include "ops/elementwise/elementwise.h"

#include <algorithm>

#include "core/layout.h"

namespace gradus::ops {

namespace {

constexpr std::int64_t kSmall = 4096;  // elements below which one loop is run at once, on this thread

kernel::Operand operand(const Tensor& x, const Shape& sizes) {
  kernel::Operand o;  // not braces, which would clear the whole Shape first
  o.data = x.impl()->data;
  o.dtype = x.dtype();
  const Shape& own = x.impl()->sizes;
  o.strides.resize(sizes.rank());
  const int shift = sizes.rank() - own.rank();
  for (int i = 0; i < own.rank(); ++i) o.strides[i + shift] = own[i] == 1 ? 0 : x.impl()->strides[i];
  return o;
}

const std::byte* end_of(const detail::TensorImpl& x) {
  std::int64_t last = 0;
  for (int i = 0; i < x.sizes.rank(); ++i) last += std::max<std::int64_t>(x.sizes[i] - 1, 0) * x.strides[i];
  return x.data + (last + 1) * element_size(x.dtype);
}

}  // namespace

bool disturbs(const Tensor& into_tensor, const Tensor& x_tensor) {
  const detail::TensorImpl &into = *into_tensor.impl(), &x = *x_tensor.impl();
  if (into.storage.get() != x.storage.get() || into.numel == 0 || x.numel == 0) return false;
  if (into.data == x.data && into.sizes == x.sizes && into.strides == x.strides) return false;
  return into.data < end_of(x) && x.data < end_of(into);
}

namespace {

// The usual case: operands of one size, contiguous and on one device, with nothing to convert. One loop is run at once.
// Undefined, and nothing done, where it is not that.
Tensor run_plain(const kernel::Loop& loop, const void* formula, std::span<const Tensor* const> ins, Dtype compute,
                 Dtype result, const Tensor& into) {
  if (!ins[0]->defined() || (result != compute && result != kBool)) return Tensor();
  const detail::TensorImpl& first = *ins[0]->impl();
  const Device device = first.storage->device;
  const auto fits = [&](const Tensor& x, Dtype dtype) {
    if (!x.defined()) return false;
    const detail::TensorImpl& impl = *x.impl();
    return impl.contiguous && impl.dtype == dtype && impl.storage->device == device && impl.sizes == first.sizes;
  };
  if (first.numel > kSmall || first.dtype != compute || !first.contiguous) return Tensor();
  const void* data[kernel::kMaxOperands];
  data[0] = first.data;
  for (std::size_t i = 1; i < ins.size(); ++i) {
    if (!fits(*ins[i], compute)) return Tensor();
    data[i] = ins[i]->impl()->data;
  }
  if (into.defined()) {
    if (!fits(into, result)) return Tensor();
    for (const Tensor* x : ins)
      if (disturbs(into, *x)) return Tensor();
  }
  Tensor y = into.defined() ? into : detail::make_empty(first.sizes, result, device);
  if (first.numel > 0) kernels(device).contiguous({loop, formula}, first.numel, y.impl()->data, {data, ins.size()});
  return y;
}

Device device_of(const char* name, std::span<const Tensor* const> ins, const Tensor& into) {
  const Device device = into.defined() ? into.device() : ins[0]->device();
  bool same = true;
  for (const Tensor* x : ins) same = same && x->device() == device;
  if (same) [[likely]]
    return device;
  std::vector<const Tensor*> all(ins.begin(), ins.end());
  if (into.defined()) all.insert(all.begin(), &into);
  return detail::common_device(name, all, true);
}

// Laid out as the first operand of the result's sizes.
Tensor make_result(std::span<const Tensor* const> xs, const Shape& sizes, Dtype dtype, Device device) {
  for (const Tensor* x : xs)
    if (x->sizes() == sizes) return detail::make_like(*x, sizes, dtype);
  return detail::make_empty(sizes, dtype, device);
}

}  // namespace

Tensor run_elementwise(const char* name, const kernel::Loop& loop, const void* formula,
                       std::span<const Tensor* const> ins, Dtype compute, Dtype result, const Tensor& into) {
  if (Tensor y = run_plain(loop, formula, ins, compute, result, into); y.defined()) return y;
  std::array<Tensor, kernel::kMaxOperands> copies;
  std::array<const Tensor*, kernel::kMaxOperands> xs{};
  const std::size_t count = ins.size();
  const Device device = device_of(name, ins, into);
  for (std::size_t i = 0; i < count; ++i) {
    xs[i] = ins[i];
    if (into.defined() && disturbs(into, *ins[i])) {
      copies[i] = ins[i]->detach().clone();
      xs[i] = &copies[i];
    }
    if (xs[i]->device() != device) [[unlikely]] {  // a number beside tensors of another device
      copies[i] = ins[i]->detach().to(device);
      xs[i] = &copies[i];
    }
  }
  Shape sizes = xs[0]->sizes();
  for (std::size_t i = 1; i < count; ++i) sizes = broadcast_shapes(name, sizes, xs[i]->sizes());
  if (into.defined() && !(into.sizes() == sizes)) {
    throw ShapeError(std::string(name) + ": an in-place result must keep the tensor's sizes " +
                     to_string(into.sizes()) + ", got " + to_string(sizes));
  }
  Tensor y = into.defined() ? into : make_result({xs.data(), count}, sizes, result, device);
  std::array<kernel::Operand, kernel::kMaxOperands> operands;
  for (std::size_t i = 0; i < count; ++i) operands[i] = operand(*xs[i], sizes);
  kernels(device).elementwise(sizes, operand(y, sizes), {operands.data(), count}, compute,
                              result == kBool ? result : compute, {loop, formula});
  return y;
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
