#include <gradus/nn/layers/padding.h>
#include <gradus/ops/resampling.h>

#include "nn/module/repr.h"

namespace gradus::nn {

namespace {

template <int N>
std::string named(const char* family) {
  return family + std::to_string(N) + "d";
}

}  // namespace

Tensor Padding::forward(const Tensor& x) { return pad(x, padding_, mode_, value_); }

template <int N>
ConstantPad<N>::ConstantPad(const Spatial<2 * N>& padding, const Scalar& value)
    : Padding(named<N>("ConstantPad"), "padding=" + tuple(padding) + ", value=" + repr(value), "constant",
              list(padding), value) {}
template <int N>
ZeroPad<N>::ZeroPad(const Spatial<2 * N>& padding)
    : Padding(named<N>("ZeroPad"), tuple(padding), "constant", list(padding)) {}
template <int N>
ReflectionPad<N>::ReflectionPad(const Spatial<2 * N>& padding)
    : Padding(named<N>("ReflectionPad"), tuple(padding), "reflect", list(padding)) {}
template <int N>
ReplicationPad<N>::ReplicationPad(const Spatial<2 * N>& padding)
    : Padding(named<N>("ReplicationPad"), tuple(padding), "replicate", list(padding)) {}
template <int N>
CircularPad<N>::CircularPad(const Spatial<2 * N>& padding)
    : Padding(named<N>("CircularPad"), tuple(padding), "circular", list(padding)) {}

template struct ConstantPad<1>;
template struct ConstantPad<2>;
template struct ConstantPad<3>;
template struct ZeroPad<1>;
template struct ZeroPad<2>;
template struct ZeroPad<3>;
template struct ReflectionPad<1>;
template struct ReflectionPad<2>;
template struct ReflectionPad<3>;
template struct ReplicationPad<1>;
template struct ReplicationPad<2>;
template struct ReplicationPad<3>;
template struct CircularPad<1>;
template struct CircularPad<2>;
template struct CircularPad<3>;

}  // namespace gradus::nn
