// The zip format: NAME/data.pkl, NAME/data/0, NAME/data/1, ..., NAME/byteorder, NAME/version.
#include <algorithm>
#include <unordered_map>
#include <utility>

#include "io/checkpoint/pytorch_formats.h"
#include "io/file/file_kind.h"

namespace gradus::io {

namespace {

// Where an entry's bytes lie: in the file, or unpacked where a tool has packed the archive anew.
struct Content {
  std::shared_ptr<Source> source;
  std::size_t offset, size;

  Content(const Zip& zip, const ZipEntry& entry)
      : source(zip.source()), offset(entry.offset), size(static_cast<std::size_t>(entry.size)) {
    if (entry.method == ZipEntry::Method::Stored) return;
    source = zip.inflated(entry);
    offset = 0;
  }
  std::string_view bytes() const { return source->bytes().substr(offset, size); }
};

class ZipHost : public PickleHost {
 public:
  // Storages lie in `folder` below the prefix: "data/".
  ZipHost(const Zip& zip, const std::string& prefix, std::string_view folder, bool big_endian)
      : zip_(zip), folder_(prefix + std::string(folder)), big_endian_(big_endian) {}

  std::variant<PickledStorage, Value> persistent(const Value& id) override {
    const Source& source = *zip_.source();
    const StorageId wanted = parse_storage_id(source, id, 5);
    auto found = storages_.find(wanted.key);
    if (found == storages_.end()) found = storages_.emplace(wanted.key, read(wanted)).first;
    const auto& [storage, type_name] = found->second;
    if (storage.size != wanted.size || type_name != wanted.type_name) {
      source.fail(fmt::format("storage '{}' is said to be of two types or sizes", wanted.key));
    }
    return storage;
  }

 private:
  using Known = std::pair<PickledStorage, std::string>;

  Known read(const StorageId& wanted) {
    Source& source = *zip_.source();
    const ZipEntry* entry = zip_.find(folder_ + wanted.key);
    if (entry == nullptr) source.fail(fmt::format("it has no data of storage '{}'", wanted.key));
    if (entry->size != static_cast<std::uint64_t>(wanted.nbytes)) {
      source.fail(fmt::format("storage '{}' needs {} bytes, its data has {}", wanted.key, wanted.nbytes, entry->size));
    }
    source.budget().charge(sizeof(gradus::detail::Storage) + sizeof(Known) + 2 * wanted.key.size() + 100);
    const Content content(zip_, *entry);
    PickledStorage storage{file_storage(content.source, content.offset, content.size, *wanted.type, big_endian_),
                           wanted.type, big_endian_, 0, wanted.size};
    if (content.source != zip_.source()) source.remarks().take(std::move(content.source->remarks()));
    return {std::move(storage), wanted.type_name};
  }

  const Zip& zip_;
  std::string folder_;
  bool big_endian_;
  std::unordered_map<std::string, Known> storages_;
};

// Compares all checksums, those of tensors first, so that an error can name the tensor.
class Verification {
 public:
  explicit Verification(const Zip& zip) : zip_(zip) {
    zip.source()->budget().charge(zip.entries().size() * sizeof(Known));
    entries_.reserve(zip.entries().size());
    for (const ZipEntry& entry : zip.entries())
      if (entry.method == ZipEntry::Method::Stored) entries_.push_back({&entry});
    std::sort(entries_.begin(), entries_.end(),
              [](const Known& a, const Known& b) { return a.entry->offset < b.entry->offset; });
  }

  void run(const Value& value) {
    visit(value);
    for (const auto& [entry, checked] : entries_)
      if (!checked) zip_.check_crc(*entry, zip_.stored(*entry));
  }

 private:
  struct Known {
    const ZipEntry* entry;
    bool checked = false;
  };

  void visit(const Value& value) {
    if (value.is(Value::Kind::Tensor)) return check(value.as_tensor());
    const auto below = [&](const Key& key, const Value& item) {
      path_.push_back(key);
      visit(item);
      path_.pop_back();
    };
    if (value.is(Value::Kind::Dict)) {
      for (const auto& [key, item] : value.entries()) below(key, item);
    } else if (value.is(Value::Kind::List) || value.is(Value::Kind::Tuple)) {
      for (std::size_t i = 0; i < value.size(); ++i) below(i, value.items()[i]);
    } else if (value.is(Value::Kind::Object)) {
      visit(value.content());
    }
  }

