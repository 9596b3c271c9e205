#include "io/pickle_writer.h"

#include <fmt/format.h>

#include <bit>
#include <unordered_map>

#include "io/torch_types.h"

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
    if (text.size() > UINT32_MAX) throw ValueError("save: a string of more than 4 GB");
    op('X');
    number(text.size(), 4);
    result_.bytes += text;
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

  void tensor(const Tensor& x) {
    const gradus::detail::TensorImpl& impl = *x.impl();
    const StorageRef& storage = impl.storage;
    const auto [known, added] = numbers_.emplace(storage.get(), std::pair(result_.storages.size(), impl.dtype));
    if (added) result_.storages.push_back(storage);
    if (known->second.second != impl.dtype) {
      throw ValueError(
          fmt::format("save: tensors of {} and {} share memory, which the format cannot hold; save a clone()",
                      to_string(known->second.second), to_string(impl.dtype)));
    }
    const std::int64_t size = element_size(impl.dtype);
    global("torch._utils", "_rebuild_tensor_v2");
    op('(');
    op('(');
    text("storage");
    global("torch", torch_storage_name(impl.dtype));
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
        return batches(value.items(), ']', 'e', [&](const Value& item) { write(item); });
      case Value::Kind::Tuple:
        op('(');
        for (const Value& item : value.items()) write(item);
        return op('t');
      case Value::Kind::Dict:
        return batches(value.entries(), '}', 'u', [&](const Value::Entry& entry) {
          if (entry.first.is_int()) {
            integer(entry.first.as_int());
          } else {
            text(entry.first.text());
          }
          write(entry.second);
        });
    }
  }

  WrittenPickle result_;
  std::unordered_map<const gradus::detail::Storage*, std::pair<std::size_t, Dtype>> numbers_;
};

}  // namespace

WrittenPickle write_pickle(const Value& value) { return Pickler().run(value); }

}  // namespace gradus::io
