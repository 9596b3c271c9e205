#include <fmt/format.h>
#include <gradus/io/load.h>
#include <gradus/io/pytorch.h>

#include <algorithm>

#include "io/numpy.h"
#include "io/pytorch_formats.h"
#include "io/read_any.h"
#include "io/safetensors.h"

namespace gradus::io {

namespace {

// The keys, as far as they fit a message.
std::string keys_of(const Value& value) {
  std::string text;
  std::size_t shown = 0;
  for (const auto& [key, item] : value.entries()) {
    if (++shown > 8) return text + ", ...";
    text.append(text.empty() ? "" : ", ").append(key.to_string().substr(0, 60));
  }
  return text;
}

bool is_state_dict(const Value& value) {
  if (!value.is(Value::Kind::Dict)) return false;
  const auto entries = value.entries();
  return std::all_of(entries.begin(), entries.end(),
                     [](const Value::Entry& e) { return e.first.is_string() && e.second.is(Value::Kind::Tensor); });
}

}  // namespace

namespace {

LoadedFile read_format(const std::shared_ptr<Source>& source) {
  const std::string_view file = source->bytes();
  if (file.empty()) source->fail("the file is empty");
  if (is_pytorch_legacy(file)) return {"PyTorch checkpoint (stream format before 1.6)", read_pytorch_legacy(source)};
  if (file.starts_with("PK")) {
    const Zip zip(source);
    if (!is_npz(zip)) return {"PyTorch checkpoint", read_pytorch_zip(zip), {}, zip.has_checksums()};
    if (source->options().verify) zip.verify();
    return {"NumPy arrays (.npz)", read_npz(zip), {}, zip.has_checksums()};
  }
  if (is_npy(file)) return {"NumPy array (.npy)", read_npy(source, "the file", 0, file.size())};
  if (is_safetensors(file)) {
    Safetensors read = read_safetensors(source);
    return {"safetensors", std::move(read.tensors), std::move(read.metadata)};
  }
  if (is_tar(file)) return {"PyTorch checkpoint (tar format of 2017)", read_pytorch_tar(source)};
  source->fail("no format that is known here; known are PyTorch checkpoints, safetensors, .npy and .npz");
}

}  // namespace

LoadedFile read_any(const std::shared_ptr<Source>& source) {
  LoadedFile file = read_format(source);
  file.remarks = std::move(source->remarks());
  return file;
}

Value load(const std::string& path, const LoadOptions& options) { return read_any(Source::open(path, options)).value; }

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

nn::StateDict load_state_dict(const std::string& path, const LoadStateDictOptions& options) {
  const Value file = load(path, options.load);
  const Value value = file.at(options.at);
  const std::string place = options.at.empty() ? "" : fmt::format(" at {}", to_string(options.at));
  if (!is_state_dict(value)) {
    std::string advice;
    if (value.is(Value::Kind::Dict)) {
      advice = fmt::format(" It holds {}.", keys_of(value));
      for (const auto& [key, item] : value.entries()) {
        if (!is_state_dict(item) || item.size() == 0) continue;
        advice += fmt::format(" Perhaps {{.at = {{\"{}\"}}}}?", key.to_string().substr(0, 60));
        break;
      }
    }
    throw ValueError(fmt::format("load_state_dict: {}: need a dict of tensors{}, got {}.{}", path, place,
                                 to_string(value.kind()), advice));
  }
  nn::StateDict dict;
  for (const auto& [key, item] : value.entries()) {
    std::string name = renamed(key.to_string(), options.rename);
    if (dict.contains(name)) throw ValueError(fmt::format("load_state_dict: two names become '{}'", name));
    dict.set(std::move(name), item.as_tensor());
  }
  return dict;
}

nn::StateDict to_state_dict(const Value& value) {
  nn::StateDict dict;
  for (const auto& [key, item] : value.entries()) {
    if (!key.is_string()) throw ValueError("to_state_dict: names are strings, got " + key.to_string());
    dict.set(key.to_string(), value.as_tensor({key}));
  }
  return dict;
}

Value to_value(const nn::StateDict& dict) {
  Value value = Value::dict();
  for (const auto& [name, tensor] : dict) value.set(name, tensor);
  return value;
}

}  // namespace gradus::io
