// data::Transform: what is done to a sample's data before it is used. gradus/data/transforms.h has the usual ones.
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gradus/tensor.h>

namespace gradus::data {

class Transform {
 public:
  virtual ~Transform() = default;
  // Several threads call it at once. Random ones draw from sample_generator() (gradus/data/random.h).
  virtual Tensor apply(const Tensor& x) const = 0;
  // Whether equal inputs may give different results.
  virtual bool is_random() const { return false; }
  // As torchvision prints it, with all options: transforms that print alike do the same.
  virtual std::string to_string() const = 0;
  // As to_string() for caches that outlive the program; empty where it does not say all.
  virtual std::string identity() const { return to_string(); }

  Tensor operator()(const Tensor& x) const { return apply(x); }

 protected:
  Transform() = default;
  Transform(const Transform&) = default;
  Transform& operator=(const Transform&) = default;
};

// A function as a transform. Unless said otherwise it counts as random, and without a name nobody can tell what it is.
class Lambda final : public Transform {
 public:
  struct Options {
    std::string name = {};
    bool random = true;
  };
  explicit Lambda(std::function<Tensor(const Tensor&)> function);
  Lambda(std::function<Tensor(const Tensor&)> function, Options options);  // ValueError for an empty function
  Tensor apply(const Tensor& x) const override { return function_(x); }
  bool is_random() const override { return options_.random; }
  std::string to_string() const override { return "Lambda(" + options_.name + ")"; }
  std::string identity() const override { return options_.name.empty() ? std::string() : to_string(); }

 private:
  std::function<Tensor(const Tensor&)> function_;
  Options options_;
};

// Any transform, as datasets take it: an object, copied or moved in, a function, or nothing, which changes nothing.
class AnyTransform {
 public:
  AnyTransform() = default;
  template <std::derived_from<Transform> T>
  AnyTransform(T transform) : transform_(std::make_shared<const T>(std::move(transform))) {}
  AnyTransform(std::shared_ptr<const Transform> transform) : transform_(std::move(transform)) {}
  template <std::invocable<const Tensor&> F>
  requires(!std::derived_from<F, Transform> && !std::same_as<F, AnyTransform>) AnyTransform(F function)
      : AnyTransform(Lambda(std::move(function))) {}

  explicit operator bool() const { return transform_ != nullptr; }
  const Transform* operator->() const { return transform_.get(); }
  Tensor operator()(const Tensor& x) const { return transform_ ? transform_->apply(x) : x; }
  bool is_random() const { return transform_ && transform_->is_random(); }
  // What it does, "" if that is not known, "none" for nothing.
  std::string identity() const { return transform_ ? transform_->identity() : "none"; }

 private:
  std::shared_ptr<const Transform> transform_;
};

}  // namespace gradus::data
