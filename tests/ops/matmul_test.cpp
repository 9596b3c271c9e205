// Matrix products: PyTorch's results and gradients for every rank, strided operands, types, errors, and what is saved.
#include <gradus/autograd.h>
#include <gradus/autograd/op.h>
#include <gradus/flops.h>
#include <gradus/ops.h>

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "support/paths.h"

namespace gradus {
namespace {

using nlohmann::json;

json trace() {
  std::ifstream in(test::source_path("tests/traces/einsum.json"));
  EXPECT_TRUE(in.good());
  return json::parse(in);
}

Tensor recorded(const json& entry) {
  return tensor(entry["data"].get<std::vector<double>>(), Shape(entry["shape"].get<std::vector<std::int64_t>>()),
                {.dtype = kFloat64});
}

Tensor typed(const json& entry) { return recorded(entry).to(kFloat64); }

// 0.1, 0.2, ... with changing signs: different at each place, and exact enough in every type.
Tensor counted(const Shape& sizes, Dtype dtype = kFloat64) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < sizes.numel(); ++i) values.push_back(0.1 * static_cast<double>((i * 7) % 23) - 1);
  return tensor(values, sizes, {.dtype = dtype});
}

void expect_equal(const Tensor& got, const Tensor& want, double tolerance, const std::string& what) {
  ASSERT_EQ(got.sizes(), want.sizes()) << what;
  ASSERT_EQ(got.dtype(), want.dtype()) << what;
  const auto a = got.to_vector<double>(), b = want.to_vector<double>();
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], tolerance) << what << " at " << i;
}

template <class F>
void replay(const json& entry, const std::string& what, F&& call) {
  std::vector<Tensor> inputs;
  for (const json& input : entry["inputs"]) inputs.push_back(typed(input).requires_grad_());
  const Tensor y = call(inputs);
  expect_equal(y, typed(entry["result"]), 1e-12, what);
  sum(y * typed(entry["weights"])).backward();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    ASSERT_TRUE(inputs[i].grad().defined()) << what;
    expect_equal(inputs[i].grad(), typed(entry["gradients"][i]), 1e-12, what + ", gradient " + std::to_string(i));
  }
}

template <class E, class F>
void expect_error(F&& call, const std::string& message) {
  try {
    call();
    ADD_FAILURE() << "no error: " << message;
  } catch (const E& error) {
    EXPECT_EQ(std::string(error.what()), message);
  }
}

TEST(Matmul, AllRanksAsPyTorch) {
  const json recorded_trace = trace();
  for (const json& entry : recorded_trace["matmul"]) {
    std::string what = "matmul";
    for (const json& input : entry["inputs"]) what += " " + input["shape"].dump();
    replay(entry, what, [](const std::vector<Tensor>& xs) { return matmul(xs[0], xs[1]); });
  }
}

TEST(Matmul, OperandsOfAnyStrides) {
  const Tensor a = counted({6, 10}), b = counted({10, 8});
  const Tensor want = mm(a, b);
  const auto spread = [](const Tensor& x) {  // the same numbers, every second element of a larger tensor
    Tensor large = full({2 * x.size(0), 2 * x.size(1)}, 99.0, {.dtype = x.dtype()});
    Tensor view = slice(slice(large, 0, 0, {}, 2), 1, 1, {}, 2);
    view.copy_(x);
    return view;
  };
  const auto wide = [](const Tensor& x) {  // rows with a gap between them
    Tensor large = full({x.size(0), x.size(1) + 3}, 99.0, {.dtype = x.dtype()});
    Tensor view = narrow(large, 1, 2, x.size(1));
    view.copy_(x);
    return view;
  };
  const auto turned = [](const Tensor& x) { return x.t().contiguous().t(); };
  const std::vector<Tensor> as{a, spread(a), wide(a), turned(a), wide(a.t().contiguous()).t()};
  const std::vector<Tensor> bs{b, spread(b), wide(b), turned(b), wide(b.t().contiguous()).t()};
  for (const Tensor& x : as)
    for (const Tensor& y : bs) {
      expect_equal(mm(x, y), want, 1e-13, "mm");
      expect_equal(bmm(unsqueeze(x, 0), unsqueeze(y, 0)).select(0, 0), want, 1e-13, "bmm");
      expect_equal(addmm(full({8}, 1.0, {.dtype = kFloat64}), x, y, 2, 3), want * 3.0 + 2.0, 1e-13, "addmm");
      expect_equal(linear(x, y.t()), want, 1e-13, "linear");
    }
  // Broadcast operands have strides of zero, of which no library knows.
  const Tensor row = counted({1, 10});
  expect_equal(mm(row.expand({6, 10}), b), mm(row.expand({6, 10}).contiguous(), b), 1e-13, "expanded");
  const Tensor column = counted({10, 1});
  expect_equal(mm(a, column.expand({10, 4})), mm(a, column.expand({10, 4}).contiguous()), 1e-13, "expanded");
  // A batch may be turned as well.
  const Tensor stack = counted({4, 3, 5});
  expect_equal(bmm(permute(stack, {1, 0, 2}), permute(stack, {1, 2, 0})),
               bmm(permute(stack, {1, 0, 2}).contiguous(), permute(stack, {1, 2, 0}).contiguous()), 1e-13, "turned");
}

