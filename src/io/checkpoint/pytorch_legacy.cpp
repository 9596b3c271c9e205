// The stream format before PyTorch 1.6: pickles of a magic number, a version, the machine, the object and the storages'
// keys, and then the storages.
#include <algorithm>
#include <map>

#include "io/checkpoint/pytorch_formats.h"

namespace gradus::io {

namespace {

// LONG1 of 10 bytes: 0x1950a86a20f9469cfc6c; and the same in the protocols 0 and 1.
constexpr std::string_view kMagic{"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 13};
constexpr std::string_view kMagicDigits = "L119547037146038801333356L\n.";

// Where the pickle of the magic number ends; 0 if there is none.
std::size_t magic_end(std::string_view file) {
  if (file.starts_with(kMagicDigits)) return kMagicDigits.size();
  if (file.size() < 2 || file[0] != '\x80') return 0;
  const std::size_t start = file.substr(2, 1) == "\x95" ? 11 : 2;  // protocols 4 and 5 put a frame around it
  return file.substr(std::min(start, file.size()), kMagic.size()) == kMagic ? start + kMagic.size() : 0;
}

// The data comes after the object, which is therefore read twice: first to find the storages, made without memory, and
// then with them.
class LegacyHost : public PickleHost {
 public:
  explicit LegacyHost(const std::shared_ptr<Source>& source) : source_(source) {}

  std::variant<PickledStorage, Value> persistent(const Value& id) override {
    // ('module', class, file, source): where a class of modules was written.
    if (id.is(Value::Kind::Tuple) && id.size() == 4 && id.at({0}).is(Value::Kind::String) &&
        id.as_string({0}) == "module") {
      return id.at({1});
    }
    const StorageId wanted = parse_storage_id(*source_, id, 6);
    auto found = storages_.find(wanted.key);
    if (found == storages_.end()) {
      const std::uint64_t bytes = sizeof(gradus::detail::Storage) + sizeof(Pending) + 2 * wanted.key.size() + 100;
      source_->budget().charge(bytes);
      charged_ += bytes;
      Pending pending{wanted, {}, false};
      if (wanted.type->dtype) pending.memory = make_ref<gradus::detail::Storage>();
      if (pending.memory) pending.memory->nbytes = static_cast<std::size_t>(wanted.nbytes);
      found = storages_.emplace(wanted.key, std::move(pending)).first;
    }
    const Pending& known = found->second;
    if (known.id.type_name != wanted.type_name || known.id.size != wanted.size) {
      source_->fail(fmt::format("storage '{}' is said to be of two types or sizes", wanted.key));
    }
    PickledStorage storage{known.memory, wanted.type, false, 0, wanted.size};
    if (!wanted.view.is_none()) restrict_to(storage, wanted.view);
    return storage;
  }

  // What the storages take of the budget.
  std::uint64_t charged() const { return charged_; }

  void read_storages(Cursor& at, const Value& keys) {
    if (!keys.is(Value::Kind::List)) at.fail("has no list of storages");
    std::size_t read = 0;
    for (const Value& key : keys.items()) {
      const auto found = key.is(Value::Kind::String) ? storages_.find(key.as_string()) : storages_.end();
      if (found == storages_.end()) at.fail("lists a storage that nothing refers to");
      Pending& pending = found->second;
      if (std::exchange(pending.read, true)) at.fail(fmt::format("lists storage '{}' twice", found->first));
      const auto size = at.number<std::int64_t>();
      if (size != pending.id.size) {
        at.fail(fmt::format("has {} elements of storage '{}', which needs {}", size, found->first, pending.id.size));
      }
      const std::size_t offset = at.position();
      at.take(static_cast<std::uint64_t>(pending.id.nbytes));
      pending.memory = file_storage(source_, offset, static_cast<std::size_t>(pending.id.nbytes), *pending.id.type);
      ++read;
    }
    if (read != storages_.size()) at.fail(fmt::format("has {} storages, needs {}", read, storages_.size()));
  }

 private:
  struct Pending {
    StorageId id;
    StorageRef memory;
    bool read = false;
  };

  // (key, offset, size): PyTorch before 0.4 had storages that were parts of others.
  void restrict_to(PickledStorage& storage, const Value& view) const {
    const bool shaped = view.is(Value::Kind::Tuple) && view.size() == 3 && view.at({1}).is(Value::Kind::Int) &&
                        view.at({2}).is(Value::Kind::Int);
    if (!shaped) source_->fail("it has an invalid reference to a part of a storage");
    const std::int64_t offset = view.as_int({1}), size = view.as_int({2});
    if (offset < 0 || size < 0 || offset > storage.size || size > storage.size - offset) {
      source_->fail("it refers to a part beyond a storage");
    }
    storage.start = offset;
    storage.size = size;
  }

  std::shared_ptr<Source> source_;
  std::map<std::string, Pending> storages_;
  std::uint64_t charged_ = 0;
};

}  // namespace

bool is_pytorch_legacy(std::string_view file) { return magic_end(file) != 0; }

Value read_pytorch_legacy(const std::shared_ptr<Source>& source) {
  Cursor at(*source, "the checkpoint", magic_end(source->bytes()), source->size());
  const Value version = read_pickle(*source, at, nullptr);
  if (!version.is(Value::Kind::Int) || version.as_int() != 1001) at.fail("has an unknown version of the stream format");
  // The machine that wrote it. Its byte order does not matter: storages are little-endian in any case.
  read_pickle(*source, at, nullptr);
  LegacyHost host(source);
  const std::size_t object = at.position();
  const std::uint64_t used = source->budget().used();
  read_pickle(*source, at, &host);
  source->budget().refund(source->budget().used() - used - host.charged());
  host.read_storages(at, read_pickle(*source, at, nullptr));
  if (at.left() != 0) source->remark_rest(at.left());
  at.seek(object);
  return read_pickle(*source, at, &host);
}

}  // namespace gradus::io
