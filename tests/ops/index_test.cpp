// x[...] for reading and for assignment, against what PyTorch does.
#include <gradus/autograd.h>
#include <gradus/ops.h>

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "support/message.h"
#include "support/paths.h"

namespace gradus {
namespace {

using test::message_of;

using nlohmann::json;

const json& trace() {
  static const json document = [] {
    std::ifstream in(test::source_path("tests/traces/indexing.json"));
    return json::parse(in);
  }();
  return document;
}

Shape sizes_of(const json& j) { return Shape(j.get<std::vector<std::int64_t>>()); }

std::optional<std::int64_t> bound(const json& j) {
  return j.is_null() ? std::optional<std::int64_t>{} : j.get<std::int64_t>();
}

Tensor tensor_of(const json& j) {
  std::vector<double> data;
  for (const json& value : j["data"]) data.push_back(value.is_boolean() ? value.get<bool>() : value.get<double>());
  const std::string type = j.value("dtype", "float64");
  const Dtype dtype = type == "bool" ? kBool : type == "int64" ? kInt64 : type == "int32" ? kInt32 : kFloat64;
  return tensor(data, sizes_of(j["shape"]), {.dtype = dtype});
}

std::vector<Index> index_of(const json& list) {
  std::vector<Index> indices;
  for (const json& j : list) {
    if (j.is_null()) {
      indices.emplace_back(None);
    } else if (j.is_string()) {
      indices.emplace_back(Ellipsis);
    } else if (j.is_number()) {
      indices.emplace_back(j.get<std::int64_t>());
    } else if (j.contains("slice")) {
      const json& s = j["slice"];
      indices.emplace_back(Slice{bound(s[0]), bound(s[1]), bound(s[2]).value_or(1)});
    } else {
      indices.emplace_back(tensor_of(j["tensor"]));
    }
  }
  return indices;
}

Tensor count(const Shape& sizes, double start = 0, double step = 1) {
  std::vector<double> v(static_cast<std::size_t>(sizes.numel()));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = start + step * static_cast<double>(i);
  return tensor(v, sizes, {.dtype = kFloat64});
}

// The same numbers with the dimensions lying in memory in reverse order, or every other element of a larger block.
std::vector<Tensor> layouts(const Shape& sizes) {
  const Tensor x = count(sizes);
  Shape reversed;
  for (int d = sizes.rank() - 1; d >= 0; --d) reversed.push_back(d);
  std::vector<Tensor> all{x, x.permute(reversed).clone().permute(reversed)};
  if (sizes.rank() > 0) {
    Shape wide = sizes;
    wide[sizes.rank() - 1] *= 2;
    Tensor gap = slice(zeros(wide, {.dtype = kFloat64}), -1, {}, {}, 2);
    gap.copy_(x);
    all.push_back(gap);
  }
  return all;
}

std::vector<double> values(const Tensor& x) { return x.to_vector<double>(); }
std::vector<double> values(const json& j) { return j.get<std::vector<double>>(); }

TEST(Index, ReadsAsPyTorch) {
  for (const json& c : trace()["cases"]) {
    SCOPED_TRACE(c["x"].dump() + c["index"].dump());
    for (const Tensor& x : layouts(sizes_of(c["x"]))) {
      const Tensor y = index(x, index_of(c["index"]));
      EXPECT_EQ(y.sizes(), sizes_of(c["read"]["shape"]));
      EXPECT_EQ(values(y), values(c["read"]["data"]));
    }
  }
}

TEST(Index, GradientsOfReadingAsPyTorch) {
  for (const json& c : trace()["cases"]) {
    SCOPED_TRACE(c["x"].dump() + c["index"].dump());
    const Tensor x = count(sizes_of(c["x"])).requires_grad_();
    const Tensor y = index(x, index_of(c["index"]));
    const Tensor weights = count(y.sizes(), 1).requires_grad_();
    const Tensor grad = autograd::grad({y}, {x}, {weights}, {.create_graph = true})[0];
    EXPECT_EQ(values(grad), values(c["grad"]));
    // The gradient is linear in the weights, and reads back from what it is weighted with.
    if (grad.requires_grad()) {
      const Tensor second = autograd::grad({grad}, {weights}, {count(grad.sizes())})[0];
      EXPECT_EQ(values(second), values(c["read"]["data"]));
    }
  }
}

TEST(Index, AccumulatesAsPyTorch) {
  for (const json& c : trace()["cases"]) {
    SCOPED_TRACE(c["x"].dump() + c["index"].dump());
    const Shape sizes = sizes_of(c["read"]["shape"]);
    for (Tensor x : layouts(sizes_of(c["x"]))) {
      x.index_put_(index_of(c["index"]), count(sizes, 1), true);
      EXPECT_EQ(values(x), values(c["added"]));
    }
    const Tensor leaf = count(sizes_of(c["x"])).requires_grad_();
    Tensor x = leaf.clone();
    const Tensor added = count(sizes, 1).requires_grad_();
    x.index_put_(index_of(c["index"]), added, true);
    EXPECT_EQ(values(x), values(c["added"]));
    const auto grads = autograd::grad({x}, {leaf, added}, {count(x.sizes())}, {.allow_unused = true});
    EXPECT_EQ(values(grads[0]), values(count(x.sizes())));
    EXPECT_EQ(values(grads[1]), values(c["read"]["data"]));
  }
}

TEST(Index, WritesAsPyTorch) {
  int written = 0;
  for (const json& c : trace()["cases"]) {
    if (!c.contains("written")) continue;
    SCOPED_TRACE(c["x"].dump() + c["index"].dump());
    ++written;
    const Shape sizes = sizes_of(c["read"]["shape"]);
    const std::vector<Index> where = index_of(c["index"]);
    for (Tensor x : layouts(sizes_of(c["x"]))) {
      x.index_put_(where, count(sizes, -1, -1));
      EXPECT_EQ(values(x), values(c["written"]));
    }
    const Tensor leaf = count(sizes_of(c["x"])).requires_grad_(), put = count(sizes, -1, -1).requires_grad_();
    Tensor x = leaf.clone();
    x.index_put_(where, put);
    EXPECT_EQ(values(x), values(c["written"]));
    const Tensor down = count(x.sizes(), 1).requires_grad_();
    auto grads = autograd::grad({x}, {leaf, put}, {down}, {.create_graph = true, .allow_unused = true});
    if (!grads[0].defined()) grads[0] = zeros_like(x);  // all of x was replaced
    EXPECT_EQ(values(grads[0]), values(c["written_grad_x"]));
    EXPECT_EQ(values(grads[1]), values(c["written_grad_values"]));
    // Both gradients are parts of `down`, each element going to one of them.
    const Tensor second = autograd::grad({sum(grads[0]) + sum(grads[1])}, {down})[0];
    EXPECT_EQ(values(second), std::vector<double>(static_cast<std::size_t>(x.numel()), 1.0));
  }
  EXPECT_GT(written, 35);
}

TEST(Index, RefusesWhatPyTorchRefuses) {
  for (const json& c : trace()["errors"]) {
    SCOPED_TRACE(c["x"].dump() + c["index"].dump());
    Tensor x = count(sizes_of(c["x"]));
    const std::vector<double> before = values(x);
    EXPECT_THROW(index(x, index_of(c["index"])), Error);
    EXPECT_THROW(x.index_put_(index_of(c["index"]), tensor(1.0)), Error);
    EXPECT_EQ(values(x), before);
  }
}

TEST(Index, ErrorsNameTheEntry) {
  const Tensor x = count({4, 3});
  EXPECT_EQ(message_of([&] {
              x[{Slice{}, tensor<std::int64_t>({{0, 1}, {3, 0}})}];
            }),
            "index: index must be in [-3, 3), got 3 at position [1, 0]");
  EXPECT_EQ(message_of([&] { x[tensor({0.5})]; }),
            "index: index tensors must be int64, int32, bool or uint8, got float32");
  EXPECT_EQ(message_of([&] {
              x[tensor({true, false})];
            }),
            "index: a mask must have the sizes of the dimensions it stands for, got [2] from dimension 0 of [4, 3]");
  EXPECT_EQ(message_of([&] {
              Tensor(x).index_put_({tensor({0, 1})}, count({2, 2}));
            }),
            "index_put_: values of sizes [2, 2] do not fit a place of sizes [2, 3]");
}

TEST(Index, BytesAreMasks) {
  const Tensor x = count({5, 3}), bytes = tensor({1, 0, 2, 255, 0}, {.dtype = kUInt8}), mask = bytes.to(kBool);
  EXPECT_TRUE(equal(x[bytes], x[mask]));
  const Tensor all = tensor({{1, 0, 1}}, {.dtype = kUInt8}).expand({5, 3});
  EXPECT_TRUE(equal(x[all], x[all.to(kBool)]));
  EXPECT_EQ((x[{Slice{}, tensor({0, 1, 1}, {.dtype = kUInt8})}].sizes()), (Shape{5, 2}));
  EXPECT_EQ(x[tensor(1, {.dtype = kUInt8})].sizes(), (Shape{1, 5, 3}));
  EXPECT_EQ(x[tensor(0, {.dtype = kUInt8})].sizes(), (Shape{0, 5, 3}));
  Tensor y = x.clone();
  y[bytes] = -1;
  y.index_put_({bytes}, tensor(1), true);
  EXPECT_TRUE(equal(y[mask], zeros_like(x[mask])));
  EXPECT_TRUE(equal(y[1], x[1]));
  EXPECT_THROW(x[ones({4}, {.dtype = kUInt8})], IndexError);
}

TEST(Index, BracketsReadAndWrite) {
  Tensor x = count({2, 3});
  EXPECT_EQ(x[1][2].item(), 5);
  EXPECT_EQ((x[{1, -1}].item()), 5);
  x[0] = 7;
  EXPECT_EQ(values(x), (std::vector<double>{7, 7, 7, 3, 4, 5}));
  x[{Ellipsis, Slice{0, 2}}] = x[{Ellipsis, Slice{1, 3}}];  // one place read while it is written
  EXPECT_EQ(values(x), (std::vector<double>{7, 7, 7, 4, 5, 5}));
  x[x > 5] = tensor(0.5);
  EXPECT_EQ(values(x), (std::vector<double>{0.5, 0.5, 0.5, 4, 5, 5}));
  const auto row = x[1];  // a name: an ordinary view
  EXPECT_TRUE(row.is_view());
  auto named = x[0];
  named = row;
  EXPECT_EQ(values(x), (std::vector<double>{0.5, 0.5, 0.5, 4, 5, 5}));
}

TEST(Index, UpdatesInPlace) {
  Tensor x = zeros({2, 3});
  x[1] += 1;
  x[{Slice{}, tensor({2, 0})}] += tensor({10.0, 20.0});
  EXPECT_EQ(values(x), (std::vector<double>{20, 0, 10, 21, 1, 11}));
  x[x > 15] *= 2;
  EXPECT_EQ(values(x), (std::vector<double>{40, 0, 10, 42, 1, 11}));
  // As in Python, a place named twice is read once, changed, and written: only accumulate adds up.
  x[tensor({0, 0})] -= 1;
  EXPECT_EQ(values(x[0]), (std::vector<double>{39, -1, 9}));
  auto row = x[0];
  row += 1;
  EXPECT_EQ(values(x[0]), (std::vector<double>{40, 0, 10}));
}

TEST(Index, ConvertsAndBroadcastsValues) {
  Tensor x = zeros({3, 2}, {.dtype = kInt64});
  x[tensor({2, 0})] = tensor({5.0, 6.0});
  EXPECT_EQ(x.to_vector<std::int64_t>(), (std::vector<std::int64_t>{5, 6, 0, 0, 5, 6}));
  x[tensor({1})] = count({1, 1, 1, 2});  // leading ones are dropped
  EXPECT_EQ(x.to_vector<std::int64_t>(), (std::vector<std::int64_t>{5, 6, 0, 1, 5, 6}));
  Tensor half = zeros({2}, {.dtype = kBFloat16});
  half.index_put_({tensor({1, 1, 1})}, tensor({1.0, 1.0, 0.5}), true);
  EXPECT_EQ(half.to_vector<float>(), (std::vector<float>{0, 2.5}));
}

TEST(Index, RulesOfChangingInPlaceHold) {
  Tensor leaf = count({3}).requires_grad_();
  const Tensor at = tensor({0});
  EXPECT_THROW(leaf.index_put_({at}, tensor(1.0)), AutogradError);
  EXPECT_THROW(leaf[0] = 1, AutogradError);
  EXPECT_EQ(values(leaf), values(count({3})));
  {
    NoGrad guard;
    leaf.index_put_({at}, tensor(9.0));
  }
  EXPECT_EQ(leaf[0].item(), 9);
  Tensor expanded = count({1}).expand({3});
  EXPECT_THROW(expanded.index_put_({at}, tensor(1.0)), ValueError);

  const Tensor x = count({3}).requires_grad_();
  Tensor kept = x * 2;
  const Tensor squares = kept * kept;
  kept.index_put_({at}, tensor(1.0));
  EXPECT_THROW(squares.backward(ones_like(squares)), AutogradError);

  Tensor positions = tensor<std::int64_t>({0, 1});
  const Tensor read = x[positions];
  positions.fill_(2);
  EXPECT_THROW(read.backward(ones_like(read)), AutogradError);
}

TEST(Index, WritesThroughAViewIntoItsBase) {
  const Tensor x = count({2, 3}).requires_grad_();
  Tensor y = x * 1;
  Tensor row = y[1];
  const Tensor v = tensor({-1.0, -2.0}, {.dtype = kFloat64, .requires_grad = true});
  row.index_put_({tensor({2, 0})}, v);
  EXPECT_EQ(values(y), (std::vector<double>{0, 1, 2, -2, 4, -1}));
  y.backward(count({2, 3}, 1));
  EXPECT_EQ(values(x.grad()), (std::vector<double>{1, 2, 3, 0, 5, 0}));
  EXPECT_EQ(values(v.grad()), (std::vector<double>{6, 4}));
}

TEST(Index, NoneIsAnOpenEndOfASlice) {
  const Tensor x = arange(24).view({4, 6});
  EXPECT_TRUE(equal(x[{Slice(0, None, 2)}], x.index_select(0, tensor({0, 2}))));
  EXPECT_TRUE(equal(x[{Slice(), Slice(None, 3)}], x.narrow(1, 0, 3)));
  EXPECT_TRUE(equal(x[{None, Slice(1, None)}], x.narrow(0, 1, 3).unsqueeze(0)));
  const Tensor y = x.clone();
  y.index_put_({Slice(), Slice(None, None, 2)}, 7);
  EXPECT_TRUE(equal(y.index_select(1, tensor({0, 2, 4})), full({4, 3}, 7)));
}

}  // namespace
}  // namespace gradus
