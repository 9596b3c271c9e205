// What each opcode does.
#include <bit>

#include "io/pickle/unpickler.h"

namespace gradus::io {

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
      if (all.size() == 0) fail("makes an object without a class");
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
      fail(fmt::format("has the opcode 0x{:02x} at byte {}, which checkpoints do not use", code, at_.position() - 1));
  }
}

}  // namespace gradus::io
