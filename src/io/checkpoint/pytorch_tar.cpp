// The tar format of 2017 (PyTorch 0.1.1 and before): the files "storages", "tensors" and "pickle". Each of the first
// two is a pickled count, and then for each object a pickled tuple that names it, and its numbers.
#include <algorithm>
#include <charconv>
#include <map>

#include "io/checkpoint/pytorch_formats.h"

namespace gradus::io {

namespace {

constexpr std::size_t kBlock = 512;

struct Member {
  std::size_t begin = 0, end = 0;
};

// A number in octal digits, padded with blanks and zeros; -1 if it is none.
std::int64_t octal(std::string_view field) {
  while (!field.empty() && field.front() == ' ') field.remove_prefix(1);
  std::int64_t value = 0;
  bool any = false;
  for (const char c : field) {
    if (c == '\0' || c == ' ') break;
    if (c < '0' || c > '7' || value >> 58 != 0) return -1;
    value = value * 8 + (c - '0');
    any = true;
  }
  return any ? value : -1;
}

bool has_checksum(std::string_view header) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < kBlock; ++i) sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(header[i]);
  return octal(header.substr(148, 8)) == sum;
}

std::map<std::string, Member, std::less<>> members_of(const Source& source) {
  std::map<std::string, Member, std::less<>> members;
  const std::string_view file = source.bytes();
  for (std::size_t at = 0; at + kBlock <= file.size();) {
    const std::string_view header = file.substr(at, kBlock);
    if (header.find_first_not_of('\0') == header.npos) break;
    if (!has_checksum(header)) source.fail("a damaged tar archive");
    const std::int64_t size = octal(header.substr(124, 12));
    at += kBlock;
    if (size < 0 || static_cast<std::uint64_t>(size) > file.size() - at) source.fail("the tar archive is cut short");
    const std::string name(header.substr(0, std::min(header.find('\0'), std::size_t{100})));
    const char type = header[156];
    if (members.size() > 16) break;  // more than a checkpoint has
    const bool added =
        (type != '0' && type != '\0') || members.emplace(name, Member{at, at + static_cast<std::size_t>(size)}).second;
    if (!added) source.fail("the tar archive has two files of one name");
    const std::size_t padded = (static_cast<std::size_t>(size) + kBlock - 1) / kBlock * kBlock;
    at += std::min(padded, file.size() - at);
  }
  return members;
}

class TarHost : public PickleHost {
 public:
  explicit TarHost(const std::shared_ptr<Source>& source) : source_(source) {}

