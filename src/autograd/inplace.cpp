#include "autograd/inplace.h"

#include <gradus/autograd/op.h>
#include <gradus/ops.h>

#include "autograd/restride.h"
#include "core/tensor_access.h"
#include "core/view_mode.h"

namespace gradus::detail {

namespace {

// Where a view lies in its base's storage.
struct Place {
  Shape sizes, strides;
  std::int64_t offset;  // in elements, from the base's first
  Shape base_sizes, base_strides;

  static Place of(const TensorImpl& view) {
    return {view.sizes, view.strides, (view.data - view.base->data) / element_size(view.dtype), view.base->sizes,
            view.base->strides};
  }
  // In a tensor laid out as the base is.
  Tensor in(const Tensor& base) const { return make_view(base, sizes, strides, offset); }
};

// y = the elements of the base at a place. Stands for whatever made the view, once the base has a new history.
struct AsStrided final : Op {
  Place place;
  explicit AsStrided(Place where) : place(std::move(where)) {}
  const char* name() const override { return "as_strided"; }
  Tensor forward(const Tensor& base) { return place.in(base); }
  void backward(const Tensor& g, Grads gx) override;
};

// base with the elements at a place replaced by `values`.
struct ReplaceAt final : Op {
  Place place;
  explicit ReplaceAt(Place where) : place(std::move(where)) {}
  const char* name() const override { return "in-place change of a view"; }
  Tensor forward(const Tensor& base, const Tensor& values) {
    Tensor y = make_strided(base.sizes(), base.strides(), base.dtype(), base.device());
    copy_data(y, base);
    copy_data(place.in(y), values);
    return y;
  }
  void backward(const Tensor& g, Grads gx) override;
};

// The gradient must have the base's strides for a place to mean the same elements in it.
struct Restride final : Op {
  Shape strides;
  explicit Restride(Shape s) : strides(std::move(s)) {}
  const char* name() const override { return "restride"; }
  Tensor forward(const Tensor& x) {
    Tensor y = make_strided(x.sizes(), strides, x.dtype(), x.device());
    copy_data(y, x);
    return y;
  }
  void backward(const Tensor& g, Grads gx) override { gx[0] = g; }
};

void AsStrided::backward(const Tensor& g, Grads gx) {
  Tensor zero = make_strided(place.base_sizes, place.base_strides, g.dtype(), g.device());
  zero.fill_(0);
  // Elements of an expanded view share a place, where their gradients add up.
  Place once = place;
  Dims shared;
  for (int i = 0; i < place.sizes.rank(); ++i) {
    if (place.sizes[i] < 2 || place.strides[i] != 0) continue;
    shared.push_back(i);
    once.sizes[i] = 1;
  }
  gx[0] = apply(ReplaceAt(once), zero, shared.empty() ? g : sum(g, shared, true));
}

void ReplaceAt::backward(const Tensor& g, Grads gx) {
  const Tensor laid_out = with_strides(g, place.base_strides);
  if (needs(0))
    gx[0] = apply(ReplaceAt(place), laid_out, zeros(place.sizes, {.dtype = g.dtype(), .device = g.device()}));
  if (needs(1)) gx[1] = apply(AsStrided(place), laid_out);
}

bool overlaps_itself(const TensorImpl& x) {
  if (x.numel == 0) return false;
  for (int i = 0; i < x.sizes.rank(); ++i)
    if (x.sizes[i] > 1 && x.strides[i] == 0) return true;
  return false;
}

// A base that has other memory by now (Module::to) is no longer what the view looks at.
void leave_moved_base(TensorImpl& impl) {
  if (impl.base && impl.base->storage != impl.storage) impl.base.reset();
}

// To be called where the change would be recorded.
void check_made_recording(const char* call, const TensorImpl& impl) {
  if (impl.made == Made::recording) return;
  throw AutogradError(std::string(call) + ": a view that was made in a" +
                      (is_of_inference(impl.made) ? "n InferenceMode" : " NoGrad") +
                      " scope must not be changed in place while recording: its base would not learn of it; make the "
                      "view, or the change, in the other mode");
}

}  // namespace

Tensor with_strides(const Tensor& x, const Shape& strides) {
  return x.strides() == strides ? x : apply(Restride(strides), x);
}

Ref<Node> current_grad_fn(TensorImpl& impl) {
  leave_moved_base(impl);
  if (impl.base && impl.base_generation != impl.base->generation) {
    impl.base_generation = impl.base->generation;
    const Tensor base{impl.base};
    impl.grad_fn.reset();
    if (base.requires_grad()) {
      EnableGrad guard;
      impl.grad_fn = apply(AsStrided(Place::of(impl)), base).impl()->grad_fn;
    }
  }
  return impl.grad_fn;
}

void check_inplace(const char* call, const Tensor& self) {
  const TensorImpl& impl = *self.impl();
  if (overlaps_itself(impl)) {
    throw ValueError(std::string(call) + ": several elements of the tensor share memory (an expanded view of sizes " +
                     to_string(impl.sizes) + "); clone it first");
  }
  if (impl.inference && !is_inference_mode()) {
    throw AutogradError(std::string(call) +
                        ": a tensor made in an InferenceMode scope must not be changed in place outside of one; clone "
                        "it first");
  }
  if (!is_grad_enabled() || !self.requires_grad()) return;
  check_made_recording(call, impl);
  const std::string label = self.name().empty() ? "" : " (" + self.name() + ")";
  if (self.is_leaf()) {
    throw AutogradError(std::string(call) + ": a leaf that requires a gradient" + label +
                        " must not be changed in place while recording; use a NoGrad scope");
  }
  if (impl.base && Tensor(impl.base).is_leaf() && impl.base->requires_grad) {
    throw AutogradError(std::string(call) + ": a view of a leaf that requires a gradient" + label +
                        " must not be changed in place while recording; use a NoGrad scope");
  }
}

bool records_inplace(const Tensor& self, std::initializer_list<const Tensor*> others) {
  if (!is_grad_enabled()) return false;
  if (self.requires_grad()) return true;
  for (const Tensor* x : others)
    if (x->defined() && x->requires_grad()) return true;
  return false;
}

void commit_inplace(const char* call, Tensor& self, const Tensor& result) {
  leave_moved_base(*self.impl());
  check_inplace(call, self);
  if (!(result.sizes() == self.sizes())) {
    throw ShapeError(std::string(call) + ": the result must keep the tensor's sizes " + to_string(self.sizes()) +
                     ", got " + to_string(result.sizes()));
  }
  TensorImpl& impl = *self.impl();
  const bool record =
      is_grad_enabled() && is_floating_point(impl.dtype) && (self.requires_grad() || result.requires_grad());
  if (!record) {
    copy_data(self, result);
    return;
  }
  check_made_recording(call, impl);
  const Tensor values = result.to(impl.dtype);
  Ref<Node> node = values.grad_fn();
  if (!node) node = values.requires_grad() ? alias(values).grad_fn() : nullptr;
  if (!impl.base) {
    copy_data(self, values);
    impl.grad_fn = std::move(node);
    ++impl.generation;
    return;
  }
  // The forward of ReplaceAt is what writing into the view does; only its place in the graph is wanted here.
  Tensor base{impl.base};
  auto replace = make_ref<ReplaceAt>(Place::of(impl));
  const Tensor* inputs[] = {&base, &values};
  replace->connect(inputs);
  replace->set_result_sizes(base.sizes());
  copy_data(self, values);
  impl.base->grad_fn = replace;
  ++impl.base->generation;
}

}  // namespace gradus::detail
