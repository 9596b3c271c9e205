#include <gradus/nn/module.h>

namespace gradus::nn {

namespace detail {

TensorMember::TensorMember(const TensorMember& other)
    : Tensor(CloneScope::active() ? CloneScope::copy_of(other) : static_cast<const Tensor&>(other)),
      ModuleMember(other.kind()) {
  follow(other);
}

// The source stays a handle, as a moved module does: its place in a module would be empty otherwise.
TensorMember::TensorMember(TensorMember&& other) noexcept
    : Tensor(static_cast<const Tensor&>(other)), ModuleMember(other.kind()) {
  inherit(other);
}

TensorMember& TensorMember::operator=(const TensorMember& other) {
  if (this == &other) return *this;
  end_moves();
  if (owner() != nullptr) {
    owner()->set_tensor(*this, other, false);
  } else {
    Tensor::operator=(other);
    follow(other);
  }
  return *this;
}

TensorMember& TensorMember::operator=(TensorMember&& other) noexcept(false) {
  if (this == &other) return *this;
  end_moves();
  if (owner() != nullptr) {
    owner()->set_tensor(*this, other, true);
  } else {
    Tensor::operator=(other);
    inherit(other);
  }
  return *this;
}

}  // namespace detail

Parameter::Parameter(const Tensor& data, bool requires_grad) : TensorMember(data, detail::MemberKind::Parameter) {
  if (!data.defined()) return;  // an optional one that is absent
  if (!data.is_leaf()) {
    throw AutogradError("Parameter: needs a leaf, got the result of an operation; detach it first");
  }
  requires_grad_(requires_grad);
}

}  // namespace gradus::nn
