#include "io/pickle/pickle.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <optional>
#include <utility>

#include "io/pickle/pickle_building.h"
#include "io/pickle/pickle_text.h"
#include "io/value/utf8.h"

namespace gradus::io {

namespace {

struct Item {
  Value value;
  Ref<Building> building;  // null where `value` is meant
};

// The names that modules had before, and that most files have.
std::string usual_name(std::string name) {
  constexpr std::pair<std::string_view, std::string_view> kRenamed[] = {
      {"__builtin__.", "builtins."}, {"copy_reg.", "copyreg."}, {"numpy._core.", "numpy.core."}};
  for (const auto& [from, to] : kRenamed)
    if (name.starts_with(from)) return name.replace(0, from.size(), to);
  return name;
}

// Printable, and short enough to show.
std::string full_name(std::string_view module, std::string_view name) {
  std::string full = fmt::format("{}.{}", module.substr(0, 100), name.substr(0, 100));
  for (char& c : full)
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) c = '?';
  return usual_name(std::move(full));
}

// What was taken for complete was filled later.
struct WithinItself {};

class Unpickler {
 public:
  Unpickler(Source& source, Cursor& at, PickleHost* host, Sharing& sharing)
      : source_(source), at_(at), host_(host), sharing_(sharing) {}

  Value run() {
    const std::size_t start = at_.position();
    while (step()) {
    }
    if (stack_.size() != 1) fail("ends with other than one object");
    Value result = take(pop());
    // An object that stands in many places costs nothing here, but everyone who walks the tree.
    if (result.count() > 4'000'000 + 16 * static_cast<std::uint64_t>(at_.position() - start)) {
      fail("repeats its objects too often");
    }
    return result;
  }

  // What the host took of the budget for storages, which it keeps.
  std::uint64_t kept_by_host() const { return kept_by_host_; }

 private:
  [[noreturn]] void fail(std::string_view what) const { at_.fail(what); }

  // --- the stack ---
  void push(Value value) { push(Item{std::move(value), {}}); }
  void push(Item item) {
    source_.budget().grow(stack_);
    stack_.push_back(std::move(item));
  }
  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  Item& top() {
    if (stack_.size() <= floor()) fail(fmt::format("takes from an empty stack before byte {}", at_.position()));
    return stack_.back();
  }
  Item pop() {
    Item item = std::move(top());
    stack_.pop_back();
    return item;
  }
  std::vector<Item> pop_to_mark() {
    if (marks_.empty()) fail(fmt::format("has no mark before byte {}", at_.position()));
    const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    source_.budget().charge(static_cast<std::size_t>(stack_.end() - begin) * sizeof(Item));
    std::vector<Item> items(std::make_move_iterator(begin), std::make_move_iterator(stack_.end()));
    source_.budget().refund(items.size() * sizeof(Item));
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return items;
  }

  // The item as a part of another, which it must not be too deep for.
  Value take(Item item) {
    Value value = std::move(item.value);
    if (item.building) {
      if (!item.building->result) item.building->result = finished(context_, *item.building);
      value = *item.building->result;
    }
    if (value.depth() + 1 < Value::kMaxDepth) return value;
    source_.budget().charge(sizeof(detail::Opaque) + sizeof(detail::Text) + 64);
    return cut_off(to_string(value.kind()));
  }
  Value take() { return take(pop()); }

