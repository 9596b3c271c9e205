// torch.autograd.functional: against closed forms, and values of PyTorch in tests/traces/arranging.json.
#include <gradus/autograd/functional.h>
#include <gradus/ops.h>

#include <gmock/gmock.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "support/formula.h"
#include "support/message.h"
#include "support/paths.h"

namespace gradus::autograd::functional {
namespace {

using nlohmann::json;
using test::message_of;
using testing::HasSubstr;
using List = std::vector<Tensor>;

Tensor one(const Tensor& x) { return narrow(outer(exp(x), x), 0, 0, 2) * sum(x); }
List two(const List& x) { return {sin(x[0] * sum(x[1])), sum(x[0] * x[0])}; }
Tensor number(const Tensor& x) { return sum(x * x * x) * exp(select(x, 0, 0)); }
Tensor mixed(const List& x) { return sum(square(x[0]) * sin(x[1])) + select(x[0], 0, 0) * select(x[0], 0, 1); }

Tensor numbers(int i, const Shape& sizes = {3}) { return test::uniform("x" + std::to_string(i), sizes); }

List joined(const std::vector<List>& lists) {
  List all;
  for (const List& list : lists) all.insert(all.end(), list.begin(), list.end());
  return all;
}
List joined(const Pairs& pairs) { return joined(std::vector<List>{pairs.first, pairs.second}); }
List joined(const Pair& pair) { return {pair.first, pair.second}; }

TEST(Functional, DerivativesAreThoseOfPyTorch) {
  const Tensor x = numbers(0), y = numbers(1), v = numbers(2), w = numbers(3);
  const std::map<std::string, List> all = {
      {"jacobian", {jacobian(one, x)}},
      {"jacobian_several", joined(jacobian(two, {x, y}))},
      {"hessian", {hessian(number, x)}},
      {"hessian_several", joined(hessian(mixed, {x, y}))},
      {"vjp", joined(vjp(one, x, numbers(4, {2, 3})))},
      {"vjp_several", joined(vjp(two, {x, y}, {v, select(v, 0, 0)}))},
      {"jvp", joined(jvp(one, x, v))},
      {"jvp_several", joined(jvp(two, {x, y}, {v, w}))},
      {"vhp", joined(vhp(number, x, v))},
      {"hvp", joined(hvp(number, x, v))},
      {"hvp_several", joined(hvp(mixed, {x, y}, {v, w}))},
  };
  const json trace = json::parse(std::ifstream(test::source_path("tests/traces/arranging.json")))["derivatives"];
  ASSERT_EQ(all.size(), trace.size());
  for (const json& recorded : trace) {
    const std::string name = recorded["name"];
    SCOPED_TRACE(name);
    const List& got = all.at(name);
    ASSERT_EQ(got.size(), recorded["outputs"].size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      const json& array = recorded["outputs"][i];
      const Tensor wanted = tensor(array["data"].get<std::vector<double>>(),
                                   Shape(array["shape"].get<std::vector<std::int64_t>>()), {.dtype = kFloat64});
      ASSERT_EQ(got[i].sizes(), wanted.sizes());
      EXPECT_TRUE(allclose(got[i], wanted, 1e-11, 1e-13)) << got[i] << wanted;
      EXPECT_FALSE(got[i].requires_grad());
    }
  }
}

// f(x) = x' A x: its slope is (A + A') x and its Hessian A + A'.
TEST(Functional, AQuadraticFormHasItsMatrixAsHessian) {
  const Tensor a = numbers(5, {4, 4}), x = numbers(6, {4}), v = numbers(7, {4}), both = a + t(a);
  const Function f = [&](const Tensor& z) { return dot(z, matmul(a, z)); };
  EXPECT_TRUE(allclose(jacobian(f, x), matmul(both, x), 1e-12));
  EXPECT_TRUE(allclose(hessian(f, x), both, 1e-12, 1e-14));
  EXPECT_TRUE(allclose(vhp(f, x, v).second, matmul(both, v), 1e-12));
  EXPECT_TRUE(allclose(hvp(f, x, v).second, matmul(both, v), 1e-12));
  const Function g = [&](const Tensor& z) { return matmul(a, z); };
  EXPECT_TRUE(allclose(jacobian(g, x), a, 1e-12));
  EXPECT_TRUE(allclose(jvp(g, x, v).second, matmul(a, v), 1e-12));
  EXPECT_TRUE(allclose(vjp(g, x, v).second, matmul(t(a), v), 1e-12));
  EXPECT_TRUE(equal(vjp(g, x, v).first, matmul(a, x)));
}

TEST(Functional, ResultsCanBeDifferentiatedAgain) {
  const Tensor x = numbers(0).requires_grad_(), v = numbers(2);
  const Function cube = [](const Tensor& z) { return z * z * z; };
  const Function sum_of_cubes = [](const Tensor& z) { return sum(z * z * z); };
  const auto slope = [&](const Tensor& y) { return grad(y.sum(), x)[0]; };
  EXPECT_TRUE(allclose(slope(jacobian(cube, x, true)), x.detach() * 6, 1e-12));
  EXPECT_TRUE(allclose(slope(hessian(sum_of_cubes, x, true)), full({3}, 6.0, {.dtype = kFloat64}), 1e-12));
  EXPECT_TRUE(allclose(slope(vjp(cube, x, v, true).second), x.detach() * v * 6, 1e-12));
  EXPECT_TRUE(allclose(slope(jvp(cube, x, v, true).second), x.detach() * v * 6, 1e-12));
  EXPECT_TRUE(allclose(slope(vhp(sum_of_cubes, x, v, true).second), v * 6, 1e-12));
  EXPECT_TRUE(allclose(slope(hvp(sum_of_cubes, x, v, true).second), v * 6, 1e-12));
  // Without create_graph the input is left out of every graph, and no gradient is stored in it.
  EXPECT_FALSE(jacobian(cube, x).requires_grad());
  EXPECT_FALSE(x.grad().defined());
  // A scope in which nothing is recorded does not stop them.
  const NoGrad guard;
  EXPECT_TRUE(allclose(jacobian(sum_of_cubes, x), x * x * 3, 1e-12));
}

TEST(Functional, WhatDependsOnNothingIsZeroOrRefused) {
  const Tensor x = numbers(0), y = numbers(1, {2}), v = numbers(2);
  const Function constant = [](const Tensor&) { return ones({2}, {.dtype = kFloat64}); };
  const Function linear = [](const Tensor& z) { return sum(z) * 2; };
  const FunctionOfSeveral first = [](const List& z) { return sum(z[0] * z[0]); };
  EXPECT_TRUE(equal(jacobian(constant, x), zeros({2, 3}, {.dtype = kFloat64})));
  EXPECT_TRUE(equal(jvp(constant, x, v).second, zeros({2}, {.dtype = kFloat64})));
  EXPECT_TRUE(equal(hessian(linear, x), zeros({3, 3}, {.dtype = kFloat64})));
  EXPECT_TRUE(equal(hvp(linear, x, v).second, zeros({3}, {.dtype = kFloat64})));
  const auto blocks = hessian(first, {x, y});
  EXPECT_EQ(blocks[0][1].sizes(), (Shape{3, 2}));
  EXPECT_TRUE(equal(blocks[0][0], eye(3, {}, {.dtype = kFloat64}) * 2));
  EXPECT_TRUE(equal(blocks[1][1], zeros({2, 2}, {.dtype = kFloat64})));
  EXPECT_THAT(message_of([&] { jacobian(constant, x, false, true); }),
              HasSubstr("jacobian: output 0 depends on no input"));
  EXPECT_THAT(message_of([&] { jacobian(first, {x, y}, false, true); }), HasSubstr("independent of input 1"));
  EXPECT_THAT(message_of([&] { hessian(linear, x, false, true); }),
              HasSubstr("hessian: the derivative is independent"));
  EXPECT_THAT(message_of([&] { jvp(constant, x, v, false, true); }), HasSubstr("jvp: output 0"));
  EXPECT_THAT(message_of([&] { vhp(linear, x, v, false, true); }), HasSubstr("vhp: the derivative is independent"));
}

TEST(Functional, OddCalls) {
  const Tensor x = numbers(0);
  const Function twice = [](const Tensor& z) { return z * 2; };
  const Function total = [](const Tensor& z) { return sum(z); };
  const Tensor none = zeros({0}, {.dtype = kFloat64});
  EXPECT_EQ(jacobian(twice, none).sizes(), (Shape{0, 0}));
  EXPECT_EQ(hessian(total, none).sizes(), (Shape{0, 0}));
  EXPECT_EQ(jacobian(total, tensor(1.0)).sizes(), Shape{});
  EXPECT_EQ(vjp(total, x).second.sizes(), x.sizes());
  EXPECT_EQ(jvp(twice, tensor(1.0)).second.item(), 2);
  EXPECT_EQ(jacobian(twice, numbers(0, {2, 2})).sizes(), (Shape{2, 2, 2, 2}));
  EXPECT_THAT(message_of([&] { vjp(twice, x); }), HasSubstr("vjp: v may be left out only for a single output"));
  EXPECT_THAT(message_of([&] { jvp(twice, x); }), HasSubstr("jvp: v may be left out only for a single input"));
  EXPECT_THAT(message_of([&] { jvp(twice, x, numbers(1, {2})); }), HasSubstr("sizes of its input, [3], got [2]"));
  EXPECT_THAT(message_of([&] { hessian(twice, x); }), HasSubstr("hessian: the function must return a tensor of one"));
  EXPECT_THAT(message_of([&] { jacobian(total, arange(3)); }), HasSubstr("inputs must be floating-point, got int64"));
  EXPECT_THAT(message_of([&] { jacobian(two, List{}); }), HasSubstr("at least one input"));
  EXPECT_THAT(message_of([&] { vhp(mixed, {x, x}, {x}); }), HasSubstr("a tensor for each input, got 1 for 2"));
}

TEST(Functional, WhatIsNoNumberHasNoSlope) {
  const auto [y, slope] =
      autograd::functional::jvp([](const Tensor& x) { return x > 1; }, tensor({0.5, 2.0}), tensor({1.0, 1.0}));
  EXPECT_EQ(y.dtype(), kBool);
  EXPECT_TRUE(equal(slope.to(kFloat32), zeros({2})));
}

}  // namespace
}  // namespace gradus::autograd::functional
