// Tensors that belong to a module. Copying or moving one makes another handle of the same tensor; assigning to one that
// a module has registered registers the new tensor instead.
#pragma once

#include <gradus/nn/member.h>

namespace gradus::nn {

namespace detail {
class TensorMember : public Tensor, public ModuleMember {
 public:
  TensorMember(const TensorMember& other);
  TensorMember(TensorMember&& other) noexcept;
  TensorMember& operator=(const TensorMember& other);
  TensorMember& operator=(TensorMember&& other) noexcept(false);

 protected:
  TensorMember(const Tensor& data, MemberKind kind) : Tensor(data), ModuleMember(kind) {}
};
}  // namespace detail

// A tensor that requires a gradient and that a module registers. As torch.nn.Parameter.
class Parameter : public detail::TensorMember {
 public:
  Parameter() : TensorMember(Tensor(), detail::MemberKind::Parameter) {}  // undefined: an absent bias
  explicit Parameter(const Tensor& data, bool requires_grad = true);
};

// A tensor that is saved with a module but not trained.
class Buffer : public detail::TensorMember {
 public:
  Buffer() : Buffer(Tensor()) {}
  explicit Buffer(const Tensor& data) : TensorMember(data, detail::MemberKind::Buffer) {}
};

}  // namespace gradus::nn
