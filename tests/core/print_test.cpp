// Tensors as text, against what PyTorch prints.
#include <gradus/autograd.h>
#include <gradus/ops.h>

#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "support/paths.h"

namespace gradus {
namespace {

using nlohmann::json;

double number_of(const json& j) {
  if (!j.is_string()) return j.get<double>();
  const std::string s = j.get<std::string>();
  if (s == "nan") return std::numeric_limits<double>::quiet_NaN();
  return s == "inf" ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity();
}

Dtype dtype_of(const std::string& name) {
  for (const Dtype d : {kBool, kUInt8, kInt32, kInt64, kBFloat16, kFloat32, kFloat64})
    if (to_string(d) == name) return d;
  throw ValueError("no type " + name);
}

Tensor tensor_of(const json& c) {
  const Shape sizes(c["shape"].get<std::vector<std::int64_t>>());
  std::vector<double> data;
  if (c.contains("data")) {
    for (const json& j : c["data"]) data.push_back(number_of(j));
  } else {
    for (std::int64_t i = 0; i < sizes.numel(); ++i)
      data.push_back(static_cast<double>(i) * c["step"].get<double>() + c["start"].get<double>());
  }
  return tensor(data, sizes, {.dtype = dtype_of(c["dtype"]), .requires_grad = c["requires_grad"]});
}

TEST(Print, AsPyTorch) {
  std::ifstream in(test::source_path("tests/traces/print.json"));
  const json trace = json::parse(in);
  for (const json& c : trace["cases"]) EXPECT_EQ(tensor_of(c).to_string(), c["text"].get<std::string>());
  EXPECT_GT(trace["cases"].size(), 50u);
}

TEST(Print, NamesTheOperation) {
  const Tensor x = tensor({1.0, 2.0}).requires_grad_();
  EXPECT_EQ((x + x).to_string(), "tensor([2., 4.], grad_fn=<add>)");
  EXPECT_EQ((x + x).detach().to_string(), "tensor([2., 4.])");
}

TEST(Print, FollowsStrides) {
  const Tensor x = tensor<std::int64_t>({{1, 2}, {3, 4}});
  EXPECT_EQ(x.t().to_string(), "tensor([[1, 3],\n        [2, 4]])");
  EXPECT_EQ(x.select(0, 0).expand({2, 2}).to_string(), "tensor([[1, 2],\n        [1, 2]])");
}

TEST(Print, Streams) {
  std::ostringstream out;
  out << tensor({0.5}) << ' ' << Tensor();
  EXPECT_EQ(out.str(), "tensor([0.5000]) tensor(undefined)");
}

}  // namespace
}  // namespace gradus
