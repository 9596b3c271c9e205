// Optimizers with state of 8 bits: their codes, their course beside the others, what they keep, and resuming.
#include <gmock/gmock.h>
#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/cpu/elementwise/quantised.h"
#include "support/message.h"

namespace gradus {
namespace {

using testing::HasSubstr;

// The nearest of the 256 numbers, found by looking at all.
template <bool has_sign>
void expect_nearest() {
  const auto& numbers = cpu::detail::kNumbers<has_sign>;
  for (std::size_t i = 1; i < 256; ++i) EXPECT_LT(numbers[i - 1], numbers[i]);
  manual_seed(1);
  const std::vector<double> uniform = rand({4000}, {.dtype = kFloat64}).to_vector<double>();
  for (std::size_t i = 0; i < uniform.size(); ++i) {
    double x = i % 2 == 0 ? uniform[i] : std::pow(10, -8 * uniform[i]);
    if (has_sign && i % 3 == 0) x = -x;
    const auto value = static_cast<float>(x);
    float best = 2;
    for (const float number : numbers)
      if (has_sign || number > 0 || value == 0) best = std::min(best, std::fabs(number - value));
    const auto code = static_cast<std::size_t>(cpu::detail::code_of<has_sign>(value));
    EXPECT_NEAR(std::fabs(numbers[code] - value), best, 3e-7F * std::fabs(value) + 1e-9F) << value;
  }
  for (std::size_t i = 0; i < 256; ++i)
    EXPECT_EQ(cpu::detail::code_of<has_sign>(numbers[i]), static_cast<std::int32_t>(i));
}

TEST(EightBit, CodesAreTheNearest) {
  expect_nearest<true>();
  expect_nearest<false>();
  EXPECT_EQ(cpu::detail::kNumbers<true>[255], 1);
  EXPECT_FLOAT_EQ(cpu::detail::kNumbers<true>[0], -0.99296875F);  // bitsandbytes' dynamic map
  EXPECT_FLOAT_EQ(cpu::detail::kNumbers<true>[128], 5.5e-7F);
  EXPECT_FLOAT_EQ(cpu::detail::kNumbers<false>[1], 3.25e-7F);
  EXPECT_EQ(cpu::detail::kNumbers<true>[127], 0);
}

TEST(EightBit, NumbersThatAreNotFiniteStaySo) {
  float x[3] = {1, std::numeric_limits<float>::quiet_NaN(), 2}, y[3];
  std::uint8_t codes[3];
  cpu::dequantise<float, true>(codes, cpu::quantise<float, true>(x, 3, codes), 3, y);
  for (const float number : y) EXPECT_TRUE(std::isnan(number));
  const float zero[3] = {0, -0.0F, 0};
  cpu::dequantise<float, true>(codes, cpu::quantise<float, true>(zero, 3, codes), 3, y);
  for (const float number : y) EXPECT_EQ(number, 0);
}

// Classes of points that a small network learns.
struct Problem {
  nn::Sequential net;
  Tensor x, y;
  Problem()
      : net((manual_seed(3), nn::Sequential{nn::Linear(16, 300), nn::Tanh(), nn::Linear(300, 5)})),
        x(randn({256, 16})),
        y(argmax(matmul(sin(x * 2), randn({16, 5})), 1)) {}
  double loss_after(optim::Optimizer& optimizer, int steps) {
    double value = 0;
    for (int i = 0; i < steps; ++i) {
      const Tensor at = randint(0, 256, {64});
      const Tensor loss = nn::functional::cross_entropy(net(index_select(x, 0, at)), index_select(y, 0, at));
      optimizer.minimize(loss);
      value = loss.item();
    }
    const NoGrad guard;
    return nn::functional::cross_entropy(net(x), y).item() + 0 * value;
  }
};

TEST(EightBit, AdamWGoesTheWayOfAdamW) {
  Problem exact, coarse;
  optim::AdamW one(exact.net, {.lr = 3e-3});
  optim::AdamW8bit other(coarse.net, {.lr = 3e-3});
  const double start = nn::functional::cross_entropy(exact.net(exact.x), exact.y).item();
  manual_seed(8);
  const double a = exact.loss_after(one, 300);
  manual_seed(8);
  const double b = coarse.loss_after(other, 300);
  EXPECT_LT(a, 0.3 * start);
  EXPECT_NEAR(b, a, 0.1 * start);
}

TEST(EightBit, LionGoesTheWayOfLion) {
  Problem exact, coarse;
  optim::Lion one(exact.net, {.lr = 1e-3});
  optim::Lion8bit other(coarse.net, {.lr = 1e-3});
  const double start = nn::functional::cross_entropy(exact.net(exact.x), exact.y).item();
  manual_seed(8);
  const double a = exact.loss_after(one, 300);
  manual_seed(8);
  const double b = coarse.loss_after(other, 300);
  EXPECT_LT(a, 0.5 * start);
  EXPECT_NEAR(b, a, 0.1 * start);
}

// An update is that of AdamW from the state that the codes stand for.
TEST(EightBit, AnUpdateIsAdamWsFromTheCodesNumbers) {
  manual_seed(5);
  const Tensor start = randn({5000}), g = randn({5000}) * exp(randn({5000}) * 3);
  Tensor p = start.clone().requires_grad_(), q = start.clone().requires_grad_();
  optim::AdamW8bit coarse(p, {.lr = 1e-2});
  optim::AdamW exact(q, {.lr = 1e-2});
  p.set_grad(g);
  q.set_grad(g);
  coarse.step();
  exact.step();
  // The first update has no state before it: the same bits.
  EXPECT_EQ(std::memcmp(p.const_data_ptr(), q.const_data_ptr(), 5000 * 4), 0);
  const Tensor codes = coarse.state_of(p, "exp_avg_codes"), absmax = coarse.state_of(p, "exp_avg_absmax");
  ASSERT_EQ(codes.dtype(), kUInt8);
  ASSERT_EQ(absmax.sizes(), Shape({20}));
  const std::vector<double> m = exact.state_of(q, "exp_avg").to_vector<double>();
  const std::vector<std::uint8_t> c = codes.to_vector<std::uint8_t>();
  const std::vector<double> top = absmax.to_vector<double>();
  for (std::size_t i = 0; i < m.size(); ++i) {
    const double value = static_cast<double>(cpu::detail::kNumbers<true>[c[i]]) * top[i / 256];
    EXPECT_NEAR(value, m[i], 0.0071 * top[i / 256]);  // half of the widest step
    if (std::fabs(m[i]) > 0.1 * top[i / 256]) {
      EXPECT_NEAR(value, m[i], 0.08 * std::fabs(m[i]));
    }
  }
}

TEST(EightBit, TakesAByteForEachNumberOfState) {
  const Tensor large = zeros({256, 64}, {.requires_grad = true}), small = zeros({4095}, {.requires_grad = true}),
               limit = zeros({4096}, {.requires_grad = true});
  optim::AdamW8bit adam({large, small, limit});
  EXPECT_EQ(adam.state_bytes(large), 2 * (16384 + 64 * 4));  // 2.03 bytes per parameter beside AdamW's 8
  EXPECT_EQ(adam.state_bytes(small), 2 * 4095 * 4);
  EXPECT_EQ(adam.state_bytes(limit), 2 * (4096 + 16 * 4));
  EXPECT_EQ(optim::Lion8bit(large).state_bytes(large), 16384 + 64 * 4);
  for (const Tensor& p : adam.parameters()) Tensor(p).set_grad(ones_like(p.detach()));
  adam.step();
  EXPECT_EQ(adam.state_tensors(small).at("exp_avg").dtype(), kFloat32);
  std::int64_t bytes = 0;
  for (const auto& [name, tensor] : adam.state_tensors(large)) bytes += tensor.numel() * tensor.element_size();
  EXPECT_EQ(bytes, *adam.state_bytes(large));
}

TEST(EightBit, ResumesWithTheSameBits) {
  for (const bool lion : {false, true}) {
    const auto make = [&](const nn::Module& net) -> std::unique_ptr<optim::Optimizer> {
      if (lion) return std::make_unique<optim::Lion8bit>(net, optim::Lion8bitOptions{.lr = 1e-3});
      return std::make_unique<optim::AdamW8bit>(net, optim::AdamW8bitOptions{.lr = 1e-2});
    };
    Problem whole, rest;
    const auto a = make(whole.net);
    whole.loss_after(*a, 7);
    training::Checkpoint saved, loaded;
    saved.add("net", whole.net);
    saved.add("optimizer", *a);
    const io::Value state = saved.state_dict();
    const auto b = make(rest.net);
    loaded.add("net", rest.net);
    loaded.add("optimizer", *b);
    const gradus::Generator drawn = default_generator();
    loaded.load_state_dict(state);
    default_generator() = drawn;
    whole.loss_after(*a, 5);
    default_generator() = drawn;
    rest.loss_after(*b, 5);
    const nn::StateDict x = whole.net.state_dict(), y = rest.net.state_dict();
    for (const auto& [name, tensor] : x)
      EXPECT_EQ(std::memcmp(tensor.const_data_ptr(), y.at(name).const_data_ptr(),
                            static_cast<std::size_t>(tensor.numel()) * 4),
                0)
          << name;
  }
}

TEST(EightBit, BitsDoNotDependOnThreadsNorOnOtherParameters) {
  const int before = get_num_threads();
  std::vector<std::vector<double>> results;
  for (const int threads : {1, 3}) {
    for (const bool alone : {true, false}) {
      set_num_threads(threads);
      manual_seed(6);
      const Tensor p = randn({70001}).requires_grad_();
      const Tensor other = zeros({5001}, {.requires_grad = true}), small = zeros({300}, {.requires_grad = true});
      optim::AdamW8bit optimizer(alone ? std::vector<Tensor>{p} : std::vector<Tensor>{small, other, p});
      Generator generator(9);
      for (int i = 0; i < 3; ++i) {
        Tensor(p).set_grad(randn({70001}, {}, &generator));
        Tensor(other).set_grad(ones({5001}));
        Tensor(small).set_grad(ones({300}));
        optimizer.step();
      }
      results.push_back(p.to_vector<double>());
    }
  }
  set_num_threads(before);
  for (std::size_t i = 1; i < results.size(); ++i) EXPECT_TRUE(results[i] == results[0]) << i;
}

TEST(EightBit, RefusesStateOfAnotherKind) {
  const Tensor start = randn({5000}), p = start.clone().requires_grad_();
  optim::AdamW8bit optimizer(p);
  Tensor(p).set_grad(ones({5000}));
  optimizer.step();
  const optim::OptimizerState good = optimizer.state_dict();
  const auto error = [&](const char* name, const Tensor& value) {
    optim::OptimizerState state = good;
    state.params.begin()->second.tensors[name] = value;
    return test::message_of([&] { optimizer.load_state_dict(state); });
  };
  EXPECT_THAT(error("exp_avg_codes", zeros({5000})), HasSubstr("needs [5000] uint8, got [5000] float32"));
  EXPECT_THAT(error("exp_avg_codes", zeros({4999}, {.dtype = kUInt8})), HasSubstr("got [4999] uint8"));
  EXPECT_THAT(error("exp_avg_absmax", zeros({21})), HasSubstr("needs [20] float32 or another floating-point type"));
  EXPECT_THAT(error("exp_avg", zeros({5000})), HasSubstr("not part of this optimizer's state"));
  // In double, computed in double from the same codes.
  nn::Parameter q = nn::Parameter(start.to(kFloat64));
  optim::AdamW8bit in_double(q);
  q.set_grad(ones({5000}, {.dtype = kFloat64}));
  in_double.step();
  EXPECT_EQ(in_double.state_of(q, "exp_avg_absmax").dtype(), kFloat32);
  EXPECT_NEAR((q.detach() - p.detach().to(kFloat64)).abs().max().item(), 0, 1e-6);
}

// Small second moments beside large ones must not become zero while their first moments live.
TEST(EightBit, ARowThatIsRarelyUsedStaysWhereAdamWKeepsIt) {
  Tensor exact = zeros({32, 256}, {.requires_grad = true}), coded = zeros({32, 256}, {.requires_grad = true});
  optim::AdamW adam({exact}, {.lr = 1e-3});
  optim::AdamW8bit eight({coded}, {.lr = 1e-3});
  for (int step = 0; step < 5; ++step) {
    Tensor g = ones({32, 256});
    g[{Slice{}, 3}] = step == 0 ? 1e-4 : 0.0;
    exact.set_grad(g.clone());
    coded.set_grad(g.clone());
    adam.step();
    eight.step();
  }
  EXPECT_LT((exact - coded).detach().abs().max().item(), 5e-3);
}

}  // namespace
}  // namespace gradus