TEST(Matmul, OtherTypes) {
  const Tensor a = tensor({{1, 2}, {3, 4}}), b = tensor({{5, -6}, {7, 8}});
  const std::vector<std::int64_t> want{19, 10, 43, 14};
  for (Dtype dtype : {kInt64, kInt32}) {
    const Tensor y = matmul(a.to(dtype), b.to(dtype));
    EXPECT_EQ(y.dtype(), dtype);
    EXPECT_EQ(y.to_vector<std::int64_t>(), want);
  }
  EXPECT_EQ(matmul(a.to(kUInt8), a.to(kUInt8).t()).to_vector<int>(), (std::vector<int>{5, 11, 11, 25}));
  EXPECT_EQ(bmm(unsqueeze(a, 0), unsqueeze(b, 0)).to_vector<std::int64_t>(), want);
  EXPECT_EQ(dot(a.select(0, 0), b.select(0, 1)).item<int>(), 23);
  EXPECT_EQ(linear(a, b.t()).to_vector<std::int64_t>(), want);

  // bfloat16: as if computed in float32 and rounded once.
  const Tensor x = counted({5, 40}, kBFloat16), w = counted({40, 3}, kBFloat16);
  expect_equal(mm(x, w), mm(x.to_float(), w.to_float()).to(kBFloat16), 0, "bfloat16");
  expect_equal(bmm(unsqueeze(x, 0), unsqueeze(w, 0)).select(0, 0), mm(x, w), 0, "bfloat16 bmm");
  expect_equal(linear(x, w.t(), counted({3}, kBFloat16)),
               linear(x.to_float(), w.to_float().t(), counted({3}, kBFloat16).to_float()).to(kBFloat16), 0, "linear");
}

TEST(Matmul, VectorsAndScalars) {
  const Tensor a = tensor({1.0, 2.0, 3.0}), b = tensor({4.0, 5.0});
  EXPECT_EQ(outer(a, b).to_vector<double>(), (std::vector<double>{4, 5, 8, 10, 12, 15}));
  EXPECT_EQ(dot(a, a).item(), 14);
  EXPECT_EQ(dot(a, a).dim(), 0);
}

TEST(Linear, AsPyTorch) {
  // Any rank of x, and a vector for a weight.
  const Tensor w = counted({3, 4}), b = counted({3});
  const Tensor rows = counted({30, 4});
  const Tensor want = mm(rows, w.t()) + b;
  for (const Shape& outer : {Shape{30}, Shape{5, 6}, Shape{2, 3, 5}}) {
    Shape in = outer, out = outer;
    in.push_back(4);
    out.push_back(3);
    expect_equal(linear(rows.view(in), w, b), want.view(out), 1e-14, "linear");
  }
  expect_equal(linear(rows.select(0, 3), w, b), want.select(0, 3), 1e-14, "of a vector");
  expect_equal(linear(rows.view({5, 6, 4}), w.select(0, 0)), mm(rows, w.t()).select(1, 0).view({5, 6}), 1e-14,
               "by a vector");
  expect_equal(linear(counted({0, 4}), w, b), zeros({0, 3}, {.dtype = kFloat64}), 0, "of nothing");
  expect_equal(linear(counted({2, 0}), counted({3, 0}), b), b.expand({2, 3}), 0, "without inputs");
}

