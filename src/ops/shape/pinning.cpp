#include <gradus/autograd.h>
#include <gradus/autograd/op.h>
#include <gradus/ops/pinning.h>

#include "autograd/inplace.h"
#include "core/memory/backend.h"
#include "core/tensor_access.h"

namespace gradus {

namespace {

std::size_t bytes_of(const Tensor& x) { return static_cast<std::size_t>(x.numel() * x.element_size()); }

// Gives pinned memory back; also what pinned memory is known by.
struct Unpin {
  DeviceType type;
  std::size_t bytes;
  void operator()(void* p) const noexcept { core::backend(type)->deallocate_pinned(p, bytes); }
};

const Unpin* pinned(const Tensor& x) { return x.defined() ? x.impl()->storage->deleter.target<Unpin>() : nullptr; }

struct MoveLater final : Op {
  Device device;
  explicit MoveLater(Device d) : device(d) {}
  const char* name() const override { return "to"; }
  Tensor forward(const Tensor& x) {
    const Tensor y = detail::make_empty(x.sizes(), x.dtype(), device);
    if (x.numel() > 0) {
      core::backend(device.type)
          ->copy_from_pinned(device.index, y.impl()->data, x.impl()->data, bytes_of(x),
                             std::make_shared<const Tensor>(x.detach()));
    }
    return y;
  }
  void backward(const Tensor& g, Grads gx) override { gx[0] = g.to(kCPU); }
};

}  // namespace

Tensor pin_memory(const Tensor& x, Device device) {
  if (!x.defined() || x.device() != kCPU || device.type == DeviceType::CPU) {
    throw ValueError("pin_memory: needs a tensor on the CPU and another device, got " +
                     (x.defined() ? "one on " + to_string(x.device()) : std::string("an undefined one")) + " and " +
                     to_string(device));
  }
  require_available("pin_memory", device);
  if (const Unpin* own = pinned(x); own != nullptr && own->type == device.type) return x;
  const NoGrad guard;
  const std::size_t bytes = bytes_of(x);
  void* const memory = core::backend(device.type)->allocate_pinned(bytes);
  const Tensor y = from_blob(memory, x.sizes(), x.dtype(), Unpin{device.type, bytes});
  detail::copy_data(y, x.detach());
  return y;
}

bool is_pinned(const Tensor& x) { return pinned(x) != nullptr; }

Tensor to(const Tensor& x, Device device, const ToOptions& options) {
  const Unpin* own = pinned(x);
  if (!options.non_blocking || own == nullptr || own->type != device.type || !x.is_contiguous()) return x.to(device);
  require_available("to", device);
  return apply(MoveLater(device), x);
}

}  // namespace gradus
