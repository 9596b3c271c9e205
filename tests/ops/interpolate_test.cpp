// Which elements "nearest" takes: those of whole numbers, however the sizes divide.
#include <gradus/ops.h>
#include <gradus/ops/resampling.h>

#include <gtest/gtest.h>

namespace gradus {
namespace {

TEST(Interpolate, PicksTheNearestOfWholeNumbers) {
  for (std::int64_t in = 1; in <= 64; ++in) {
    const Tensor x = arange(in).to(kFloat32).reshape({1, 1, in});
    for (std::int64_t out = 1; out <= 200; ++out) {
      const auto low = interpolate(x, {.size = {out}}).to_vector<double>();
      const auto centre = interpolate(x, {.size = {out}, .mode = "nearest-exact"}).to_vector<double>();
      const auto again = interpolate(x, {.scale_factor = {(static_cast<double>(out) + 1e-9) / static_cast<double>(in)},
                                         .recompute_scale_factor = true});
      for (std::int64_t i = 0; i < out; ++i) {
        const auto k = static_cast<std::size_t>(i);
        ASSERT_EQ(low[k], static_cast<double>(i * in / out)) << in << " to " << out << " at " << i;
        ASSERT_EQ(centre[k], static_cast<double>((2 * i + 1) * in / (2 * out))) << in << " to " << out << " at " << i;
      }
      ASSERT_EQ(again.to_vector<double>(), low) << in << " to " << out;
    }
  }
}

TEST(Interpolate, PicksTheNearestByWholeFactors) {
  for (std::int64_t factor = 1; factor <= 100; ++factor) {
    const Tensor y = interpolate(arange(7).to(kFloat32).reshape({1, 1, 7}), {.scale_factor = {double(factor)}});
    const Tensor small = interpolate(arange(7 * factor).to(kFloat32).reshape({1, 1, 7 * factor}),
                                     {.scale_factor = {1 / double(factor) + 1e-12}});
    for (std::int64_t i = 0; i < 7 * factor; ++i) ASSERT_EQ(y[0][0][i].item(), static_cast<double>(i / factor));
    ASSERT_EQ(small.numel(), 7);
  }
}

TEST(Interpolate, RefusesSizesBeyondMemory) {
  EXPECT_THROW(interpolate(zeros({1 << 20, 1, 1}), {.size = {2147483647}}), Error);
}

}  // namespace
}  // namespace gradus