TEST(Linear, GradientsOfAllInputs) {
  Tensor x = counted({2, 5, 4}).requires_grad_(), w = counted({3, 4}).requires_grad_(), b = counted({3});
  b.requires_grad_();
  const Tensor weights = counted({2, 5, 3});
  const Tensor fused = sum(linear(x, w, b) * weights), plain = sum((matmul(x, w.t()) + b) * weights);
  const auto got = autograd::grad({fused}, {x, w, b}), want = autograd::grad({plain}, {x, w, b});
  for (std::size_t i = 0; i < 3; ++i) expect_equal(got[i], want[i], 1e-13, "gradient " + std::to_string(i));
  // The second gradient: of the squared gradient with respect to x, which depends on w.
  const auto second = [&](const Tensor& y) {
    const Tensor gx = autograd::grad({sum(y * y)}, {x}, {}, {.create_graph = true})[0];
    return autograd::grad({sum(gx * gx)}, {w})[0];
  };
  expect_equal(second(linear(x, w, b)), second(matmul(x, w.t()) + b), 1e-11, "second gradient");
}

TEST(Linear, BilinearIsItsDefinition) {
  Tensor x1 = counted({2, 3, 4}).requires_grad_(), x2 = counted({2, 3, 5}).requires_grad_();
  Tensor w = counted({6, 4, 5}).requires_grad_(), b = counted({6}).requires_grad_();
  const Tensor got = bilinear(x1, x2, w, b), want = einsum("...i,oij,...j->...o", {x1, w, x2}) + b;
  expect_equal(got, want, 1e-13, "bilinear");
  const Tensor weights = counted({2, 3, 6});
  const auto gradients = autograd::grad({sum(got * weights)}, {x1, x2, w, b});
  const auto wanted = autograd::grad({sum(want * weights)}, {x1, x2, w, b});
  for (std::size_t i = 0; i < 4; ++i) expect_equal(gradients[i], wanted[i], 1e-13, "gradient " + std::to_string(i));
}

TEST(Addmm, ScalesAndBroadcasts) {
  const Tensor a = counted({3, 4}), b = counted({4, 2});
  for (const Shape& sizes : {Shape{3, 2}, Shape{2}, Shape{3, 1}, Shape{}}) {
    Tensor input = counted(sizes).requires_grad_(), x = a.clone().requires_grad_(), y = b.clone().requires_grad_();
    const Tensor weights = counted({3, 2});
    const Tensor got = addmm(input, x, y, 0.5, -2), want = input * 0.5 + mm(x, y) * -2.0;
    expect_equal(got, want, 1e-14, "addmm");
    const auto gradients = autograd::grad({sum(got * weights)}, {input, x, y});
    const auto wanted = autograd::grad({sum(want * weights)}, {input, x, y});
    for (std::size_t i = 0; i < 3; ++i) expect_equal(gradients[i], wanted[i], 1e-13, "gradient " + std::to_string(i));
  }
  // As in PyTorch, beta = 0 means that the input is not looked at.
  const Tensor nan = full({3, 2}, std::numeric_limits<double>::quiet_NaN(), {.dtype = kFloat64});
  expect_equal(addmm(nan, a, b, 0), mm(a, b), 1e-14, "beta 0");
}

