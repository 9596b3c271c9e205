#include "optim/engine/option_value.h"

namespace gradus::optim {

using io::Path;
using io::Value;

Path joined(Path path, std::initializer_list<io::Key> more) {
  path.insert(path.end(), more);
  return path;
}

void refuse(const char* call, const Path& path, const std::string& what) {
  throw ValueError(std::string(call) + ": " + io::to_string(path) + ": " + what);
}

Value to_value(const OptionValue& option) {
  struct Convert {
    Value operator()(std::monostate) const { return {}; }
    Value operator()(bool x) const { return x; }
    Value operator()(std::int64_t x) const { return x; }
    Value operator()(double x) const { return x; }
    Value operator()(const std::pair<double, double>& x) const { return Value::tuple({x.first, x.second}); }
    Value operator()(const std::string& x) const { return x; }
    Value operator()(const NumberTuple& x) const {
      std::vector<Value> items;
      for (const auto& number : x) items.push_back(number ? Value(*number) : Value());
      return Value::tuple(std::move(items));
    }
  };
  return std::visit(Convert{}, option);
}

double number_at(const char* call, const Value& saved, const Path& path) {
  const Value value = saved.at(path);
  if (!value.is(Value::Kind::Tensor)) return saved.as_double(path);
  const Tensor tensor = value.as_tensor();
  if (tensor.numel() != 1) refuse(call, path, "need a number, got a tensor of " + gradus::to_string(tensor.sizes()));
  return tensor.item<double>();
}

OptionValue option_at(const char* call, const Value& saved, const Path& path) {
  const Value value = saved.at(path);
  switch (value.kind()) {
    case Value::Kind::None:
      return std::monostate();
    case Value::Kind::Bool:
      return value.as_bool();
    case Value::Kind::Int:
      return value.as_int();
    case Value::Kind::Double:
    case Value::Kind::Tensor:
      return number_at(call, saved, path);
    case Value::Kind::String:
      return value.as_string();
    case Value::Kind::List:
    case Value::Kind::Tuple: {
      NumberTuple numbers;
      for (std::size_t i = 0; i < value.size(); ++i) {
        const Path at = joined(path, {i});
        numbers.push_back(saved.at(at).is_none() ? std::nullopt : std::optional(number_at(call, saved, at)));
      }
      const bool pair = numbers.size() == 2 && numbers[0] && numbers[1];
      if (pair) return std::pair(*numbers[0], *numbers[1]);
      return numbers;
    }
    default:
      refuse(call, path, "an option cannot be a dict or bytes");
  }
}

}  // namespace gradus::optim