  // --- what is being filled ---
  // Python fills an object before anything but itself refers to it.
  Building& filling() {
    Item& item = top();
    if (!item.building) fail("adds to something that takes nothing");
    Building& building = *item.building;
    if (building.result && sharing_.pass == Sharing::Pass::Assume) throw WithinItself();
    if (building.result) fail("changes an object that is already part of another");
    ++building.changes;
    if (building.shared) sharing_.changes[building.begin] = building.changes;
    return building;
  }
  void push_building(Building::Kind kind, std::string_view type = "") {
    source_.budget().charge(sizeof(Building) + 32 + type.size());
    Ref<Building> building = make_ref<Building>(kind, type, at_.position());
    if (kind == Building::Kind::Dict) building->dict = dict();
    if (kind == Building::Kind::List || kind == Building::Kind::Set) building->list = list();
    push(Item{{}, std::move(building)});
  }
  Value list() {
    source_.budget().charge(sizeof(detail::Sequence) + 32);
    return Value::list();
  }
  Value dict() {
    source_.budget().charge(sizeof(detail::Table) + 32);
    return Value::dict();
  }
  // Lists and dicts grow by doubling: while they do, three times what is needed.
  void charge_slot(std::size_t size, std::size_t bytes) {
    if (size != 0 && (size & (size - 1)) != 0) return;
    source_.budget().charge(std::max<std::size_t>(size, 1) * bytes * 3);
    if (size > 1) source_.budget().refund(size / 2 * bytes * 3);
  }
  void append(Building& building, Value item) {
    if (building.list.is_none()) building.list = list();
    charge_slot(building.list.size(), sizeof(Value));
    building.list.push_back(std::move(item));
  }
  void append(std::vector<Item> items) {
    Building& building = filling();
    if (building.kind == Building::Kind::Dict) fail("appends to a dict");
    for (Item& item : items) append(building, take(std::move(item)));
  }
  void set(Building& building, const Value& key, Value value) {
    if (building.dict.is_none()) building.dict = dict();
    const std::size_t size = building.dict.size();
    charge_slot(size, sizeof(Value::Entry) + 12);
    building.dict.set(pickled_key(context_, key, size), std::move(value));
  }
  void set_items(std::vector<Item> items) {
    if (items.size() % 2 != 0) fail("sets a key without a value");
    Building& building = filling();
    if (building.kind != Building::Kind::Dict && building.kind != Building::Kind::Object) fail("sets a key in a list");
    for (std::size_t i = 0; i < items.size(); i += 2) {
      const Value key = take(std::move(items[i]));
      set(building, key, take(std::move(items[i + 1])));
    }
  }

  // --- opcodes ---
  bool step();
  bool step_of_old_protocols(std::uint8_t code);
  void push_text(std::uint64_t size) {
    const std::string_view text = at_.take(size);
    context_.charge_text(size);
    push(text_of_pickle(text));
  }
  void push_bytes(std::uint64_t size) {
    const std::string_view bytes = at_.take(size);
    context_.charge_text(size);
    push(Value::bytes(bytes));
  }
  // Python 2 has one type for texts and bytes.
  void push_old_text(std::string_view text) {
    context_.charge_text(text.size());
    push(is_utf8(text) ? Value(text) : Value::bytes(text));
  }
  void push_long(std::uint64_t size) {
    const std::string_view bytes = at_.take(size);
    context_.charge_text(size > 8 ? 4 * size + sizeof(detail::Opaque) : 0);
    push(integer_of_bytes(bytes));
  }
  void push_digits(std::string_view digits) {
    context_.charge_text(digits.size() + sizeof(detail::Opaque));
    auto number = integer_of_digits(digits);
    if (!number) fail(fmt::format("has an integer without digits before byte {}", at_.position()));
    push(std::move(*number));
  }
  void push_tuple(std::vector<Item> items) {
    source_.budget().charge(items.size() * sizeof(Value) + sizeof(detail::Sequence) + 32);
    std::vector<Value> values;
    values.reserve(items.size());
    for (Item& item : items) values.push_back(take(std::move(item)));
    push(Value::tuple(std::move(values)));
  }
  void push_tuple(std::size_t count) {
    std::vector<Item> items(count);
    for (std::size_t i = count; i-- > 0;) items[i] = pop();
    push_tuple(std::move(items));
  }
  // The items since the mark, in a list, dict or set of their own.
  void push_filled(Building::Kind kind, std::string_view type = "") {
    std::vector<Item> items = pop_to_mark();
    push_building(kind, type);
    if (kind == Building::Kind::Dict) return set_items(std::move(items));
    append(std::move(items));
  }
  void put(std::uint64_t slot) {
    Item item = top();
    // Slots are numbered in order, by some picklers from 1.
    if (slot > memo_.size() + 16) fail(fmt::format("numbers its memo by {} after {}", slot, memo_.size()));
    while (memo_.size() <= slot) {
      source_.budget().grow(memo_);
      memo_.emplace_back();
    }
    memo_[slot] = {std::move(item), true};
  }
  void get(std::uint64_t slot) {
    if (slot >= memo_.size() || !memo_[slot].second) fail(fmt::format("refers to object {}, which is not there", slot));
    Item& item = memo_[slot].first;
    if (item.building) {
      Building& building = *item.building;
      if (!building.result && !sharing_.is_complete(building)) {
        if (sharing_.pass == Sharing::Pass::Count && !std::exchange(building.shared, true)) {
          source_.budget().charge(kBytesOfCount);
        }
        return push(within_itself(building));
      }
      if (!building.result) building.result = finished(context_, building);
      item = {*building.result, {}};
    }
    push(item);
  }
  std::uint64_t line_number() {
    const Value number = integer_of_digits(at_.line()).value_or(Value());
    if (!number.is(Value::Kind::Int) || number.as_int() < 0) fail("has an object without a number");
    return static_cast<std::uint64_t>(number.as_int());
  }
  bool extension(std::uint32_t code) {
    global("copyreg", fmt::format("extension {}", code));
    return true;
  }
  Value within_itself(const Building& building) {
    context_.charge_text(sizeof(detail::Opaque) + building.type.size() + 64);
    const bool list = building.kind == Building::Kind::List, dict = building.kind == Building::Kind::Dict;
    return cut_off(list ? "list" : dict ? "dict" : building.type);
  }

