// The machine that pickles are programs of: a stack, a memo, and what has been built. Nothing in a pickle is executed:
// what it would call becomes a value of its own.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "io/pickle/pickle.h"
#include "io/pickle/pickle_building.h"
#include "io/pickle/pickle_text.h"
#include "io/value/utf8.h"

namespace gradus::io {

// Of a class or function: printable, short enough to show, and what most files call it.
std::string full_name(std::string_view module, std::string_view name);

struct Item {
  Value value;
  Ref<Building> building;  // null where `value` is meant
};

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

}  // namespace gradus::io
