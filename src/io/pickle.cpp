#include "io/pickle.h"

#include <algorithm>

#include "io/torch_types.h"
#include "io/value_boxes.h"

namespace gradus::io {

void PickleHost::made(const Tensor&, std::int64_t) {}

namespace {

// The calls that are known. Calling is all one can do with them; a class or type stands as its name.
enum class Callable {
  OrderedDict,
  Counter,
  RebuildTensor,
  RebuildTensorV2,
  RebuildTensorV3,
  RebuildParameter,
  Parameter,
  Size,
  Device,
  Encode,
  ByteArray,
};

struct Known {
  std::string_view name;
  Callable callable;
};
constexpr Known kCallables[] = {
    {"collections.OrderedDict", Callable::OrderedDict},
    {"collections.Counter", Callable::Counter},
    {"torch._utils._rebuild_tensor", Callable::RebuildTensor},
    {"torch._utils._rebuild_tensor_v2", Callable::RebuildTensorV2},
    {"torch._utils._rebuild_tensor_v3", Callable::RebuildTensorV3},
    {"torch._utils._rebuild_parameter", Callable::RebuildParameter},
    {"torch.nn.parameter.Parameter", Callable::Parameter},
    {"torch.Size", Callable::Size},
    {"torch.device", Callable::Device},
    {"_codecs.encode", Callable::Encode},
    {"builtins.bytearray", Callable::ByteArray},
    {"__builtin__.bytearray", Callable::ByteArray},
    {"builtins.bytes", Callable::ByteArray},
    {"__builtin__.bytes", Callable::ByteArray},
};

constexpr std::size_t kMostDimensions = 64;  // PyTorch's

struct Item;

// What stands on the stack and is no value yet.
struct Object : RefCounted {
  enum class Kind { List, Dict, Callable, Storage, Tuple };
  Kind kind;
  Value value;        // List, Dict: what was collected so far
  bool used = false;  // ... and has become a part of something; then it must not change any more
  Callable callable{};
  std::string_view name;  // of the callable
  PickledStorage storage;
  std::vector<Item> items;  // of a tuple that holds such objects
  explicit Object(Kind k) : kind(k) {}
};
void ref_destroy(Object* p) noexcept;

struct Item {
  Value value;
  Ref<Object> object;  // null where `value` is meant
};

void ref_destroy(Object* p) noexcept { delete p; }

class Unpickler {
 public:
  Unpickler(Source& source, Cursor& at, PickleHost* host) : source_(source), at_(at), host_(host) {}

  Value run() {
    const std::size_t start = at_.position();
    while (step()) {
    }
    if (stack_.size() != 1) fail("ends with other than one object");
    Value result = plain(pop());
    // An object that stands in many places costs nothing here, but everyone who walks the tree.
    if (result.count() > 1'000'000 + 16 * static_cast<std::uint64_t>(at_.position() - start)) {
      fail("repeats its objects too often");
    }
    return result;
  }

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
  Ref<Object> new_object(Object::Kind kind) {
    source_.budget().charge(sizeof(Object) + 32);
    return make_ref<Object>(kind);
  }

  // The item as a value that becomes part of another.
  Value plain(Item item) {
    if (!item.object) return std::move(item.value);
    Object& object = *item.object;
    switch (object.kind) {
      case Object::Kind::List:
      case Object::Kind::Dict:
        object.used = true;
        return object.value;
      case Object::Kind::Callable:
        fail(fmt::format("holds {} as data; only its results are known", object.name));
      case Object::Kind::Storage:
        fail("holds a bare storage; save tensors instead");
      case Object::Kind::Tuple:
        fail("holds a storage or call in a tuple; save tensors instead");
    }
    return {};
  }
  // Short, so that looking at it again and again costs nothing.
  static bool is_name(const Value& value) { return value.is(Value::Kind::String) && value.size() <= 100; }
  static bool is_plain(const Item& item) {
    return !item.object || item.object->kind == Object::Kind::List || item.object->kind == Object::Kind::Dict;
  }

  // The list or dict below what is added to it. Python fills an object before anything refers to it, except where an
  // object contains itself: such a tree cannot be held, and is refused.
  Value& filling(Object::Kind kind, std::string_view what) {
    Item& item = top();
    if (!item.object || item.object->kind != kind) fail(fmt::format("adds to what is no {}", what));
    if (item.object->used) fail(fmt::format("changes a {} that is already part of another object", what));
    return item.object->value;
  }