// What is not needed for a gradient is not kept: changing it before backward is no error.
TEST(Products, KeepOnlyWhatBackwardReads) {
  const auto change = [](Tensor& x) {
    NoGrad guard;
    x.fill_(7.0);
  };
  const auto both = [&](auto&& product, const Shape& left, const Shape& right) {
    for (bool first : {true, false}) {
      Tensor a = counted(left), b = counted(right);
      (first ? a : b).requires_grad_();
      const Tensor y = product(a, b);
      change(first ? a : b);  // the gradient of a needs b only, and that of b a only
      sum(y).backward();
      const Tensor again = product(a, b);
      change(first ? b : a);
      EXPECT_THROW(sum(again).backward(), AutogradError);
    }
  };
  both([](const Tensor& a, const Tensor& b) { return mm(a, b); }, {2, 3}, {3, 4});
  both([](const Tensor& a, const Tensor& b) { return bmm(a, b); }, {5, 2, 3}, {5, 3, 4});
  both([](const Tensor& a, const Tensor& b) { return linear(a, b); }, {2, 3}, {4, 3});
  both([](const Tensor& a, const Tensor& b) { return addmm(zeros({4}, {.dtype = kFloat64}), a, b); }, {2, 3}, {3, 4});

  // With a frozen weight and input, the bias alone trains, and neither is kept.
  Tensor x = counted({2, 3}), w = counted({4, 3}), b = counted({4}).requires_grad_();
  const Tensor y = linear(x, w, b);
  change(x);
  change(w);
  sum(y).backward();
  EXPECT_EQ(b.grad().to_vector<double>(), std::vector<double>(4, 2.0));
}

TEST(Products, Flops) {
  const FlopCounter counter;
  mm(counted({2, 3}), counted({3, 4}));
  bmm(counted({5, 2, 3}), counted({5, 3, 4}));
  linear(counted({6, 2, 3}), counted({4, 3}), counted({4}));
  addmm(counted({4}), counted({2, 3}), counted({3, 4}));
  const auto& count = counter.by_operation();
  EXPECT_EQ(count.at("mm").flops, 2 * 2 * 3 * 4);
  EXPECT_EQ(count.at("bmm").flops, 5 * 2 * 2 * 3 * 4);
  EXPECT_EQ(count.at("linear").flops, 2 * 12 * 3 * 4);
  EXPECT_EQ(count.at("addmm").flops, 2 * 2 * 3 * 4);
}

TEST(Products, ErrorsNameTheRuleAndTheSizes) {
  const Tensor a = counted({64, 128}), b = counted({7, 128}), v = counted({3}), s = counted({});
  const Tensor a3 = counted({2, 3, 4}), b3 = counted({3, 4, 5});
  expect_error<ShapeError>([&] { matmul(a, b); }, "matmul: need [m, k] and [k, n], got [64, 128] and [7, 128]");
  expect_error<ShapeError>([&] { matmul(a, v); }, "matmul: need [..., k] and [k], got [64, 128] and [3]");
  expect_error<ShapeError>([&] { matmul(v, a); }, "matmul: need [k] and [..., k, n], got [3] and [64, 128]");
  expect_error<ShapeError>([&] { matmul(s, v); }, "matmul: need at least one dimension each, got [] and [3]");
  expect_error<ShapeError>([&] { matmul(a3, a3); },
                           "matmul: need [..., m, k] and [..., k, n], got [2, 3, 4] and [2, 3, 4]");
  EXPECT_THROW(matmul(a3, b3), ShapeError);  // batches of 2 and 3
  expect_error<ShapeError>([&] { mm(a, v); }, "mm: need [m, k] and [k, n], got [64, 128] and [3]");
  expect_error<ShapeError>([&] { bmm(a3, b3); }, "bmm: need [b, m, k] and [b, k, n], got [2, 3, 4] and [3, 4, 5]");
  expect_error<ShapeError>([&] { dot(v, counted({4})); }, "dot: need [k] and [k], got [3] and [4]");
  expect_error<ShapeError>([&] { outer(v, a); }, "outer: need [m] and [n], got [3] and [64, 128]");
  expect_error<ShapeError>([&] { linear(a, v); },
                           "linear: need x [..., in] and weight [out, in], got [64, 128] and [3]");
  expect_error<ShapeError>([&] { linear(a, b, v); }, "linear: need bias [7] for weight [7, 128], got [3]");
  expect_error<ShapeError>([&] { addmm(v, a, b.t()); }, "addmm: input must broadcast to [64, 7], got [3]");
  EXPECT_THROW(bilinear(a3, b3, a3), ShapeError);
  EXPECT_THROW(bilinear(a, a, counted({2, 128, 128}), v), ShapeError);
  expect_error<DtypeError>([&] { mm(a, b.t().to_float()); },
                           "mm: both operands must have the same type, got float64 and float32");
  expect_error<DtypeError>([&] { matmul(v.to(kBool), v.to(kBool)); }, "matmul: not defined for bool tensors");
  EXPECT_THROW(linear(a, b, counted({7}, kFloat32)), DtypeError);
  EXPECT_THROW(addmm(v.to(kInt64), a, b.t()), DtypeError);
}

