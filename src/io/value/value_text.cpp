// How values, keys and paths are printed.
#include <fmt/format.h>

#include "io/value/value_boxes.h"
#include "text/python.h"

namespace gradus::io {

namespace {

std::string key_text(const Key& key) { return key.is_string() ? detail::quoted(key.text()) : key.to_string(); }

}  // namespace

namespace detail {
std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') {
      out.append({'\\', c});
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + "'";
}

}  // namespace detail

std::string to_string(const Path& path) {
  std::string out;
  for (const Key& key : path) {
    if (!key.is_string()) {
      out += fmt::format("[{}]", key.to_string());
    } else {
      out.append(out.empty() ? "" : ".").append(key.text());
    }
  }
  return out;
}

std::string Value::to_string() const {
  switch (kind()) {
    case Kind::None:
      return "None";
    case Kind::Bool:
      return python_text(as_bool());
    case Kind::Int:
      return std::to_string(as_int());
    case Kind::Double:
      return python_text(as_double());
    case Kind::String:
      return detail::quoted(as_string());
    case Kind::Bytes:
      return fmt::format("b{}", detail::quoted(as_bytes()));
    case Kind::Tensor: {
      const Tensor x = as_tensor();
      return fmt::format("tensor({}, {})", gradus::to_string(x.sizes()), gradus::to_string(x.dtype()));
    }
    case Kind::List:
    case Kind::Tuple: {
      std::string out;
      for (const Value& item : items()) out.append(out.empty() ? "" : ", ").append(item.to_string());
      if (is(Kind::Tuple)) return fmt::format("({}{})", out, size() == 1 ? "," : "");
      return fmt::format("[{}]", out);
    }
    case Kind::Dict: {
      std::string out;
      for (const auto& [key, value] : entries()) {
        out.append(out.empty() ? "" : ", ").append(key_text(key));
        out.append(": ").append(value.to_string());
      }
      return fmt::format("{{{}}}", out);
    }
    case Kind::Object:
      return content().is_none() ? fmt::format("<{}>", type_name())
                                 : fmt::format("<{} {}>", type_name(), content().to_string());
  }
  return "";
}

}  // namespace gradus::io
