#include "io/pickle/pickle_writer.h"
#include "core/memory/allocator.h"
#include "core/memory/backend.h"

#include <fmt/format.h>

#include <bit>
#include <unordered_map>

#include "io/checkpoint/element_type.h"
#include "io/pickle/pickle_text.h"

namespace gradus::io {

namespace {

class Pickler {
 public:
  WrittenPickle run(const Value& value) {
    result_.bytes = "\x80\x02";
    write(value);
    op('.');
    return std::move(result_);
  }

 private:
  void op(char code) { result_.bytes += code; }
  void number(std::uint64_t x, int size) {
    for (int i = 0; i < size; ++i) result_.bytes += static_cast<char>(x >> (8 * i) & 0xff);
  }
  void global(std::string_view module, std::string_view name) {
    result_.bytes.append("c").append(module).append("\n").append(name).append("\n");
  }

  void integer(std::int64_t x) {
    if (x >= 0 && x < 256) {
      op('K');
      number(static_cast<std::uint64_t>(x), 1);
    } else if (x >= INT32_MIN && x <= INT32_MAX) {
      op('J');
      number(static_cast<std::uint64_t>(x), 4);
    } else {
      op('\x8a');
      number(8, 1);
      number(static_cast<std::uint64_t>(x), 8);
    }
  }

  void text(std::string_view text) {
    const std::string pickled = pickled_text(text);
    if (pickled.size() > UINT32_MAX) refuse("a string of more than 4 GB");
    op('X');
    number(pickled.size(), 4);
    result_.bytes += pickled;
  }

  // As Python writes bytes in protocol 2: text in which each character is a byte.
  void bytes(const std::string& bytes) {
    std::string latin1;
    for (const char c : bytes) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < 0x80) {
        latin1 += c;
      } else {
        latin1 += static_cast<char>(0xc0 | byte >> 6);
        latin1 += static_cast<char>(0x80 | (byte & 0x3f));
      }
    }
    global("_codecs", "encode");
    text(latin1);
    text("latin1");
    op('\x86');
    op('R');
  }

  template <class Range, class Write>
  void batches(const Range& range, char open, char close, Write&& write_one) {
    constexpr int kBatch = 1000;
    op(open);
    int left = 0;
    for (const auto& entry : range) {
      if (left == 0) op('(');
      write_one(entry);
      if (++left < kBatch) continue;
      op(close);
      left = 0;
    }
    if (left > 0) op(close);
  }

  void integers(const Shape& shape) {
    op('(');
    for (const std::int64_t x : shape) integer(x);
    op('t');
  }

  // Files know the CPU alone; what is loaded goes to wherever the module or the optimizer is.
  static StorageRef in_host_memory(const StorageRef& storage) {
    if (storage->device == kCPU) return storage;
    auto copy = make_ref<gradus::detail::Storage>();
    copy->data = core::allocate(storage->nbytes);
    copy->nbytes = storage->nbytes;
    core::transfer(kCPU, copy->data, storage->device, storage->data, storage->nbytes);
    return copy;
  }

  void tensor(const Tensor& x) {
    const gradus::detail::TensorImpl& impl = *x.impl();
    const StorageRef& storage = impl.storage;
    const auto [known, added] = numbers_.emplace(storage.get(), std::pair(result_.storages.size(), impl.dtype));
    if (added) result_.storages.push_back(in_host_memory(storage));
    if (known->second.second != impl.dtype) {
      refuse(fmt::format("tensors of {} and {} share memory, which the format cannot hold; save a clone()",
                         to_string(known->second.second), to_string(impl.dtype)));
    }
    const std::int64_t size = element_size(impl.dtype);
    global("torch._utils", "_rebuild_tensor_v2");
    op('(');
    op('(');
    text("storage");
    global("torch", element_type(impl.dtype).storage);
    text(std::to_string(known->second.first));
    text("cpu");
    integer(static_cast<std::int64_t>(storage->nbytes) / size);
    op('t');
    op('Q');
    integer(impl.numel == 0 ? 0 : x.storage_offset());
    integers(impl.sizes);
    integers(impl.strides);
    op(x.requires_grad() ? '\x88' : '\x89');
    global("collections", "OrderedDict");
    op(')');
    op('R');
    op('t');
    op('R');
  }

  void call(std::string_view module, std::string_view name, const Value& args) {
    global(module, name);
    write(args);
    op('R');
  }

  void object(const Value& value) {
    const std::string type = value.type_name();
    const Value content = value.content();
    if (type == "int") {
      const std::string digits = bytes_of_integer(content.as_string());
      const bool is_short = digits.size() < 256;  // torch.load with weights_only knows LONG1 alone
      op(is_short ? '\x8a' : '\x8b');
      number(digits.size(), is_short ? 1 : 4);
      result_.bytes += digits;
    } else if (type == "builtins.set" && content.is(Value::Kind::List)) {
      call("builtins", "set", Value::tuple({content}));
    } else if (type == "builtins.complex" && content.is(Value::Kind::Tuple)) {
      call("builtins", "complex", content);
    } else {
      refuse(fmt::format("an object of {}, which Gradus does not rebuild, cannot be written", type.substr(0, 100)));
    }
  }

  [[noreturn]] void refuse(std::string_view what) const {
    throw ValueError(fmt::format("save: {}{}{}", to_string(path_), path_.empty() ? "" : ": ", what));
  }

  void write_at(const Key& key, const Value& value) {
    path_.push_back(key);
    write(value);
    path_.pop_back();
  }

  void write(const Value& value) {
    switch (value.kind()) {
      case Value::Kind::None:
        return op('N');
      case Value::Kind::Bool:
        return op(value.as_bool() ? '\x88' : '\x89');
      case Value::Kind::Int:
        return integer(value.as_int());
      case Value::Kind::Double:
        op('G');
        return number(__builtin_bswap64(std::bit_cast<std::uint64_t>(value.as_double())), 8);
      case Value::Kind::String:
        return text(value.as_string());
      case Value::Kind::Bytes:
        return bytes(value.as_bytes());
      case Value::Kind::Tensor:
        return tensor(value.as_tensor());
      case Value::Kind::List:
        return batches(value.items(), ']', 'e',
                       [&, i = std::int64_t{0}](const Value& item) mutable { write_at(i++, item); });
      case Value::Kind::Tuple: {
        op('(');
        std::int64_t i = 0;
        for (const Value& item : value.items()) write_at(i++, item);
        return op('t');
      }
      case Value::Kind::Dict:
        return batches(value.entries(), '}', 'u', [&](const Value::Entry& entry) {
          write(entry.first.value());
          write_at(entry.first, entry.second);
        });
      case Value::Kind::Object:
        return object(value);
    }
  }

  WrittenPickle result_;
  Path path_;  // of what is being written, for errors
  std::unordered_map<const gradus::detail::Storage*, std::pair<std::size_t, Dtype>> numbers_;
};

}  // namespace

bool is_written(const Value& object) {
  const std::string type = object.type_name();
  const Value content = object.content();  // of one within itself a text
  return type == "int" || (type == "builtins.set" && content.is(Value::Kind::List)) ||
         (type == "builtins.complex" && content.is(Value::Kind::Tuple));
}

WrittenPickle write_pickle(const Value& value) { return Pickler().run(value); }

}  // namespace gradus::io
