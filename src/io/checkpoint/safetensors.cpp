#include "io/checkpoint/safetensors.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "io/file/atomic_file.h"
#include "io/file/storage.h"

namespace gradus::io {

namespace {

using nlohmann::ordered_json;

constexpr std::uint64_t kMaxHeader = 100'000'000;
constexpr std::string_view kMetadata = "__metadata__";

struct Info {
  std::string name, dtype;
  std::vector<std::int64_t> shape, offsets;
};

// Takes the header piece by piece, so that neither depth nor repetition costs memory.
class HeaderReader final : public nlohmann::json_sax<ordered_json> {
 public:
  HeaderReader(Source& source, std::vector<Info>& infos, std::map<std::string, std::string>& metadata)
      : source_(source), infos_(infos), metadata_(metadata) {}

  bool start_object(std::size_t) override {
    if (place_ == Place::Outside) return go(Place::Top);
    if (place_ != Place::Top) fail("has an object where none belongs");
    return go(name_ == kMetadata ? Place::Metadata : Place::Tensor);
  }
  bool end_object() override {
    if (place_ == Place::Tensor && fields_ != 7)
      fail(fmt::format("tensor '{}' lacks dtype, shape or data_offsets", name_));
    return go(place_ == Place::Top ? Place::Outside : Place::Top);
  }
  bool key(std::string& key) override {
    source_.budget().charge(key.size() + 64);
    if (place_ == Place::Top) {
      name_ = key;
      if (key == kMetadata) {
        if (std::exchange(has_metadata_, true)) fail("has two entries __metadata__");
        return true;
      }
      source_.budget().grow(infos_);
      infos_.emplace_back().name = key;
      fields_ = 0;
    } else if (place_ == Place::Metadata) {
      if (!metadata_.emplace(key, "").second) fail(fmt::format("has two entries '{}' in __metadata__", key));
    } else {
      const int bit = key == "dtype" ? 1 : key == "shape" ? 2 : key == "data_offsets" ? 4 : 0;
      if (bit == 0) fail(fmt::format("tensor '{}' has the unknown field '{}'", name_, key.substr(0, 100)));
      if (fields_ & bit) fail(fmt::format("tensor '{}' has two fields '{}'", name_, key));
      fields_ |= bit;
    }
    field_ = key;
    return true;
  }
  bool start_array(std::size_t) override {
    if (place_ != Place::Tensor || field_ == "dtype") fail("has a list where none belongs");
    return go(field_ == "shape" ? Place::Shape : Place::Offsets);
  }
  bool end_array() override {
    if (place_ == Place::Offsets && infos_.back().offsets.size() != 2) {
      fail(fmt::format("tensor '{}' needs two data_offsets", name_));
    }
    return go(Place::Tensor);
  }
  bool string(std::string& text) override {
    source_.budget().charge(text.size());
    if (place_ == Place::Metadata) {
      metadata_[field_] = text;
    } else if (place_ == Place::Tensor && field_ == "dtype") {
      infos_.back().dtype = text;
    } else {
      fail("has a text where none belongs");
    }
    return true;
  }
  bool number_unsigned(std::uint64_t number) override {
    if (place_ != Place::Shape && place_ != Place::Offsets) fail("has a number where none belongs");
    if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      fail(fmt::format("tensor '{}' has a number beyond 64 bits", name_));
    }
    auto& list = place_ == Place::Shape ? infos_.back().shape : infos_.back().offsets;
    if (list.size() >= 64) fail(fmt::format("tensor '{}' has more than 64 dimensions", name_));
    source_.budget().grow(list);
    list.push_back(static_cast<std::int64_t>(number));
    return true;
  }
  bool number_integer(std::int64_t) override { fail(fmt::format("tensor '{}' has a negative number", name_)); }
  bool number_float(double, const std::string&) override {
    fail(fmt::format("tensor '{}' has a number with a fraction", name_));
  }
  bool null() override { fail("has a null where none belongs"); }
  bool boolean(bool) override { fail("has a true or false where none belongs"); }
  bool binary(ordered_json::binary_t&) override { fail("has binary data"); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    fail(fmt::format("is not valid JSON at byte {}", position));
  }

 private:
  enum class Place { Outside, Top, Metadata, Tensor, Shape, Offsets };
  bool go(Place place) {
    place_ = place;
    return true;
  }
  [[noreturn]] void fail(std::string_view what) const { source_.fail(fmt::format("the header {}", what)); }

  Source& source_;
  std::vector<Info>& infos_;
  std::map<std::string, std::string>& metadata_;
  Place place_ = Place::Outside;
  std::string name_, field_;
  int fields_ = 7;
  bool has_metadata_ = false;
};

// In the order of the data: no byte may belong to none, or to two.
void check_data(const Source& source, const std::vector<Info>& infos, std::uint64_t data_size) {
  std::vector<const Info*> order;
  for (const Info& info : infos) order.push_back(&info);
  const auto by_place = [](const Info* a, const Info* b) { return a->offsets < b->offsets; };
  std::sort(order.begin(), order.end(), by_place);
  std::int64_t end = 0;
  for (const Info* info : order) {
    if (info->offsets[0] != end || info->offsets[1] < end) {
      source.fail(fmt::format("tensor '{}' has bytes {} to {}, where the one before it ends at {}", info->name,
                              info->offsets[0], info->offsets[1], end));
    }
    end = info->offsets[1];
  }
  if (static_cast<std::uint64_t>(end) != data_size) {
    source.fail(fmt::format("the tensors have {} bytes, the file holds {} after the header", end, data_size));
  }
  const auto by_name = [](const Info* a, const Info* b) { return a->name < b->name; };
  std::sort(order.begin(), order.end(), by_name);
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (order[i]->name == order[i - 1]->name) source.fail(fmt::format("two tensors are named '{}'", order[i]->name));
  }
}

