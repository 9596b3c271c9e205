// Building tensors from inside the library.
#pragma once

#include <gradus/tensor.h>

#include <map>

namespace gradus::detail {

struct WeightView;

// That nn::init filled a tensor with default_generator()'s numbers from `begin` to `end`, and how to do so again.
struct InitialDraw {
  std::uint64_t begin, end;
  std::uint32_t version;  // the tensor's, then
  std::function<void(Tensor&)> fill;
};

struct TensorExtras {
  std::string name;
  std::map<std::size_t, std::function<Tensor(const Tensor&)>> hooks;  // of a leaf, in the order of registration
  std::size_t next_hook = 1;
  bool retains_grad = false;
  bool frozen = false;                    // requires no gradient, whatever is asked
  bool wants_grad = false;                // while frozen: what requires_grad_ was last told
  std::weak_ptr<WeightView> weight_view;  // of a parameter whose optimizer keeps two points of it
  std::vector<InitialDraw> draws;         // the latest few
};

inline bool is_frozen(const TensorImpl& impl) { return impl.extras && impl.extras->frozen; }

inline TensorExtras& extras(TensorImpl& impl) {
  if (!impl.extras) impl.extras = std::make_unique<TensorExtras>();
  return *impl.extras;
}

// Uninitialised memory; sizes are checked by the caller (they come from other tensors).
Tensor make_empty(const Shape& sizes, Dtype dtype, Device device);
Tensor make_strided(const Shape& sizes, const Shape& strides, Dtype dtype, Device device);

// The same elements in memory of another device, outside of every graph. As x is laid out where that is dense.
Tensor moved(const Tensor& x, Device device);

// Another look at x's memory: `offset` in elements from x's first. The result remembers its base.
Tensor make_view(const Tensor& x, const Shape& sizes, const Shape& strides, std::int64_t offset);

// The same, outside of every graph (detach).
Tensor make_alias(const Tensor& x);

// As x, whose memory it shares, with sizes put in place of x's (numel must agree). x is contiguous.
Tensor make_reshaped(const Tensor& x, const Shape& sizes);

// Where an operation on these runs: ValueError, in the name of `call`, unless all are on one device. `numbers`: 0-d
// tensors of the CPU may stand beside tensors of any.
Device common_device(const char* call, std::span<const Tensor* const> inputs, bool numbers);

bool strides_contiguous(const Shape& sizes, const Shape& strides);

inline void bump_version(const Tensor& x) { x.impl()->storage->version.fetch_add(1, std::memory_order_relaxed); }

}  // namespace gradus::detail