  std::variant<PickledStorage, Value> persistent(const Value& id) override {
    std::int64_t key = 0;
    // (class, file, source) for the class of a module.
    if (id.is(Value::Kind::Tuple) && id.size() > 0 && id.at({0}).is(Value::Kind::Object)) return id.at({0});
    if (id.is(Value::Kind::Int)) {
      key = id.as_int();
    } else {
      const std::string text = id.is(Value::Kind::String) ? id.as_string() : "";
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), key);
      if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
        source_->fail("it refers to something that is not a tensor");
      }
    }
    if (const auto tensor = tensors_.find(key); tensor != tensors_.end()) return tensor->second;
    return storage(key);
  }

  void read_storages(Cursor at) {
    for (std::int64_t left = count(at); left > 0; --left) {
      const Value about = read_pickle(*source_, at, nullptr);  // (key, location, type)
      const bool shaped = about.is(Value::Kind::Tuple) && about.size() == 3 && about.at({0}).is(Value::Kind::Int) &&
                          about.at({2}).is(Value::Kind::String);
      const ElementType* type = shaped ? torch_storage(about.as_string({2})) : nullptr;
      if (type == nullptr) at.fail("has an invalid description of a storage");
      const auto size = at.number<std::int64_t>();
      std::int64_t nbytes = 0;
      if (size < 0 || __builtin_mul_overflow(size, type->size, &nbytes)) at.fail("has a storage of an invalid size");
      const std::size_t offset = at.position();
      at.take(static_cast<std::uint64_t>(nbytes));
      add(at, about.as_int({0}),
          {file_storage(source_, offset, static_cast<std::size_t>(nbytes), *type), type, false, 0, size});
    }
    const Value views = read_pickle(*source_, at, nullptr);  // [(key, root's key, offset, size)]
    if (!views.is(Value::Kind::List)) at.fail("has no list of views");
    for (const Value& view : views.items()) {
      bool shaped = view.is(Value::Kind::Tuple) && view.size() == 4;
      for (std::int64_t i = 0; shaped && i < 4; ++i) shaped = view.at({i}).is(Value::Kind::Int);
      if (!shaped) at.fail("has an invalid description of a view");
      PickledStorage part = storage(view.as_int({1}));
      const std::int64_t offset = view.as_int({2}), size = view.as_int({3});
      if (offset < 0 || size < 0 || offset > part.size || size > part.size - offset)
        at.fail("has a view beyond a storage");
      part.start += offset;
      part.size = size;
      add(at, view.as_int({0}), std::move(part));
    }
  }

  void read_tensors(Cursor at) {
    for (std::int64_t left = count(at); left > 0; --left) {
      const Value about = read_pickle(*source_, at, nullptr);  // (key, storage's key, type)
      const bool shaped = about.is(Value::Kind::Tuple) && about.size() == 3 && about.at({0}).is(Value::Kind::Int) &&
                          about.at({1}).is(Value::Kind::Int);
      if (!shaped) at.fail("has an invalid description of a tensor");
      const PickledStorage from = storage(about.as_int({1}));
      const auto rank = at.number<std::int32_t>();
      at.take(4);
      if (rank < 0 || rank > 64) at.fail(fmt::format("has a tensor of {} dimensions", rank));
      std::vector<std::int64_t> sizes(static_cast<std::size_t>(rank)), strides(sizes.size());
      for (auto& size : sizes) size = at.number<std::int64_t>();
      for (auto& stride : strides) stride = at.number<std::int64_t>();
      const auto offset = at.number<std::int64_t>();
      source_->budget().charge(100 + sizeof(Value) * 8);
      Value tensor = unknown_tensor(from.type->torch, sizes);
      if (from.memory != nullptr) {
        tensor =
            storage_tensor(*source_, from.memory, *from.type->dtype, sizes, strides, offset, from.start, from.size);
      }
      if (!tensors_.emplace(about.as_int({0}), tensor).second) at.fail("has two tensors of one name");
    }
  }

 private:
  std::int64_t count(Cursor& at) {
    const Value number = read_pickle(*source_, at, nullptr);
    if (!number.is(Value::Kind::Int) || number.as_int() < 0) at.fail("does not begin with a count");
    return number.as_int();
  }

  const PickledStorage& storage(std::int64_t key) const {
    const auto found = storages_.find(key);
    if (found == storages_.end()) source_->fail(fmt::format("it refers to object {}, which is not there", key));
    return found->second;
  }

  void add(const Cursor& at, std::int64_t key, PickledStorage storage) {
    source_->budget().charge(sizeof(gradus::detail::Storage) + sizeof storage + 100);
    if (!storages_.emplace(key, std::move(storage)).second) at.fail("has two storages of one name");
  }

  std::shared_ptr<Source> source_;
  std::map<std::int64_t, PickledStorage> storages_;
  std::map<std::int64_t, Value> tensors_;
};

}  // namespace

bool is_tar(std::string_view file) { return file.size() >= kBlock && file[0] != '\0' && has_checksum(file); }

Value read_pytorch_tar(const std::shared_ptr<Source>& source) {
  const auto members = members_of(*source);
  const auto part = [&](std::string_view name) {
    const auto found = members.find(name);
    if (found == members.end()) {
      std::string others;
      for (const auto& [other, member] : members) {
        if (others.size() < 200) others.append(others.empty() ? "" : ", ").append(other);
      }
      source->fail(fmt::format(
          "a tar archive, but not a PyTorch checkpoint of 2017: it has no file '{}'; unpack it (tar xf) and "
          "read what is in it: {}",
          name, others));
    }
    return Cursor(*source, fmt::format("'{}'", name), found->second.begin, found->second.end);
  };
  TarHost host(source);
  Cursor pickle = part("pickle");
  host.read_storages(part("storages"));
  host.read_tensors(part("tensors"));
  return read_pickle(*source, pickle, &host);
}

}  // namespace gradus::io
