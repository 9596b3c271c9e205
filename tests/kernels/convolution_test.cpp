// The loops for few channels, and convolutions that are products of matrices, against plain sums.
#include "kernels/dispatch/convolution.h"

#include <gradus/core/parallel.h>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <type_traits>
#include <vector>

#include "kernels/cpu/conv/few_channels.h"
#include "kernels/cpu/simd/simd.h"

namespace gradus {
namespace {

using cpu::Convolution;
using std::int64_t;

double number(double x) { return x; }
double number(BFloat16 x) { return static_cast<double>(static_cast<float>(x)); }

template <class T>
std::vector<T> numbers(int64_t count, unsigned seed) {
  std::mt19937 engine(seed);
  std::vector<T> values(static_cast<std::size_t>(count));
  for (T& value : values) value = T(static_cast<float>(std::uniform_real_distribution<double>(-1, 1)(engine)));
  return values;
}

int64_t size(int64_t channels, const Convolution& c, const cpu::Spatial3& s) {
  return c.batch * channels * Convolution::volume(s);
}

// Calls term(x, w, y) with the places of what is multiplied and where it is added, row-major or channels-last.
template <class F>
void each_term(const Convolution& c, F&& term) {
  const auto at = [&](int64_t n, int64_t channel, int64_t channels, int64_t h, int64_t w, const cpu::Spatial3& s) {
    return c.channels_last ? ((n * s[1] + h) * s[2] + w) * channels + channel
                           : ((n * channels + channel) * s[1] + h) * s[2] + w;
  };
  for (int64_t n = 0; n < c.batch; ++n)
    for (int64_t o = 0; o < c.out_channels; ++o)
      for (int64_t oh = 0; oh < c.out[1]; ++oh)
        for (int64_t ow = 0; ow < c.out[2]; ++ow)
          for (int64_t i = 0; i < c.in_channels; ++i)
            for (int64_t kh = 0; kh < c.kernel[1]; ++kh)
              for (int64_t kw = 0; kw < c.kernel[2]; ++kw) {
                const int64_t h = oh * c.stride[1] - c.padding[1] + kh * c.dilation[1];
                const int64_t w = ow * c.stride[2] - c.padding[2] + kw * c.dilation[2];
                if (h < 0 || w < 0 || h >= c.in[1] || w >= c.in[2]) continue;
                term(at(n, i, c.in_channels, h, w, c.in),
                     ((o * c.in_channels + i) * c.kernel[1] + kh) * c.kernel[2] + kw,
                     at(n, o, c.out_channels, oh, ow, c.out));
              }
}

// All three operations; `tolerance` times the square root of the number of terms.
template <class T, class Forward, class Data, class Weight>
void check(const Convolution& c, double tolerance, Forward&& forward, Data&& data, Weight&& weight) {
  const auto x = numbers<T>(size(c.in_channels, c, c.in), 1), g = numbers<T>(size(c.out_channels, c, c.out), 2);
  const auto w = numbers<T>(c.weights(), 3), bias = numbers<T>(c.out_channels, 4);
  std::vector<double> y(g.size()), gx(x.size()), gw(w.size());
  const auto u = [](int64_t i) { return static_cast<std::size_t>(i); };
  for (std::size_t i = 0; i < y.size(); ++i) {
    const auto place = static_cast<int64_t>(i);
    y[i] =
        number(bias[u(c.channels_last ? place % c.out_channels : place / Convolution::volume(c.out) % c.out_channels)]);
  }
  each_term(c, [&](int64_t in, int64_t weight_at, int64_t out) {
    y[u(out)] += number(x[u(in)]) * number(w[u(weight_at)]);
    gx[u(in)] += number(g[u(out)]) * number(w[u(weight_at)]);
    gw[u(weight_at)] += number(g[u(out)]) * number(x[u(in)]);
  });
  const auto compare = [&](const auto& got, const std::vector<double>& want, int64_t terms) {
    RC_ASSERT(got.size() == want.size());
    for (std::size_t i = 0; i < want.size(); ++i)
      RC_ASSERT(std::abs(number(got[i]) - want[i]) <=
                tolerance * (1 + std::sqrt(static_cast<double>(terms))) * (1 + std::abs(want[i])));
  };
  const int64_t taps = Convolution::volume(c.kernel);
  compare(forward(x, w, bias), y, c.in_channels * taps);
  compare(data(g, w), gx, c.out_channels * taps);
  compare(weight(g, x), gw, c.batch * Convolution::volume(c.out));
}

// By the loops for few channels where they can, else as the library chooses.
template <class T>
void check_row_major(const Convolution& c) {
  const Dtype dtype = std::is_same_v<T, float> ? kFloat32 : kFloat64;
  const bool few = cpu::few_channels_serves(c);
  check<T>(
      c, 32 * std::numeric_limits<T>::epsilon(),  // the plain sums are rounded, too
      [&](const auto& x, const auto& w, const auto& bias) {
        std::vector<T> y(static_cast<std::size_t>(size(c.out_channels, c, c.out)), std::numeric_limits<T>::quiet_NaN());
        few ? cpu::few_channels_forward(c, x.data(), w.data(), bias.data(), y.data())
            : cpu::conv_forward(dtype, c, x.data(), w.data(), bias.data(), y.data());
        return y;
      },
      [&](const auto& g, const auto& w) {
        std::vector<T> gx(static_cast<std::size_t>(size(c.in_channels, c, c.in)), std::numeric_limits<T>::quiet_NaN());
        few ? cpu::few_channels_backward_data(c, g.data(), w.data(), gx.data())
            : cpu::conv_backward_data(dtype, c, g.data(), w.data(), gx.data());
        return gx;
      },
      [&](const auto& g, const auto& x) {
        std::vector<T> gw(static_cast<std::size_t>(c.weights()), std::numeric_limits<T>::quiet_NaN());
        few ? cpu::few_channels_backward_weight(c, g.data(), x.data(), gw.data())
            : cpu::conv_backward_weight(dtype, c, g.data(), x.data(), gw.data());
        return gw;
      });
}

Convolution any_convolution() {
  Convolution c;
  c.batch = *rc::gen::inRange<int64_t>(1, 5);
  c.in_channels = *rc::gen::inRange<int64_t>(1, 18);
  c.out_channels = *rc::gen::inRange<int64_t>(1, 18);
  for (const std::size_t d : {std::size_t{1}, std::size_t{2}}) {
    c.kernel[d] = *rc::gen::inRange<int64_t>(1, 6);
    c.dilation[d] = *rc::gen::inRange<int64_t>(1, 3);
    const int64_t reach = c.dilation[d] * (c.kernel[d] - 1);
    c.padding[d] = *rc::gen::inRange<int64_t>(0, reach + 2);
    // Padding "same" may be one longer behind; what exceeds the kernel's reach is as long on both sides.
    const int64_t longer = *rc::gen::inRange<int64_t>(0, 2);
    const int64_t behind = c.padding[d] > reach ? c.padding[d] : std::min(reach, c.padding[d] + longer);
    c.in[d] = *rc::gen::inRange<int64_t>(std::max<int64_t>(1, reach + 1 - c.padding[d]), 24);
    c.out[d] = std::max<int64_t>(1, c.in[d] + c.padding[d] + behind - reach);
  }
  return c;
}

RC_GTEST_PROP(Convolutions, OfFewChannelsAreTheirPlainSums, ()) {
  const Convolution c = any_convolution();
  RC_CLASSIFY(cpu::few_channels_serves(c));
  const auto isa = *rc::gen::element(cpu::Isa::base, cpu::Isa::v3, cpu::Isa::v4);
  cpu::set_isa(isa);
  check_row_major<float>(c);
  check_row_major<double>(c);
  cpu::set_isa(cpu::best_isa());
}

// Several samples at once, several pieces, and what is left of both; a large image in several parts.
TEST(Convolutions, OfFewChannelsServeBatchesAndImagesOfAnySize) {
  Convolution c{.in_channels = 6, .out_channels = 16, .in = {1, 14, 14}, .kernel = {1, 5, 5}, .out = {1, 10, 10}};
  const Convolution large{
      .batch = 2, .in_channels = 2, .out_channels = 9, .in = {1, 40, 31}, .kernel = {1, 3, 3}, .out = {1, 38, 29}};
  ASSERT_TRUE(cpu::few_channels_serves(c) && cpu::few_channels_serves(large));
  for (const auto isa : {cpu::Isa::base, cpu::Isa::v3, cpu::Isa::v4}) {
    cpu::set_isa(isa);
    for (const int64_t batch : {1, 5, 16, 17}) {
      c.batch = batch;
      check_row_major<float>(c);
    }
    check_row_major<double>(c);
    check_row_major<float>(large);
  }
  cpu::set_isa(cpu::best_isa());
}

// Positions are taken in whole vectors; what fills the last one must not reach other taps.
TEST(Convolutions, OfFewChannelsKeepInfinitiesInTheirPlaces) {
  const Convolution c{.batch = 2, .in = {1, 14, 14}, .kernel = {1, 5, 5}, .out = {1, 10, 10}};
  ASSERT_TRUE(cpu::few_channels_serves(c));
  std::vector<float> x(2 * 14 * 14, 1), g(2 * 10 * 10, 1), gw(25);
  x[13 * 14 + 13] = x[14 * 14] = std::numeric_limits<float>::infinity();  // under the last tap and under the first
  cpu::few_channels_backward_weight(c, g.data(), x.data(), gw.data());
  for (std::size_t i = 1; i < 24; ++i) EXPECT_EQ(gw[i], 200) << i;
  EXPECT_FALSE(std::isfinite(gw[0]));
  EXPECT_FALSE(std::isfinite(gw[24]));
}

TEST(Convolutions, FewChannelsServeLeNet) {
  Convolution c{
      .batch = 64, .in_channels = 3, .out_channels = 6, .in = {1, 32, 32}, .kernel = {1, 5, 5}, .out = {1, 28, 28}};
  EXPECT_TRUE(cpu::few_channels_is_best(c, cpu::ConvOperation::forward));
  EXPECT_TRUE(cpu::few_channels_is_best(c, cpu::ConvOperation::backward_weight));
  const Convolution second{
      .batch = 64, .in_channels = 6, .out_channels = 16, .in = {1, 14, 14}, .kernel = {1, 5, 5}, .out = {1, 10, 10}};
  EXPECT_TRUE(cpu::few_channels_is_best(second, cpu::ConvOperation::backward_data));
  EXPECT_TRUE(cpu::few_channels_is_best(second, cpu::ConvOperation::backward_weight));
  c.stride = {1, 2, 2};
  c.out = {1, 14, 14};
  EXPECT_FALSE(cpu::few_channels_is_best(c, cpu::ConvOperation::forward));
}

TEST(Convolutions, FewChannelsHaveTheSameBitsOnAnyNumberOfThreads) {
  const Convolution c{
      .batch = 64, .in_channels = 6, .out_channels = 16, .in = {1, 14, 14}, .kernel = {1, 5, 5}, .out = {1, 10, 10}};
  const auto x = numbers<float>(size(6, c, c.in), 1), g = numbers<float>(size(16, c, c.out), 2),
             w = numbers<float>(c.weights(), 3);
  const auto run = [&](int threads) {
    const int before = get_num_threads();
    set_num_threads(threads);
    std::vector<float> y(g.size()), gx(x.size()), gw(w.size());
    cpu::few_channels_forward<float>(c, x.data(), w.data(), nullptr, y.data());
    cpu::few_channels_backward_data(c, g.data(), w.data(), gx.data());
    cpu::few_channels_backward_weight(c, g.data(), x.data(), gw.data());
    set_num_threads(before);
    y.insert(y.end(), gx.begin(), gx.end());
    y.insert(y.end(), gw.begin(), gw.end());
    return y;
  };
  EXPECT_EQ(run(1), run(3));
}

// Windows of one position in bfloat16 are products of matrices where the machine multiplies such numbers.
RC_GTEST_PROP(Convolutions, WithAWindowOfOnePositionInBFloat16AreTheirPlainSums, ()) {
  Convolution c;
  c.channels_last = true;
  c.batch = *rc::gen::inRange<int64_t>(1, 4);
  c.in_channels = 16 * *rc::gen::inRange<int64_t>(1, 5);
  c.out_channels = 16 * *rc::gen::inRange<int64_t>(1, 5);
  for (const std::size_t d : {std::size_t{1}, std::size_t{2}}) {
    c.stride[d] = *rc::gen::inRange<int64_t>(1, 4);
    c.in[d] = *rc::gen::inRange<int64_t>(1, 10);
    c.out[d] = (c.in[d] - 1) / c.stride[d] + 1;
  }
  const auto loops = cpu::conv_channels_last(kBFloat16, c);
  if (loops == nullptr) return;
  check<BFloat16>(
      c, 0x1p-8,
      [&](const auto& x, const auto& w, const auto& bias) {
        const std::vector<float> wide(bias.begin(), bias.end());
        const cpu::Epilogue then{.bias = wide.data()};
        std::vector<BFloat16> y(static_cast<std::size_t>(size(c.out_channels, c, c.out)));
        loops->forward(x.data(), *loops->pack(kBFloat16, w.data(), then), then, y.data());
        return y;
      },
      [&](const auto& g, const auto& w) {
        const std::vector<float> wide(w.begin(), w.end());
        std::vector<BFloat16> gx(static_cast<std::size_t>(size(c.in_channels, c, c.in)), BFloat16(7.f)), again = gx;
        RC_ASSERT(loops->backward_data(g.data(), kBFloat16, w.data(), gx.data()));
        RC_ASSERT(loops->backward_data(g.data(), kFloat32, wide.data(), again.data()));
        for (std::size_t i = 0; i < gx.size(); ++i) RC_ASSERT(gx[i].bits == again[i].bits);
        return gx;
      },
      [&](const auto& g, const auto& x) {
        std::vector<float> gw(static_cast<std::size_t>(c.weights()), 7);
        loops->backward_weight(g.data(), x.data(), gw.data());
        return gw;
      });
}

}  // namespace
}  // namespace gradus
