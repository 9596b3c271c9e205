#include <fmt/format.h>
#include <gradus/io/load.h>
#include <gradus/io/pytorch.h>

#include <unordered_map>

#include "io/checkpoint/find_state_dict.h"
#include "io/checkpoint/numpy.h"
#include "io/checkpoint/pytorch_formats.h"
#include "io/checkpoint/read_any.h"
#include "io/checkpoint/safetensors.h"
#include "io/file/file_kind.h"

namespace gradus::io {

namespace {

LoadedFile read_format(const std::shared_ptr<Source>& source) {
  const std::string_view file = source->bytes();
  switch (kind_of(file)) {
    case FileKind::Empty:
      source->fail("the file is empty");
    case FileKind::PytorchStream:
      return {"PyTorch checkpoint (stream format before 1.6)", read_pytorch_legacy(source)};
    case FileKind::Zip: {
      const Zip zip(source);
      if (!is_npz(zip)) {
        const bool script = is_torch_script(zip);
        return {.format = script ? "TorchScript or LibTorch archive" : "PyTorch checkpoint",
                .value = read_pytorch_zip(zip),
                .has_checksums = zip.has_checksums(),
                .nested_names = script};
      }
      if (source->options().verify) zip.verify();
      return {"NumPy arrays (.npz)", read_npz(zip), {}, zip.has_checksums()};
    }
    case FileKind::Npy:
      return {"NumPy array (.npy)", read_npy(source, "the file", 0, file.size())};
    case FileKind::Safetensors: {
      Safetensors read = read_safetensors(source);
      return {"safetensors", std::move(read.tensors), std::move(read.metadata)};
    }
    case FileKind::Tar:
      return {"PyTorch checkpoint (tar format of 2017)", read_pytorch_tar(source)};
    case FileKind::ShardIndex:
      source->fail("it is an index of other files; give the path of the index or of its folder");
    case FileKind::Unknown:
      break;
  }
  source->fail(describe_unknown(file));
}

// Says where the tensors lie that have attributes in the file.
class AttributeNotes {
 public:
  explicit AttributeNotes(Remarks& remarks) : notes_(remarks.notes) {
    for (const auto& [tensor, names] : remarks.attributes) names_.emplace(tensor.impl(), names);
  }

  void add(const Value& value) {
    if (value.is(Value::Kind::Tensor)) {
      const auto found = names_.find(value.as_tensor().impl());
      if (found != names_.end() && ++count_ <= kMost)
        notes_.push_back(fmt::format("attributes of '{}' are not read: {}", to_string(path_), found->second));
    } else if (value.is(Value::Kind::Dict)) {
      for (const auto& [key, item] : value.entries()) add_at(key, item);
    } else if (value.is(Value::Kind::List) || value.is(Value::Kind::Tuple)) {
      for (std::size_t i = 0; i < value.size(); ++i) add_at(i, value.items()[i]);
    } else if (value.is(Value::Kind::Object)) {
      add(value.content());
    }
  }
  void finish() {
    if (count_ > kMost) notes_.push_back(fmt::format("attributes of {} more tensors are not read", count_ - kMost));
  }

 private:
  static constexpr std::size_t kMost = 20;
  void add_at(const Key& key, const Value& value) {
    path_.push_back(key);
    add(value);
    path_.pop_back();
  }

  std::vector<std::string>& notes_;
  std::unordered_map<const void*, std::string_view> names_;
  Path path_;
  std::size_t count_ = 0;
};

}  // namespace

Remarks remarks_of(Source& source, const Value& value) {
  Remarks remarks = std::move(source.remarks());
  if (!remarks.attributes.empty()) {
    AttributeNotes notes(remarks);
    notes.add(value);
    notes.finish();
  }
  if (auto* wanted = source.options().notes) wanted->insert(wanted->end(), remarks.notes.begin(), remarks.notes.end());
  return remarks;
}

LoadedFile read_any(const std::shared_ptr<Source>& source) {
  LoadedFile file = read_format(source);
  file.remarks = remarks_of(*source, file.value);
  return file;
}

Value load(const std::string& path, const LoadOptions& options) { return read_path(path, options).value; }

void save(const std::string& path, const Value& value) {
  const std::size_t dot = path.rfind('.');
  const std::string suffix = dot == path.npos ? "" : path.substr(dot);
  if (suffix == ".pt" || suffix == ".pth" || suffix == ".ckpt" || suffix == ".bin") return save_pytorch(path, value);
  if (suffix == ".safetensors") return save_safetensors(path, value);
  if (suffix == ".npy") return save_npy(path, value.as_tensor());
  if (suffix == ".npz") return save_npz(path, value);
  throw ValueError(
      fmt::format("save: the name must end in .pt, .pth, .ckpt, .bin, .safetensors, .npy or .npz, got {}", path));
}

void save(const std::string& path, const nn::StateDict& dict) { save(path, to_value(dict)); }
void save(const nn::StateDict& dict, const std::string& path) { save(path, to_value(dict)); }

void save(const Value& value, const std::string& path) {
  // No format holds a text alone, and a path that stands first by mistake is one.
  if (value.is(Value::Kind::String))
    throw ValueError(fmt::format("save: cannot save a text, got {}", value.to_string()));
  save(path, value);
}

Value::Value(const nn::StateDict& dict) : Value(to_value(dict)) {}
Value::operator nn::StateDict() const { return to_state_dict(*this); }

nn::StateDict load_state_dict(const std::string& path, const LoadStateDictOptions& options) {
  StateDictRequest request{.at = options.at, .rename = options.rename, .load = options.load};
  if (!options.fit.empty()) request.fit = &options.fit;
  return find_state_dict(read_path(path, options.load), path, request).dict;
}

nn::StateDict to_state_dict(const Value& value) {
  nn::StateDict dict;
  for (const auto& [key, item] : value.entries()) {
    if (!key.is_string()) throw ValueError("to_state_dict: names are strings, got " + key.to_string());
    dict.set(key.to_string(), item.is(Value::Kind::Tensor) ? item.as_tensor() : not_a_tensor());
  }
  return dict;
}

Value to_value(const nn::StateDict& dict) {
  Value value = Value::dict();
  for (const auto& [name, tensor] : dict) value.set(name, tensor);
  return value;
}

}  // namespace gradus::io
