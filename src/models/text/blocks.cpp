#include "models/text/blocks.h"

#include <gradus/autograd.h>
#include <gradus/nn/init.h>

#include <array>

#include "core/range.h"

namespace gradus::models {

namespace {

struct Named {
  const char* name;
  Activation function;
};
constexpr std::array<Named, 8> kActivations{{
    {"gelu", [](const Tensor& x) { return gelu(x); }},
    {"gelu_new", [](const Tensor& x) { return gelu(x, "tanh"); }},
    {"gelu_fast", [](const Tensor& x) { return gelu(x, "tanh"); }},
    {"gelu_pytorch_tanh", [](const Tensor& x) { return gelu(x, "tanh"); }},
    {"relu", [](const Tensor& x) { return relu(x); }},
    {"silu", [](const Tensor& x) { return silu(x); }},
    {"swish", [](const Tensor& x) { return silu(x); }},
    {"tanh", [](const Tensor& x) { return tanh(x); }},
}};

}  // namespace

Activation find_activation(const std::string& name) {
  for (const Named& known : kActivations)
    if (name == known.name) return known.function;
  return nullptr;
}

std::string activations() {
  std::string names;
  for (const Named& known : kActivations) names.append(names.empty() ? "" : ", ").append(known.name);
  return names;
}

Activation activation(const char* model, const std::string& name) {
  if (const Activation found = find_activation(name)) return found;
  throw ValueError(std::string(model) + ": the activation must be one of " + activations() + ", got '" + name + "'");
}

void check_sizes(const char* model, Sizes sizes) {
  for (const auto& [name, size] : sizes) check_range(model, name, size, at_least(1));
}

void check_divides(const char* model, std::pair<const char*, std::int64_t> part,
                   std::pair<const char*, std::int64_t> whole) {
  if (whole.second % part.second != 0)
    throw ValueError(std::string(model) + ": " + whole.first + " must be a multiple of " + part.first + ", got " +
                     std::to_string(whole.second) + " and " + std::to_string(part.second));
}

void check_probability(const char* model, const char* name, double p) {
  if (!(p >= 0 && p <= 1))
    throw ValueError(std::string(model) + ": " + name + " must be in [0, 1], got " + to_string(p));
}

nn::Parameter normal_parameter(const Shape& sizes, double std) {
  Tensor x = empty(sizes);
  return nn::Parameter(nn::init::normal_(x, 0, std));
}

nn::Linear normal_linear(std::int64_t in, std::int64_t out, bool bias, double std) {
  nn::Linear layer(in, out, {.bias = bias});
  nn::init::normal_(layer.weight, 0, std);
  if (bias) nn::init::zeros_(layer.bias);
  return layer;
}

nn::Embedding normal_embedding(std::int64_t count, std::int64_t size, double std, const nn::EmbeddingOptions& o) {
  nn::Embedding layer(count, size, o);
  nn::init::normal_(layer.weight, 0, std);
  if (o.padding_idx) {
    NoGrad guard;
    select(layer.weight, 0, *o.padding_idx).zero_();
  }
  return layer;
}

Tensor split_heads(const Tensor& x, std::int64_t heads) {
  return transpose(reshape(x, {x.size(0), x.size(1), heads, x.size(2) / heads}), 1, 2);
}

Tensor join_heads(const Tensor& x) {
  return reshape(transpose(x, 1, 2), {x.size(0), x.size(2), x.size(1) * x.size(3)});
}

}  // namespace gradus::models
