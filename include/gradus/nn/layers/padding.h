// Padding as modules; the modes are described at gradus::pad. One number for all sides, or two for each of the last N
// dimensions, the last one first: `nn::ReflectionPad2d({left, right, top, bottom})`.
#pragma once

#include <gradus/nn/module.h>
#include <gradus/ops/spatial.h>

namespace gradus::nn {

class Padding : public Module {
 public:
  Tensor forward(const Tensor& x) override;

 protected:
  Padding(std::string type, std::string detail, const char* mode, std::vector<std::int64_t> padding, Scalar value = 0)
      : Module(std::move(type), std::move(detail)), mode_(mode), padding_(std::move(padding)), value_(value) {}

 private:
  const char* mode_;
  std::vector<std::int64_t> padding_;
  Scalar value_;
};

template <int N>
struct ConstantPad : Padding {
  ConstantPad(const Spatial<2 * N>& padding, const Scalar& value);
};
template <int N>
struct ZeroPad : Padding {
  explicit ZeroPad(const Spatial<2 * N>& padding);
};
template <int N>
struct ReflectionPad : Padding {
  explicit ReflectionPad(const Spatial<2 * N>& padding);
};
template <int N>
struct ReplicationPad : Padding {
  explicit ReplicationPad(const Spatial<2 * N>& padding);
};
template <int N>
struct CircularPad : Padding {
  explicit CircularPad(const Spatial<2 * N>& padding);
};

using ConstantPad1d = ConstantPad<1>;
using ConstantPad2d = ConstantPad<2>;
using ConstantPad3d = ConstantPad<3>;
using ZeroPad1d = ZeroPad<1>;
using ZeroPad2d = ZeroPad<2>;
using ZeroPad3d = ZeroPad<3>;
using ReflectionPad1d = ReflectionPad<1>;
using ReflectionPad2d = ReflectionPad<2>;
using ReflectionPad3d = ReflectionPad<3>;
using ReplicationPad1d = ReplicationPad<1>;
using ReplicationPad2d = ReplicationPad<2>;
using ReplicationPad3d = ReplicationPad<3>;
using CircularPad1d = CircularPad<1>;
using CircularPad2d = CircularPad<2>;
using CircularPad3d = CircularPad<3>;

}  // namespace gradus::nn
