// Reading a pickle: its names, calls and what they build.
#include "io/pickle/unpickler.h"

namespace gradus::io {

namespace {

// The names that modules had before, and that most files have.
std::string usual_name(std::string name) {
  constexpr std::pair<std::string_view, std::string_view> kRenamed[] = {
      {"__builtin__.", "builtins."}, {"copy_reg.", "copyreg."}, {"numpy._core.", "numpy.core."}};
  for (const auto& [from, to] : kRenamed)
    if (name.starts_with(from)) return name.replace(0, from.size(), to);
  return name;
}

}  // namespace

std::string full_name(std::string_view module, std::string_view name) {
  std::string full = fmt::format("{}.{}", module.substr(0, 100), name.substr(0, 100));
  for (char& c : full)
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) c = '?';
  return usual_name(std::move(full));
}

void Unpickler::global(std::string_view module, std::string_view name) {
  const std::string full = full_name(module, name);
  context_.charge_text(full.size() + sizeof(detail::Opaque) + 32);
  const bool type = torch_storage(full) != nullptr || torch_type(full) != nullptr ||
                    (full.starts_with("torch.") && full.ends_with("Tensor") && full != "torch._tensor.Tensor");
  push(type ? Value(full) : global_value(full));
}

void Unpickler::persistent(const Value& id) {
  if (host_ == nullptr) fail("refers to a storage where that is not allowed");
  const std::uint64_t used = source_.budget().used();
  auto found = host_->persistent(id);
  kept_by_host_ += source_.budget().used() - used;
  if (auto* value = std::get_if<Value>(&found)) return push(std::move(*value));
  source_.budget().charge(sizeof(StorageBox) + 32);
  push(detail::Access::value(make_ref<StorageBox>(std::get<PickledStorage>(std::move(found)))));
}

// Attributes of dicts (a state dict's _metadata: versions of modules), lists and finished values are left out.
void Unpickler::build() {
  Value state = take();
  Item& item = top();
  if (!item.building && item.value.is(Value::Kind::Tensor)) remark_attributes(context_, item.value.as_tensor(), state);
  if (!item.building || item.building->kind != Building::Kind::Object) return;
  filling().state = std::move(state);
}

std::string Unpickler::name_of(const Value& callee) {
  if (const std::string_view name = global_name(callee); !name.empty()) return std::string(name);
  if (callee.is(Value::Kind::Object)) return callee.type_name().substr(0, 200) + "()";
  // Names of PyTorch's types stand as texts.
  if (callee.is(Value::Kind::String) && callee.size() <= 200 && callee.as_string().starts_with("torch.")) {
    return callee.as_string();
  }
  fail("calls something that is not a function");
}

void Unpickler::push_object(std::string_view type, Value args, Value state) {
  push_building(Building::Kind::Object, type);
  Building& object = *top().building;
  object.args = std::move(args);
  object.state = std::move(state);
}

// NEWOBJ and REDUCE differ in what Python executes; here nothing is.
void Unpickler::call(const Value& callee, const Value& args) {
  const std::string name = name_of(callee);
  if (!args.is(Value::Kind::Tuple)) fail("calls a function without a tuple of arguments");
  const auto items = args.items();
  if (call_container(name, args)) return;
  if (auto value = call_known(context_, name, items)) return push(std::move(*value));
  const bool has_class = items.size() > 0 && !global_name(items[0]).empty();
  if (name == "copyreg._reconstructor" && has_class && items.size() == 3) {
    return push_object(global_name(items[0]), {}, items[2]);
  }
  if (name == "copyreg.__newobj__" && has_class && global_name(items[0]) != name) {
    return call(items[0], Value::tuple(std::vector<Value>(items.begin() + 1, items.end())));
  }
  // How old protocols name what is within a class.
  if (name == "builtins.getattr" && has_class && items.size() == 2 && items[1].is(Value::Kind::String)) {
    return global(global_name(items[0]), items[1].as_string());
  }
  push_object(name, args);
}

// Containers, which are filled afterwards.
bool Unpickler::call_container(std::string_view name, const Value& args) {
  const auto items = args.items();
  const bool is_set = name == "builtins.set" || name == "builtins.frozenset";
  if (is_set || name == "collections.deque") {
    push_building(is_set ? Building::Kind::Set : Building::Kind::List, name);
    if (items.size() > 0 && (items[0].is(Value::Kind::List) || items[0].is(Value::Kind::Tuple))) {
      for (const Value& item : items[0].items()) append(*top().building, item);
    }
    return true;
  }
  const bool default_dict = name == "collections.defaultdict";
  if (!default_dict && name != "collections.OrderedDict" && name != "collections.Counter") return false;
  push_building(Building::Kind::Dict);
  if (items.size() <= default_dict) return true;
  const Value& from = items[default_dict];
  Building& building = *top().building;
  if (from.is(Value::Kind::Dict)) {
    for (const auto& [key, value] : from.entries()) set(building, key.value(), value);
  } else if (from.is(Value::Kind::List)) {
    for (const Value& pair : from.items()) {
      const bool is_pair = (pair.is(Value::Kind::List) || pair.is(Value::Kind::Tuple)) && pair.size() == 2;
      if (!is_pair) fail("makes a dict of something that is neither pairs nor a dict");
      set(building, pair.at({0}), pair.at({1}));
    }
  } else {
    fail("makes a dict of something that is neither pairs nor a dict");
  }
  return true;
}

Value read_pickle(Source& source, Cursor& at, PickleHost* host) {
  Sharing sharing;
  const std::size_t start = at.position();
  const auto read = [&](Sharing::Pass pass) -> std::optional<Value> {
    sharing.pass = pass;
    at.seek(start);
    const std::uint64_t used = source.budget().used();
    const std::size_t attributes = source.remarks().attributes.size();
    Unpickler unpickler(source, at, host, sharing);
    try {
      Value value = unpickler.run();
      if (pass != Sharing::Pass::Count) return value;
    } catch (const WithinItself&) {
    }
    auto& remarked = source.remarks().attributes;
    remarked.erase(remarked.begin() + static_cast<std::ptrdiff_t>(attributes), remarked.end());
    source.budget().refund(source.budget().used() - used - unpickler.kept_by_host());
    return std::nullopt;
  };
  try {
    if (auto value = read(Sharing::Pass::Assume)) return *value;
    read(Sharing::Pass::Count);
    return *read(Sharing::Pass::Know);
  } catch (const ValueError& e) {
    at.fail(e.what());
  }
}

}  // namespace gradus::io