  void global(std::string_view module, std::string_view name);
  void persistent(const Value& id);
  void build();

  // --- calls ---
  std::string name_of(const Value& callee);
  void call(const Value& callee, const Value& args);
  bool call_container(std::string_view name, const Value& args);
  void push_object(std::string_view type, Value args, Value state = {});

  static constexpr std::size_t kBytesOfCount = 80;  // an entry of Sharing::changes

  Source& source_;
  Cursor& at_;
  PickleHost* host_;
  Sharing& sharing_;
  std::uint64_t kept_by_host_ = 0;
  PickleContext context_{source_, at_};
  std::vector<Item> stack_;
  std::vector<std::size_t> marks_;
  std::vector<std::pair<Item, bool>> memo_;
};

bool Unpickler::step() {
  const auto code = at_.number<std::uint8_t>();
  switch (code) {
    case 0x80:  // PROTO
      if (const auto protocol = at_.number<std::uint8_t>(); protocol > 5) {
        fail(fmt::format("has the pickle protocol {}, need 0 to 5", protocol));
      }
      return true;
    case 0x95:  // FRAME
      at_.take(8);
      return true;
    case '.':
      return false;
    case 'N':
      push(Value());
      return true;
    case 0x88:
      push(true);
      return true;
    case 0x89:
      push(false);
      return true;
    case 'J':
      push(at_.number<std::int32_t>());
      return true;
    case 'K':
      push(at_.number<std::uint8_t>());
      return true;
    case 'M':
      push(at_.number<std::uint16_t>());
      return true;
    case 0x8a:  // LONG1
      push_long(at_.number<std::uint8_t>());
      return true;
    case 0x8b: {  // LONG4
      const auto size = at_.number<std::int32_t>();
      push_long(size < 0 ? ~std::uint64_t{0} : static_cast<std::uint64_t>(size));
      return true;
    }
    case 'G': {  // the only big-endian field
      std::uint64_t bits = __builtin_bswap64(at_.number<std::uint64_t>());
      push(std::bit_cast<double>(bits));
      return true;
    }
    case 'X':
      push_text(at_.number<std::uint32_t>());
      return true;
    case 0x8c:
      push_text(at_.number<std::uint8_t>());
      return true;
    case 0x8d:
      push_text(at_.number<std::uint64_t>());
      return true;
    case 'B':
      push_bytes(at_.number<std::uint32_t>());
      return true;
    case 'C':
      push_bytes(at_.number<std::uint8_t>());
      return true;
    case 0x8e:  // BINBYTES8
    case 0x96:  // BYTEARRAY8
      push_bytes(at_.number<std::uint64_t>());
      return true;
    case ')':
      push_tuple(std::size_t{0});
      return true;
    case 0x85:
    case 0x86:
    case 0x87:
      push_tuple(std::size_t{code} - 0x84);
      return true;
    case 't':
      push_tuple(pop_to_mark());
      return true;
    case ']':
      push_building(Building::Kind::List);
      return true;
    case 'a':
      append([&] {
        std::vector<Item> items;
        items.push_back(pop());
        return items;
      }());
      return true;
    case 'e':
    case 0x90:  // ADDITEMS
      append(pop_to_mark());
      return true;
    case '}':
      push_building(Building::Kind::Dict);
      return true;
    case 's': {
      std::vector<Item> items(2);
      items[1] = pop();
      items[0] = pop();
      set_items(std::move(items));
      return true;
    }
    case 'u':
      set_items(pop_to_mark());
      return true;
    case '(':
      source_.budget().grow(marks_);
      marks_.push_back(stack_.size());
      return true;
    case 'h':
      get(at_.number<std::uint8_t>());
      return true;
    case 'j':
      get(at_.number<std::uint32_t>());
      return true;
    case 'q':
      put(at_.number<std::uint8_t>());
      return true;
    case 'r':
      put(at_.number<std::uint32_t>());
      return true;
    case 0x94:  // MEMOIZE
      put(memo_.size());
      return true;
    case 'c': {
      const std::string_view module = at_.line();
      global(module, at_.line());
      return true;
    }
    case 0x93: {  // STACK_GLOBAL
      const Value name = take(), module = take();
      if (!name.is(Value::Kind::String) || !module.is(Value::Kind::String)) {
        fail("names a global by something that is not a string");
      }
      global(module.as_string(), name.as_string());
      return true;
    }
    case 'R':
    case 0x81: {  // NEWOBJ
      const Value args = take(), callee = take();
      call(callee, args);
      return true;
    }
    case 0x92: {  // NEWOBJ_EX
      const Value keywords = take(), args = take(), callee = take();
      push_object(name_of(callee), args, keywords);
      return true;
    }
    case 'b':
      build();
      return true;
    case 'Q':
      persistent(take());
      return true;
    case 0x8f:
      push_building(Building::Kind::Set, "builtins.set");
      return true;
    case 0x91:
      push_filled(Building::Kind::Set, "builtins.frozenset");
      return true;
    case '0':
      if (stack_.size() == floor() && !marks_.empty()) {
        marks_.pop_back();  // as Python's own
      } else {
        pop();
      }
      return true;
    case '1':
      pop_to_mark();
      return true;
    case '2':
      push(top());
      return true;
    default:
      return step_of_old_protocols(code);
  }
}

// What only the protocols 0 and 1 have, and the registry of extensions, which nobody uses.
bool Unpickler::step_of_old_protocols(std::uint8_t code) {
  switch (code) {
    case 'T':
      push_old_text(at_.take(at_.number<std::uint32_t>()));
      return true;
    case 'U':
      push_old_text(at_.take(at_.number<std::uint8_t>()));
      return true;
    case 'S': {
      const auto text = unescaped(at_.line());
      if (!text) fail(fmt::format("has a string without quotes before byte {}", at_.position()));
      push_old_text(*text);
      return true;
    }
    case 'V': {
      const auto text = unescaped_unicode(at_.line());
      if (!text) fail(fmt::format("has a damaged string before byte {}", at_.position()));
      context_.charge_text(text->size());
      push(*text);
      return true;
    }
    case 'I': {
      const std::string_view digits = at_.line();
      if (digits == "00" || digits == "01") {
        push(digits == "01");
      } else {
        push_digits(digits);
      }
      return true;
    }
    case 'L': {
      std::string_view digits = at_.line();
      if (digits.ends_with('L')) digits.remove_suffix(1);
      push_digits(digits);
      return true;
    }
    case 'F': {
      const auto number = number_of_text(at_.line());
      if (!number) fail(fmt::format("has a number without digits before byte {}", at_.position()));
      push(*number);
      return true;
    }
    case 'l':
      push_filled(Building::Kind::List);
      return true;
    case 'd':
      push_filled(Building::Kind::Dict);
      return true;
    case 'p':
      put(line_number());
      return true;
    case 'g':
      get(line_number());
      return true;
    case 'P': {
      const std::string_view id = at_.line();
      context_.charge_text(id.size());
      persistent(id);
      return true;
    }
    case 'i': {  // INST
      const std::string_view module = at_.line();
      const std::string type = full_name(module, at_.line());
      push_tuple(pop_to_mark());
      const Value args = take();
      call(global_value(type), args);
      return true;
    }
    case 'o': {  // OBJ
      push_tuple(pop_to_mark());
      const Value all = take();
      if (all.size() == 0) fail("makes an object of no class");
      const auto items = all.items();
      call(items[0], Value::tuple(std::vector<Value>(items.begin() + 1, items.end())));
      return true;
    }
    case 0x82:
      return extension(at_.number<std::uint8_t>());
    case 0x83:
      return extension(at_.number<std::uint16_t>());
    case 0x84:
      return extension(at_.number<std::uint32_t>());
    default:
      fail(fmt::format("has the opcode 0x{:02x} at byte {}, which no checkpoint needs", code, at_.position() - 1));
  }
}

void Unpickler::global(std::string_view module, std::string_view name) {
  const std::string full = full_name(module, name);
  context_.charge_text(full.size() + sizeof(detail::Opaque) + 32);
  const bool type = torch_storage(full) != nullptr || torch_type(full) != nullptr ||
                    (full.starts_with("torch.") && full.ends_with("Tensor") && full != "torch._tensor.Tensor");
  push(type ? Value(full) : global_value(full));
}

void Unpickler::persistent(const Value& id) {
  if (host_ == nullptr) fail("refers to a storage, which it may not here");
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

}  // namespace

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