  void append(std::vector<Item> items) {
    Value& list = filling(Object::Kind::List, "list");
    for (Item& item : items) {
      charge_slot(list.size(), sizeof(Value));
      list.push_back(plain(std::move(item)));
    }
    if (top().object->used) fail("puts a list into itself");
  }

  void set_items(std::vector<Item> items) {
    if (items.size() % 2 != 0) fail("sets a key without a value");
    Value& dict = filling(Object::Kind::Dict, "dict");
    for (std::size_t i = 0; i < items.size(); i += 2) {
      const Value key = plain(std::move(items[i]));
      charge_slot(dict.size(), sizeof(Value::Entry) + 12);
      set(dict, key, plain(std::move(items[i + 1])));
    }
    if (top().object->used) fail("puts a dict into itself");
  }

  void set(Value& dict, const Value& key, Value value) {
    if (key.is(Value::Kind::Int)) return dict.set(key.as_int(), std::move(value));
    if (key.is(Value::Kind::String)) {
      source_.budget().charge(key.size() + sizeof(detail::Text) + 16);
      return dict.set(key.as_string(), std::move(value));
    }
    fail(fmt::format("has a dict with a key of the type {}; only strings and integers are supported",
                     to_string(key.kind())));
  }

  // Lists and dicts grow by doubling: while they do, three times what is needed.
  void charge_slot(std::size_t size, std::size_t bytes) {
    if (size != 0 && (size & (size - 1)) != 0) return;
    source_.budget().charge(std::max<std::size_t>(size, 1) * bytes * 3);
    if (size > 1) source_.budget().refund(size / 2 * bytes * 3);
  }

  // --- opcodes ---
  bool step();
  void push_text(std::uint64_t size, bool bytes = false) {
    const std::string_view text = at_.take(size);
    source_.budget().charge(size + sizeof(detail::Text) + 32);
    push(bytes ? Value::bytes(text) : Value(text));
  }
  void push_long(std::uint64_t size) {
    const std::string_view digits = at_.take(size);
    const bool negative = !digits.empty() && (static_cast<unsigned char>(digits.back()) & 0x80) != 0;
    std::uint64_t value = negative ? ~std::uint64_t{0} : 0;
    bool fits = true;
    for (std::size_t i = 0; i < digits.size(); ++i) {
      const auto byte = static_cast<std::uint64_t>(static_cast<unsigned char>(digits[i]));
      if (i < 8) {
        value = (value & ~(std::uint64_t{0xff} << (8 * i))) | byte << (8 * i);
      } else {
        fits = fits && byte == (negative ? 0xffu : 0u);
      }
    }
    fits = fits && (digits.size() < 8 || (value >> 63 != 0) == negative);
    if (!fits) fail(fmt::format("holds an integer of {} bytes; those of more than 64 bits are not supported", size));
    push(static_cast<std::int64_t>(value));
  }
  void push_container(Object::Kind kind) {
    Ref<Object> object = new_object(kind);
    source_.budget().charge(std::max(sizeof(detail::Sequence), sizeof(detail::Table)) + 32);
    object->value = kind == Object::Kind::List ? Value::list() : Value::dict();
    push(Item{{}, std::move(object)});
  }
  void push_tuple(std::vector<Item> items) {
    source_.budget().charge(items.size() * sizeof(Item) + sizeof(detail::Sequence) + 32);
    if (std::all_of(items.begin(), items.end(), is_plain)) {
      std::vector<Value> values;
      values.reserve(items.size());
      for (Item& item : items) values.push_back(plain(std::move(item)));
      return push(Value::tuple(std::move(values)));
    }
    Ref<Object> object = new_object(Object::Kind::Tuple);
    object->items = std::move(items);
    push(Item{{}, std::move(object)});
  }
  void push_tuple(std::size_t count) {
    std::vector<Item> items(count);
    for (std::size_t i = count; i-- > 0;) items[i] = pop();
    push_tuple(std::move(items));
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
    push(memo_[slot].first);
  }
  void global(std::string_view module, std::string_view name);
  void persistent();
  void build();

  // --- calls ---
  void reduce();
  Value ordered_dict(const std::vector<Item>& args);
  Value rebuild_tensor(Callable callable, std::vector<Item> args);
  Value parameter(const std::vector<Item>& args);
  Value encode(const std::vector<Item>& args, bool only_bytes);
  std::vector<std::int64_t> integers(const Item& item, std::string_view what) const;