Value tensor_of(const std::shared_ptr<Source>& source, const Info& info, std::size_t offset, std::size_t nbytes) {
  const ElementType* type = safetensors_type(info.dtype);
  if (type == nullptr || !type->dtype) return unknown_tensor(info.dtype.substr(0, 20), info.shape);
  const std::int64_t wanted = checked_bytes(*source, "a tensor", type->size, info.shape);
  if (static_cast<std::uint64_t>(wanted) != nbytes) {
    source->fail(fmt::format("tensor '{}' of sizes [{}] needs {} bytes, got {}", info.name, fmt::join(info.shape, ", "),
                             wanted, nbytes));
  }
  const StorageRef storage = file_storage(source, offset, nbytes, *type);
  if (storage == nullptr) return unknown_tensor(type->torch, info.shape);
  return whole_tensor(*source, storage, *type->dtype, info.shape);
}

}  // namespace

bool is_safetensors(std::string_view file) {
  std::uint64_t size = 0;
  if (file.size() < 10) return false;
  std::memcpy(&size, file.data(), sizeof size);
  return size <= kMaxHeader && file[8] == '{';
}

Safetensors read_safetensors(const std::shared_ptr<Source>& source) {
  const std::string_view file = source->bytes();
  std::uint64_t size = 0;
  if (file.size() < sizeof size) source->fail("too short for a safetensors file");
  std::memcpy(&size, file.data(), sizeof size);
  if (size > kMaxHeader) source->fail(fmt::format("its header has {} bytes, more than the 100 MB allowed", size));
  if (size > file.size() - sizeof size) source->fail(fmt::format("it ends within its header of {} bytes", size));
  const std::string_view header = file.substr(sizeof size, size);
  if (header.empty() || header[0] != '{') source->fail("the header does not begin with {");

  Safetensors result;
  std::vector<Info> infos;
  HeaderReader reader(*source, infos, result.metadata);
  ordered_json::sax_parse(header.begin(), header.end(), &reader);

  const std::size_t start = sizeof size + size;
  source->budget().charge(infos.size() * 2 * sizeof(void*));
  check_data(*source, infos, file.size() - start);
  result.tensors = Value::dict();
  for (const Info& info : infos) {
    const auto nbytes = static_cast<std::size_t>(info.offsets[1] - info.offsets[0]);
    source->budget().charge(sizeof(gradus::detail::Storage) + 3 * (sizeof(Value::Entry) + 12) + info.name.size() + 80);
    result.tensors.set(info.name, tensor_of(source, info, start + static_cast<std::size_t>(info.offsets[0]), nbytes));
  }
  return result;
}

Safetensors load_safetensors(const std::string& path, const LoadOptions& options) {
  return read_safetensors(Source::open(path, options));
}

void save_safetensors(const std::string& path, const Value& tensors,
                      const std::map<std::string, std::string>& metadata) {
  if (!tensors.is(Value::Kind::Dict))
    throw ValueError("save_safetensors: need a dict of tensors, got " + tensors.to_string().substr(0, 100));
  std::vector<std::pair<std::string, Tensor>> order;
  for (const auto& [key, value] : tensors.entries()) {
    if (!key.is_string() || key.text() == kMetadata || !value.is(Value::Kind::Tensor)) {
      throw ValueError(fmt::format("save_safetensors: the format holds tensors by name, got {} named {}",
                                   to_string(value.kind()), key.to_string()));
    }
    order.emplace_back(key.text(), value.as_tensor());
  }
  // The largest elements first: then all data is aligned.
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    const auto x = a.second.element_size(), y = b.second.element_size();
    return x != y ? x > y : a.first < b.first;
  });
  ordered_json header = ordered_json::object();
  if (!metadata.empty()) header[std::string(kMetadata)] = metadata;
  std::int64_t end = 0;
  for (const auto& [name, tensor] : order) {
    const std::int64_t begin = end;
    end += tensor.numel() * tensor.element_size();
    ordered_json info;
    info["dtype"] = element_type(tensor.dtype()).safetensors;
    info["shape"] = std::vector<std::int64_t>(tensor.sizes().begin(), tensor.sizes().end());
    info["data_offsets"] = {begin, end};
    header[name] = std::move(info);
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const ordered_json::exception&) {
    throw ValueError("save_safetensors: names and metadata must be UTF-8");
  }
  text.append((8 - text.size() % 8) % 8, ' ');
  if (text.size() > kMaxHeader) {
    throw ValueError(
        fmt::format("save_safetensors: names and sizes need {} bytes, more than the 100 MB allowed", text.size()));
  }
  const std::uint64_t size = text.size();
  AtomicFile file(path);
  file.write({reinterpret_cast<const char*>(&size), sizeof size});
  file.write(text);
  for (const auto& [name, tensor] : order) {
    const Tensor dense = tensor.detach().contiguous().cpu();
    file.write({static_cast<const char*>(dense.const_data_ptr()),
                static_cast<std::size_t>(dense.numel() * dense.element_size())});
  }
  file.commit();
}

}  // namespace gradus::io
