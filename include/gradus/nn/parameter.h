// Tensors that belong to a module.
#pragma once

#include <memory>

#include <gradus/tensor.h>

namespace gradus::nn {

namespace detail {
struct ModuleState;

// Where a module keeps a member. Assigning to the member (`net.fc = nn::Linear(512, 10)`) replaces it there too.
struct Slot {
  std::weak_ptr<ModuleState> owner;
  std::string name;
};

// While one of these lives, copying modules and parameters on this thread copies what they hold (see nn::clone).
class CloneScope {
 public:
  CloneScope();
  ~CloneScope();
  CloneScope(const CloneScope&) = delete;
  CloneScope& operator=(const CloneScope&) = delete;
  static bool active();
  static std::unique_ptr<Slot> copy_of(const std::unique_ptr<Slot>& slot);
  static Tensor copy_of(const Tensor& x);
  static std::shared_ptr<ModuleState> copy_of(const std::shared_ptr<ModuleState>& state);
};
}  // namespace detail

// A tensor that requires a gradient and that a module registers. As torch.nn.Parameter.
class Parameter : public Tensor {
 public:
  Parameter() = default;  // undefined: an absent bias
  explicit Parameter(const Tensor& data, bool requires_grad = true);
  Parameter(const Parameter& other);
  Parameter(Parameter&&) noexcept = default;
  Parameter& operator=(const Parameter& other);
  Parameter& operator=(Parameter&& other) noexcept(false);

 private:
  friend class Module;
  std::unique_ptr<detail::Slot> slot_;
};

// A tensor that is saved with a module but not trained.
class Buffer : public Tensor {
 public:
  Buffer() = default;
  explicit Buffer(const Tensor& data) : Tensor(data) {}
  Buffer(const Buffer& other);
  Buffer(Buffer&&) noexcept = default;
  Buffer& operator=(const Buffer& other);
  Buffer& operator=(Buffer&& other) noexcept(false);

 private:
  friend class Module;
  std::unique_ptr<detail::Slot> slot_;
};

}  // namespace gradus::nn