  Source& source_;
  Cursor& at_;
  PickleHost* host_;
  std::vector<Item> stack_;
  std::vector<std::size_t> marks_;
  std::vector<std::pair<Item, bool>> memo_;
};

bool Unpickler::step() {
  const auto code = at_.number<std::uint8_t>();
  switch (code) {
    case 0x80:  // PROTO
      if (const auto protocol = at_.number<std::uint8_t>(); protocol < 2 || protocol > 5) {
        fail(fmt::format("has the pickle protocol {}, need 2 to 5", protocol));
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
    case 'T':  // strings of Python 2
      push_text(at_.number<std::uint32_t>());
      return true;
    case 0x8c:
    case 'U':
      push_text(at_.number<std::uint8_t>());
      return true;
    case 0x8d:
      push_text(at_.number<std::uint64_t>());
      return true;
    case 'B':
      push_text(at_.number<std::uint32_t>(), true);
      return true;
    case 'C':
      push_text(at_.number<std::uint8_t>(), true);
      return true;
    case 0x8e:  // BINBYTES8
    case 0x96:  // BYTEARRAY8
      push_text(at_.number<std::uint64_t>(), true);
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
      push_container(Object::Kind::List);
      return true;
    case 'a':
      append([&] {
        std::vector<Item> items;
        items.push_back(pop());
        return items;
      }());
      return true;
    case 'e':
      append(pop_to_mark());
      return true;
    case '}':
      push_container(Object::Kind::Dict);
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
      const Value name = plain(pop()), module = plain(pop());
      if (!name.is(Value::Kind::String) || !module.is(Value::Kind::String)) fail("names a global by what is no string");
      global(module.as_string(), name.as_string());
      return true;
    }
    case 'R':
      reduce();
      return true;
    case 'b':
      build();
      return true;
    case 'Q':
      persistent();
      return true;
    case 0x81:
    case 0x92:
      fail("makes an object of a class by NEWOBJ; only tensors, numbers, strings and containers of them can be read");
    case 0x8f:
      fail("holds a set; sets are not supported, save a list");
    default:
      fail(fmt::format("has the opcode 0x{:02x} at byte {}, which checkpoints do not need", code, at_.position() - 1));
  }
}

void Unpickler::global(std::string_view module, std::string_view name) {
  // Printable, and short enough to show.
  std::string full = fmt::format("{}.{}", module.substr(0, 100), name.substr(0, 100));
  for (char& c : full)
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) c = '?';
  for (const Known& known : kCallables) {
    if (known.name != full) continue;
    Ref<Object> object = new_object(Object::Kind::Callable);
    object->callable = known.callable;
    object->name = known.name;
    return push(Item{{}, std::move(object)});
  }
  if (torch_storage(full) || is_torch_dtype(full) || (full.starts_with("torch.") && full.ends_with("Tensor"))) {
    source_.budget().charge(full.size() + sizeof(detail::Text) + 32);
    return push(std::string_view(full));
  }
  fail(
      fmt::format("asks for {}, which is refused: a checkpoint may hold tensors, numbers, strings and containers of "
                  "them, and nothing in it is executed. Save model.state_dict() instead of the object",
                  full));
}

void Unpickler::persistent() {
  if (host_ == nullptr) fail("refers to a storage, which it may not here");
  auto found = host_->persistent(plain(pop()));
  if (auto* tensor = std::get_if<Tensor>(&found)) return push(std::move(*tensor));
  Ref<Object> object = new_object(Object::Kind::Storage);
  object->storage = std::move(std::get<PickledStorage>(found));
  push(Item{{}, std::move(object)});
}

// An OrderedDict's attributes (a state dict's _metadata: versions of modules) are left out.
void Unpickler::build() {
  plain(pop());
  filling(Object::Kind::Dict, "dict");
}

void Unpickler::reduce() {
  Item args_item = pop();
  const Item callable_item = pop();
  if (!callable_item.object || callable_item.object->kind != Object::Kind::Callable) fail("calls what is no function");
  std::vector<Item> args;
  constexpr std::size_t kMostArguments = 16;
  if (args_item.object && args_item.object->kind == Object::Kind::Tuple) {
    if (args_item.object->items.size() > kMostArguments) fail("calls a function with too many arguments");
    args = args_item.object->items;
  } else {
    const Value plain_args = plain(std::move(args_item));
    if (!plain_args.is(Value::Kind::Tuple)) fail("calls a function without a tuple of arguments");
    if (plain_args.size() > kMostArguments) fail("calls a function with too many arguments");
    for (const Value& arg : plain_args.items()) args.push_back({arg, {}});
  }
  switch (callable_item.object->callable) {
    case Callable::OrderedDict:
    case Callable::Counter: {
      push_container(Object::Kind::Dict);
      top().object->value = ordered_dict(args);
      return;
    }
    case Callable::RebuildTensor:
    case Callable::RebuildTensorV2:
    case Callable::RebuildTensorV3:
      return push(rebuild_tensor(callable_item.object->callable, std::move(args)));
    case Callable::RebuildParameter:
    case Callable::Parameter:
      return push(parameter(args));
    case Callable::Size:
      if (args.size() != 1) fail("calls torch.Size with other than one argument");
      return push(Value::tuple([&] {
        std::vector<Value> sizes;
        for (const std::int64_t size : integers(args[0], "torch.Size")) sizes.emplace_back(size);
        source_.budget().charge(sizes.size() * sizeof(Value) + sizeof(detail::Sequence) + 32);
        return sizes;
      }()));
    case Callable::Device: {
      const bool fits = !args.empty() && args.size() <= 2 && is_name(args[0].value) &&
                        (args.size() < 2 || args[1].value.is(Value::Kind::Int));
      if (!fits) fail("makes a device of the wrong arguments");
      std::string text = args[0].value.as_string();
      if (args.size() == 2) text.append(":").append(std::to_string(args[1].value.as_int()));
      source_.budget().charge(text.size() + sizeof(detail::Text) + 32);
      return push(std::string_view(text));
    }
    case Callable::Encode:
      return push(encode(args, false));
    case Callable::ByteArray:
      return push(encode(args, true));
  }
}

Value Unpickler::ordered_dict(const std::vector<Item>& args) {
  Value dict = Value::dict();
  if (args.empty()) return dict;
  const Value& from = args[0].value;
  if (args.size() > 1 || args[0].object) fail("makes a dict of what is neither pairs nor a dict");
  if (from.is(Value::Kind::Dict)) {
    source_.budget().charge(from.size() * (sizeof(Value::Entry) + 12) * 3);
    return from;
  }
  if (!from.is(Value::Kind::List)) fail("makes a dict of what is neither pairs nor a dict");
  for (const Value& pair : from.items()) {
    const bool is_pair = (pair.is(Value::Kind::List) || pair.is(Value::Kind::Tuple)) && pair.size() == 2;
    if (!is_pair) fail("makes a dict of what is neither pairs nor a dict");
    charge_slot(dict.size(), sizeof(Value::Entry) + 12);
    set(dict, pair.at({0}), pair.at({1}));
  }
  return dict;
}

std::vector<std::int64_t> Unpickler::integers(const Item& item, std::string_view what) const {
  std::vector<std::int64_t> numbers;
  const bool sequence = !item.object && (item.value.is(Value::Kind::Tuple) || item.value.is(Value::Kind::List));
  if (!sequence) fail(fmt::format("gives {} no tuple of integers", what));
  if (item.value.size() > kMostDimensions) fail(fmt::format("gives {} {} dimensions", what, item.value.size()));
  for (const Value& number : item.value.items()) {
    if (!number.is(Value::Kind::Int)) fail(fmt::format("gives {} no tuple of integers", what));
    numbers.push_back(number.as_int());
  }
  return numbers;
}

// (storage, offset, size, stride[, requires_grad, backward_hooks[, dtype (v3)][, metadata]])
Value Unpickler::rebuild_tensor(Callable callable, std::vector<Item> args) {
  const bool v1 = callable == Callable::RebuildTensor, v3 = callable == Callable::RebuildTensorV3;
  const std::size_t least = v1 ? 4 : v3 ? 7 : 6;
  const std::size_t most = v1 ? 4 : least + 1;
  const bool shaped = args.size() >= least && args.size() <= most && args[0].object &&
                      args[0].object->kind == Object::Kind::Storage && args[1].value.is(Value::Kind::Int);
  if (!shaped) fail("makes a tensor of the wrong arguments");
  const PickledStorage& storage = args[0].object->storage;
  if (!v1 && !args[4].value.is(Value::Kind::Bool)) fail("makes a tensor of the wrong arguments");
  // Marks of conjugated and negated views. The data is not what the tensor holds then.
  if (args.size() == least + 1 && !v1) {
    const Value metadata = plain(args[least]);
    if (!metadata.is_none() && !(metadata.is(Value::Kind::Dict) && metadata.size() == 0)) {
      fail("marks a tensor as conjugated or negated; such tensors are not supported, save their clone()");
    }
  }
  std::optional<Dtype> dtype = storage.dtype;
  std::string type(storage.elements);
  std::int64_t start = storage.start, room = storage.size;
  if (v3) {
    const Value& name = args[6].value;
    if (!is_name(name) || !is_torch_dtype(name.as_string())) fail("makes a tensor of no known dtype");
    type = name.as_string().substr(6);
    const std::int64_t size = storage.dtype ? element_size(*storage.dtype) : 1;
    if (!storage.elements.empty() && storage.elements != type) fail("makes a tensor of another type than its storage");
    dtype = torch_dtype(name.as_string());
    if (dtype && storage.elements.empty()) {
      const std::int64_t wanted = element_size(*dtype);
      if (storage.big_endian && wanted > 1) fail("has big-endian data of a type that is known too late");
      if (start * size % wanted != 0) fail("has a storage that is not aligned");
      start = start * size / wanted;
      room = room * size / wanted;
    }
  }
  if (!dtype) {
    fail(
        fmt::format("holds a {} tensor; the types supported are bool, uint8, int32, int64, bfloat16, float32 and "
                    "float64. Convert it in Python before saving",
                    type));
  }
  if (v3 && *dtype == kBool && storage.elements.empty())
    fail("has bools in an untyped storage, which is not supported");
  Tensor tensor = storage_tensor(source_, storage.memory, *dtype, integers(args[2], "a tensor's size"),
                                 integers(args[3], "a tensor's stride"), args[1].value.as_int(), start, room);
  if (host_ != nullptr && tensor.numel() > 0)
    host_->made(tensor, (start + args[1].value.as_int()) * element_size(*dtype));
  if (!v1 && args[4].value.as_bool()) {
    if (!is_floating_point(*dtype)) fail(fmt::format("asks for the gradient of a {} tensor", type));
    tensor.requires_grad_();
  }
  return tensor;
}

// (data[, requires_grad[, backward_hooks]])
Value Unpickler::parameter(const std::vector<Item>& args) {
  const bool fits = !args.empty() && args.size() <= 3 && args[0].value.is(Value::Kind::Tensor) &&
                    (args.size() < 2 || args[1].value.is(Value::Kind::Bool));
  if (!fits) fail("makes a parameter of the wrong arguments");
  Tensor tensor = args[0].value.as_tensor();
  const bool requires_grad = args.size() < 2 || args[1].value.as_bool();
  if (requires_grad && !tensor.is_floating_point()) fail("asks for the gradient of an integer tensor");
  tensor.requires_grad_(requires_grad);
  return tensor;
}

// Protocol 2 has no bytes: they stand as text in which each character is a byte.
Value Unpickler::encode(const std::vector<Item>& args, bool only_bytes) {
  std::string bytes;
  if (!args.empty() && args[0].value.is(Value::Kind::Bytes)) {
    bytes = args[0].value.as_bytes();
  } else if (!args.empty()) {
    const bool known = !only_bytes || args.size() == 2;
    if (!known || args.size() > 2 || !args[0].value.is(Value::Kind::String) ||
        (args.size() == 2 && !(is_name(args[1].value) &&
                               (args[1].value.as_string() == "latin1" || args[1].value.as_string() == "latin-1")))) {
      fail("encodes text otherwise than as latin1");
    }
    const std::string text = args[0].value.as_string();
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto c = static_cast<unsigned char>(text[i]);
      if (c < 0x80) {
        bytes += text[i];
      } else if ((c == 0xc2 || c == 0xc3) && i + 1 < text.size() &&
                 (static_cast<unsigned char>(text[i + 1]) & 0xc0) == 0x80) {
        bytes += static_cast<char>((c & 3) << 6 | (static_cast<unsigned char>(text[++i]) & 0x3f));
      } else {
        fail("has text that is not latin1 where bytes must be");
      }
    }
  }
  source_.budget().charge(bytes.size() + sizeof(detail::Text) + 32);
  return Value::bytes(bytes);
}

}  // namespace

Value read_pickle(Source& source, Cursor& at, PickleHost* host) {
  try {
    return Unpickler(source, at, host).run();
  } catch (const ValueError& e) {
    at.fail(e.what());  // nested too deep
  }
}

}  // namespace gradus::io