  void check(const Tensor& tensor) {
    const auto* data = static_cast<const char*>(tensor.impl()->storage->data);
    const std::string_view file = zip_.source()->bytes();
    if (data == nullptr || data < file.data() || data >= file.data() + file.size()) return;  // a copy
    const auto offset = static_cast<std::uint64_t>(data - file.data());
    const auto found = std::lower_bound(entries_.begin(), entries_.end(), offset,
                                        [](const Known& known, auto place) { return known.entry->offset < place; });
    if (found == entries_.end() || found->entry->offset != offset || std::exchange(found->checked, true)) return;
    zip_.check_crc(*found->entry, zip_.stored(*found->entry), "tensor " + to_string(path_));
  }

  const Zip& zip_;
  std::vector<Known> entries_;  // by their place
  Path path_;
};

constexpr std::string_view kPickle = "data.pkl", kConstants = "constants.pkl";

// An entry's name within the archive's folder: "data.pkl".
std::string_view in_folder(std::string_view name) {
  const std::size_t slash = name.find('/');
  return slash == name.npos ? name : name.substr(slash + 1);
}

// The folder in which all entries lie: "archive/".
std::string find_prefix(const Zip& zip) {
  const Source& source = *zip.source();
  const ZipEntry* found = nullptr;
  for (const ZipEntry& entry : zip.entries()) {
    if (in_folder(entry.name) != kPickle) continue;
    if (found != nullptr) source.fail("two checkpoints are packed into it");
    found = &entry;
  }
  if (found == nullptr) source.fail(describe_unknown(zip));
  return std::string(found->name.substr(0, found->name.size() - kPickle.size()));
}

Value read_part(const Zip& zip, const ZipEntry& entry, std::string_view name, ZipHost& host) {
  const Content content(zip, entry);
  if (content.source == zip.source()) zip.check_crc(entry, content.bytes());  // inflating has checked it already
  Cursor at(*content.source, name, content.offset, content.offset + content.size);
  Value value = read_pickle(*zip.source(), at, &host);
  if (at.left() != 0) at.fail("goes on after its end");
  return value;
}

}  // namespace

StorageId parse_storage_id(const Source& source, const Value& id, std::size_t fields) {
  const auto text = [](const Value& value) { return value.is(Value::Kind::String) && value.size() <= 100; };
  const bool shaped = id.is(Value::Kind::Tuple) && id.size() == fields && text(id.at({0})) && text(id.at({1})) &&
                      text(id.at({2})) && text(id.at({3})) && id.at({4}).is(Value::Kind::Int);
  if (!shaped || id.as_string({0}) != "storage") source.fail("it refers to something that is not a storage");
  StorageId result{id.as_string({1}), torch_storage(id.as_string({1})), id.as_string({2}), id.as_int({4}), 0, {}};
  if (result.type == nullptr) source.fail(fmt::format("it has a storage of the unknown type {}", result.type_name));
  if (result.size < 0 || __builtin_mul_overflow(result.size, result.type->size, &result.nbytes)) {
    source.fail(fmt::format("storage '{}' is said to have {} elements", result.key, result.size));
  }
  if (fields > 5) result.view = id.at({5});
  return result;
}

bool is_torch_script(const Zip& zip) {
  return std::any_of(zip.entries().begin(), zip.entries().end(),
                     [](const ZipEntry& entry) { return in_folder(entry.name) == kConstants; });
}

Value read_pytorch_zip(const Zip& zip) {
  const std::string prefix = find_prefix(zip);
  Source& source = *zip.source();
  bool big_endian = false;
  if (const ZipEntry* order = zip.find(prefix + "byteorder")) {
    const Content content(zip, *order);
    const std::string_view name = content.bytes();
    if (name != "little" && name != "big") source.fail("its byteorder is neither little nor big");
    big_endian = name == "big";
  }
  ZipHost host(zip, prefix, "data/", big_endian);
  Value value = read_part(zip, *zip.find(prefix + std::string(kPickle)), kPickle, host);
  // torch.jit.freeze makes constants of the weights. They have lost their names.
  const ZipEntry* constants = zip.find(prefix + std::string(kConstants));
  if (constants != nullptr && value.is(Value::Kind::Dict) && value.size() == 0) {
    ZipHost constants_host(zip, prefix, "constants/", big_endian);
    value.set("constants", read_part(zip, *constants, kConstants, constants_host));
  }
  if (source.options().verify) Verification(zip).run(value);
  return value;
}

}  // namespace gradus::io
