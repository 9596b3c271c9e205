#include "io/expected.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/paths.h"

namespace gradus::test {

using io::Value;
using nlohmann::json;

std::string fixture(const std::string& name) { return source_path("tests/fixtures/" + name); }

const json& expected_checkpoints() {
  static const json all = [] {
    std::ifstream file(fixture("expected.json"));
    return json::parse(file);
  }();
  return all;
}

std::string tensor_bytes(const Tensor& x) {
  const Tensor dense = x.detach().contiguous();
  return {static_cast<const char*>(dense.data_ptr()), static_cast<std::size_t>(x.numel() * x.element_size())};
}

namespace {

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

std::string hex(double x) { return hex({reinterpret_cast<const char*>(&x), sizeof x}); }

std::string tensor_difference(const Tensor& x, const json& e) {
  std::vector<std::int64_t> sizes(x.sizes().begin(), x.sizes().end());
  std::vector<std::int64_t> strides(x.strides().begin(), x.strides().end());
  if (to_string(x.dtype()) != e["dtype"]) return "dtype";
  if (e["shape"] != sizes) return "shape";
  if (e["stride"] != strides) return "stride";
  if ((x.numel() ? x.storage_offset() : 0) != e["offset"]) return "offset";
  if (x.impl()->storage->nbytes != e["storage"]) return "storage";
  if (x.requires_grad() != e["requires_grad"]) return "requires_grad";
  if (e["data"] != hex(tensor_bytes(x))) return "data";
  return "";
}

}  // namespace

std::string difference(const Value& value, const json& expected, const std::string& place) {
  const std::string kind = expected[0];
  const json& content = expected[1];
  const auto differs = [&](bool same) {
    return same ? "" : place + ": " + value.to_string() + " is not " + expected.dump();
  };
  using Kind = Value::Kind;
  if (kind == "NoneType") return differs(value.is_none());
  if (kind == "bool") return differs(value.is(Kind::Bool) && value.as_bool() == content);
  if (kind == "int") return differs(value.is(Kind::Int) && value.as_int() == content);
  if (kind == "float") return differs(value.is(Kind::Double) && content == hex(value.as_double()));
  if (kind == "str") return differs(value.is(Kind::String) && content == value.as_string());
  if (kind == "bytes") return differs(value.is(Kind::Bytes) && content == hex(value.as_bytes()));
  if (kind == "tensor") {
    if (!value.is(Kind::Tensor)) return differs(false);
    const std::string what = tensor_difference(value.as_tensor(), content);
    return what.empty() ? "" : place + ": " + what + ": " + value.to_string() + " is not " + content.dump();
  }
  if (kind == "list" || kind == "tuple") {
    if (!value.is(kind == "list" ? Kind::List : Kind::Tuple) || value.size() != content.size()) return differs(false);
    for (std::size_t i = 0; i < content.size(); ++i) {
      if (auto d = difference(value.at({i}), content[i], fmt::format("{}[{}]", place, i)); !d.empty()) return d;
    }
    return "";
  }
  if (kind != "dict" || !value.is(Kind::Dict) || value.size() != content.size()) return differs(false);
  std::size_t i = 0;
  for (const auto& [key, item] : value.entries()) {
    const json& wanted = content[i][0];
    const bool same =
        wanted.is_number() ? key.is_int() && key.as_int() == wanted : !key.is_int() && wanted == key.text();
    if (!same) return place + ": the key " + key.to_string() + " is not " + wanted.dump();
    if (auto d = difference(item, content[i][1], place + "." + key.to_string()); !d.empty()) return d;
    ++i;
  }
  return "";
}

std::string difference(const Value& a, const Value& b, const std::string& place) {
  using Kind = Value::Kind;
  const std::string differ = place + ": " + a.to_string() + " is not " + b.to_string();
  if (a.kind() != b.kind()) return differ;
  switch (a.kind()) {
    case Kind::Tensor: {
      const Tensor x = a.as_tensor(), y = b.as_tensor();
      const bool same = x.dtype() == y.dtype() && x.sizes() == y.sizes() && tensor_bytes(x) == tensor_bytes(y);
      return same ? "" : differ;
    }
    case Kind::Double:
      return hex(a.as_double()) == hex(b.as_double()) ? "" : differ;
    case Kind::List:
    case Kind::Tuple:
      if (a.size() != b.size()) return differ;
      for (std::size_t i = 0; i < a.size(); ++i)
        if (auto d = difference(a.at({i}), b.at({i}), fmt::format("{}[{}]", place, i)); !d.empty()) return d;
      return "";
    case Kind::Dict: {
      if (a.size() != b.size()) return differ;
      const auto others = b.entries();
      const auto* other = others.begin();
      for (const auto& [key, value] : a.entries()) {
        if (!(key == other->first)) return differ;
        if (auto d = difference(value, other->second, place + "." + key.to_string()); !d.empty()) return d;
        ++other;
      }
      return "";
    }
    default:
      return a.to_string() == b.to_string() ? "" : differ;
  }
}

}  // namespace gradus::test
