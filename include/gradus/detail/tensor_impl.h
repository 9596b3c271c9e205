// What a Tensor handle points to. For the library's own use; users see gradus/tensor.h.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include <gradus/core/device.h>
#include <gradus/core/dtype.h>
#include <gradus/core/ref.h>
#include <gradus/core/shape.h>

namespace gradus {

class Node;
void ref_destroy(Node*) noexcept;

namespace detail {

// A block of memory that tensors share, and the count of in-place changes made to it.
struct Storage : RefCounted {
  void* data = nullptr;
  std::size_t nbytes = 0;
  Device device;
  std::atomic<std::uint32_t> version{0};
  std::atomic<bool> exposed{false};    // a pointer to write through has left it: changes may pass the version by
  std::function<void(void*)> deleter;  // for borrowed memory; empty when the allocator owns it
};
void ref_destroy(Storage*) noexcept;

struct TensorExtras;

// Where a view was made. One made while nothing was recorded has no history to tell of a change through it.
enum class Made : std::uint8_t { recording, no_grad, inference };

struct TensorImpl : RefCounted {
  Ref<Storage> storage;
  std::byte* data = nullptr;  // first element
  std::int64_t numel = 0;
  Shape sizes, strides;  // in elements
  Dtype dtype = Dtype::Float32;
  bool contiguous = true;
  bool requires_grad = false;  // of a leaf; others have a grad_fn
  bool inference = false;      // made in an InferenceMode scope: never saved for backward
  Made made = Made::recording;

  // Automatic differentiation. `generation` counts the changes of history made by in-place operations; a view whose
  // `base_generation` lags behind its base's is given a new grad_fn on the next look.
  Ref<Node> grad_fn;
  Ref<TensorImpl> grad;
  Ref<TensorImpl> base;  // what this is a view of (never itself a view)
  std::uint32_t generation = 0;
  std::uint32_t base_generation = 0;
  std::unique_ptr<TensorExtras> extras;

  TensorImpl();
  ~TensorImpl();
};
void ref_destroy(TensorImpl*) noexcept;

}  // namespace detail
}  // namespace gradus