TEST(Einsum, AsPyTorch) {
  const json recorded_trace = trace();
  for (const json& entry : recorded_trace["einsum"]) {
    const std::string equation = entry["equation"];
    replay(entry, equation, [&](const std::vector<Tensor>& xs) { return einsum(equation, xs); });
  }
}

TEST(Einsum, Integers) {
  const Tensor x = tensor({{1, 2}, {3, 4}});
  EXPECT_EQ(einsum("ii", {x}).item<int>(), 5);
  EXPECT_EQ(einsum("ij,jk->ik", {x, x}).to_vector<int>(), (std::vector<int>{7, 10, 15, 22}));
  EXPECT_EQ(einsum("ij->j", {x.to(kInt32)}).dtype(), kInt32);
}

TEST(Einsum, SecondGradients) {
  Tensor a = counted({3, 3}).requires_grad_(), b = counted({3, 4}).requires_grad_();
  const auto second = [&](const Tensor& y) {
    const Tensor ga = autograd::grad({sum(y * y)}, {a}, {}, {.create_graph = true})[0];
    return autograd::grad({sum(ga * ga)}, {a, b});
  };
  // The diagonal of a scales the rows of b.
  const Tensor mask = eye(3, {}, {.dtype = kFloat64});
  const auto got = second(einsum("ii,ij->ij", {a, b})), want = second(matmul(a * mask, b));
  for (std::size_t i = 0; i < 2; ++i) expect_equal(got[i], want[i], 1e-11, "gradient " + std::to_string(i));
}

TEST(Einsum, Errors) {
  const Tensor x = counted({3, 4}), v = counted({5});
  const auto call = [](std::string_view equation, const std::vector<Tensor>& xs) {
    return [equation, &xs] { einsum(equation, xs); };
  };
  const std::vector<Tensor> none, one{x}, two{x, x}, mixed{x, v}, types{x, x.to_float()};
  expect_error<ValueError>(call("i", none), "einsum: needs at least one operand");
  expect_error<ValueError>(call("ij,jk", one), "einsum: the equation has 2 operands, given are 1, got \"ij,jk\"");
  for (const char* equation : {"i1", "i-j", "i..j", "......", "ij->i>", "ij->->i"}) {
    EXPECT_THROW(einsum(equation, one), ValueError) << equation;
  }
  expect_error<ValueError>(call("ij->ik", one), "einsum: no operand has the result's 'k', got \"ij->ik\"");
  expect_error<ValueError>(call("ij->ii", one), "einsum: the result has 'i' more than once, got \"ij->ii\"");
  expect_error<ShapeError>(call("ijk", one), "einsum: operand 0 has 3 subscripts for sizes [3, 4], in \"ijk\"");
  expect_error<ShapeError>(call("i", one), "einsum: operand 0 has 1 subscripts for sizes [3, 4], in \"i\"");
  expect_error<ShapeError>(call("ii", one), "einsum: 'i' stands twice in one operand, with sizes 3 and 4, in \"ii\"");
  expect_error<ShapeError>(call("ij,j", mixed), "einsum: 'j' has size 4 in one operand and 5 in another, in \"ij,j\"");
  expect_error<DtypeError>(call("ij,ij", types),
                           "einsum: both operands must have the same type, got float64 and float32");
}

}  // namespace
}  // namespace gradus
