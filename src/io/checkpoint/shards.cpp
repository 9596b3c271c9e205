#include "io/checkpoint/shards.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "io/file/file_kind.h"

namespace gradus::io {

namespace {

namespace fs = std::filesystem;

// A name as a message has it: short, and without bytes that no terminal should get.
std::string shown(std::string_view name) {
  std::string text(name.substr(0, 80));
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return text;
}

// The first few of many names, for a message.
std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 4;
  std::vector<std::string> first;
  for (std::size_t i = 0; i < std::min(kShown, names.size()); ++i) first.push_back(shown(names[i]));
  return fmt::format("{}{}", fmt::join(first, ", "), names.size() > kShown ? ", ..." : "");
}

using WeightMap = std::vector<std::pair<std::string, std::string>>;  // tensor, file

// Takes {"metadata": {...}, "weight_map": {"tensor": "file", ...}} piece by piece, so that nothing else costs memory.
class IndexReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  IndexReader(Source& source, WeightMap& map) : source_(source), map_(map) {}

  bool start_object(std::size_t) override {
    if (in_map()) fail("has an object where a file's name belongs");
    return ++depth_, true;
  }
  bool end_object() override { return --depth_, true; }
  bool start_array(std::size_t) override {
    if (depth_ == 1 && top_ == "weight_map") fail("has a list where its weight_map belongs");
    return start_object(0);
  }
  bool end_array() override { return end_object(); }
  bool key(std::string& key) override {
    if (depth_ == 1) top_ = key;
    if (in_map()) {
      source_.budget().charge(2 * key.size() + 64);
      source_.budget().grow(map_);
      map_.emplace_back(key, "");
    }
    return true;
  }
  bool string(std::string& text) override {
    if (!in_map()) return true;
    source_.budget().charge(2 * text.size());
    map_.back().second = text;
    return true;
  }
  bool number_unsigned(std::uint64_t) override { return other(); }
  bool number_integer(std::int64_t) override { return other(); }
  bool number_float(double, const std::string&) override { return other(); }
  bool null() override { return other(); }
  bool boolean(bool) override { return other(); }
  bool binary(nlohmann::json::binary_t&) override { return other(); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    fail(fmt::format("is not valid JSON at byte {}", position));
  }

 private:
  bool in_map() const { return depth_ == 2 && top_ == "weight_map"; }
  bool other() {
    if (in_map()) fail("has a number where a file's name belongs");
    return true;
  }
  [[noreturn]] void fail(std::string_view what) const { source_.fail(fmt::format("the index {}", what)); }

  Source& source_;
  WeightMap& map_;
  int depth_ = 0;
  std::string top_;
};

// Only names of files beside the index: nothing in a file may point elsewhere.
bool is_file_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find_first_of("/\\") == name.npos &&
         name.find('\0') == name.npos;
}

// A folder, a pipe or a device is not read.
bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

std::string name_of(const std::string& path) { return fs::path(path).filename().string(); }

// A dict of all that the files hold; `from` is told each name and the file it came from.
template <class From>
LoadedFile merged(const std::vector<std::string>& files, const LoadOptions& options, From&& from) {
  LoadedFile all{"", Value::dict()};
  for (const std::string& file : files) {
    const auto source = Source::open(file, options);
    LoadedFile part = read_any(source);
    if (!part.value.is(Value::Kind::Dict))
      source->fail(fmt::format("need a dict of tensors, got {}", to_string(part.value.kind())));
    for (const auto& [key, value] : part.value.entries()) {
      from(key.to_string(), file);
      all.value.set(key, value);
    }
    all.metadata.merge(part.metadata);
    all.has_checksums = all.has_checksums || part.has_checksums;
    all.remarks.take(std::move(part.remarks));
    all.bytes += source->size();
    all.format = fmt::format("{} file{}: {}", files.size(), files.size() == 1 ? "" : "s", part.format);
  }
  return all;
}

// "model-00001-of-00003.safetensors" -> 3; 0 for other names.
std::size_t shard_count(const std::string& name) {
  const std::size_t of = name.find("-of-");
  if (of == name.npos) return 0;
  std::size_t count = 0, digits = 0;
  for (std::size_t i = of + 4; i < name.size() && digits < 6 && std::isdigit(static_cast<unsigned char>(name[i]));
       ++i, ++digits)
    count = 10 * count + static_cast<std::size_t>(name[i] - '0');
  return count;
}

// What a folder is that holds no weights in a form that is read; "" if that is not known.
std::string describe_folder(const fs::path& folder, const std::vector<std::string>& names) {
  const auto has = [&](std::string_view name) { return std::find(names.begin(), names.end(), name) != names.end(); };
  const auto ends = [&](std::string_view end) {
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) { return name.ends_with(end); });
  };
  if (ends(".distcp"))
    return fmt::format(
        "a checkpoint of torch.distributed.checkpoint (.distcp); make one file of it in Python: "
        "python -m torch.distributed.checkpoint.format_utils dcp_to_torch '{}' weights.pth",
        folder.string());
  if (has("snapshots") && has("refs")) return "the Hub's cache of a model; give one of the folders in its snapshots/";
  if (has("zero_to_fp32.py"))
    return "a checkpoint of DeepSpeed; make one file of it in Python: python zero_to_fp32.py . weights.pth";
  if (has("data.pkl"))
    return "an unpacked PyTorch checkpoint; pack it again: zip -0 -r ../weights.pth . (of the folder around it)";
  if (has("saved_model.pb")) return "a TensorFlow model; convert it to safetensors in Python";
  if (has("tf_model.h5")) return "a TensorFlow model; load it in Python with from_tf=True and save it as safetensors";
  if (has("flax_model.msgpack"))
    return "a Flax model; load it in Python with from_flax=True and save it as safetensors";
  if (ends(".index") && ends(".data-00000-of-00001"))
    return "a TensorFlow checkpoint; convert it to safetensors in Python";
  if (ends(".onnx")) return "a folder of ONNX models, which are programs; take the checkpoint that they were made from";
  if (ends(".gguf")) return "a folder of GGUF files (of llama.cpp); take the safetensors that they were made from";
  if (has("checkpoints")) return "the folder of a run without saved weights; its checkpoints lie in checkpoints/";
  return "";
}

}  // namespace

std::vector<std::string> weights_in(const std::string& folder) {
  const fs::path at(folder);
  const auto fail = [&](const std::string& what) { throw IoError(fmt::format("load: {}: a folder{}", folder, what)); };
  // Transformers' order, then the names of others that write one network into a folder.
  for (const char* name :
       {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json",
        "diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.safetensors.index.json",
        "diffusion_pytorch_model.bin", "adapter_model.safetensors", "adapter_model.bin", "model.pth"}) {
    if (is_file(at / name)) return {(at / name).string()};
  }
  std::vector<std::string> names, weights, indexes;
  std::error_code error;
  for (fs::directory_iterator entry(at, error), end; !error && entry != end; entry.increment(error)) {
    std::string name = entry->path().filename().string();
    const std::string suffix = entry->path().extension().string();
    const bool weight =
        suffix == ".safetensors" || suffix == ".bin" || suffix == ".pth" || suffix == ".pt" || suffix == ".ckpt";
    if (!name.starts_with('.') && is_file(entry->path())) {
      if (name.ends_with(".index.json")) indexes.push_back(name);
      if (weight && name != "training_args.bin" && name != "optimizer.pt" && name != "scheduler.pt" &&
          name != "optimizer.bin" && name != "scheduler.bin")
        weights.push_back(name);
    }
    names.push_back(std::move(name));
  }
  if (error) fail(fmt::format(" that cannot be read: {}", error.message()));
  std::sort(weights.begin(), weights.end());
  if (indexes.size() == 1) return {(at / indexes[0]).string()};
  if (weights.size() == 1 && shard_count(weights[0]) <= 1) return {(at / weights[0]).string()};
  const std::size_t count = weights.empty() ? 0 : shard_count(weights[0]);
  const bool shards = count > 0 && std::all_of(weights.begin(), weights.end(),
                                               [&](const std::string& name) { return shard_count(name) == count; });
  if (shards && weights.size() == count) {
    for (std::string& name : weights) name = (at / name).string();
    return weights;
  }
  if (shards) fail(fmt::format(" with {} of {} files, and no index: {}", weights.size(), count, listed(weights)));
  if (!weights.empty()) fail(fmt::format(" with several files of weights: {}; give one of them", listed(weights)));
  const std::string what = describe_folder(at, names);
  if (!what.empty()) throw IoError(fmt::format("load: {}: {}", folder, what));
  std::sort(names.begin(), names.end());
  fail(names.empty() ? ", and an empty one" : fmt::format(" without weights; it holds {}", listed(names)));
  return {};
}

WeightMap read_weight_map(Source& index) {
  WeightMap map;
  IndexReader reader(index, map);
  const std::string_view text = index.bytes();
  nlohmann::json::sax_parse(text.begin(), text.end(), &reader);
  if (map.empty()) index.fail("the index names no tensors");
  return map;
}

LoadedFile read_index(const std::shared_ptr<Source>& index, const LoadOptions& options) {
  const WeightMap map = read_weight_map(*index);
  const fs::path folder = fs::path(index->name()).parent_path();
  std::unordered_map<std::string, std::string> wanted;  // tensor -> file
  std::vector<std::string> names, missing;
  for (const auto& [tensor, name] : map) {
    if (!is_file_name(name))
      index->fail(fmt::format("the index says that '{}' is in '{}', which is not the name of a file beside it",
                              shown(tensor), shown(name)));
    if (!wanted.emplace(tensor, name).second) index->fail(fmt::format("the index names '{}' twice", shown(tensor)));
    names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::vector<std::string> files;
  for (const std::string& name : names) {
    files.push_back((folder / name).string());
    if (!is_file(files.back())) missing.push_back(name);
  }
  if (!missing.empty())
    index->fail(fmt::format("{} of the {} files that it names are not there: {}", missing.size(), names.size(),
                            listed(missing)));

  std::vector<std::string> unnamed;
  LoadedFile all = merged(files, options, [&](const std::string& tensor, const std::string& file) {
    const auto found = wanted.find(tensor);
    if (found == wanted.end()) {
      unnamed.push_back(fmt::format("{} ({})", shown(tensor), name_of(file)));
    } else if (found->second != name_of(file)) {
      index->fail(
          fmt::format("'{}' is in {}; the index says in {}", shown(tensor), name_of(file), shown(found->second)));
    }
  });
  std::vector<std::string> absent;
  for (const auto& [tensor, name] : map)
    if (!all.value.contains({tensor})) absent.push_back(fmt::format("{} ({})", shown(tensor), name));
  if (!absent.empty())
    index->fail(fmt::format("{} of the {} tensors that it names are not in the files it says: {}", absent.size(),
                            map.size(), listed(absent)));
  if (!unnamed.empty())
    index->fail(
        fmt::format("its files hold {} tensors that it does not name: {}; they are of another model, or the "
                    "index is",
                    unnamed.size(), listed(unnamed)));
  return all;
}

LoadedFile read_shards(const std::vector<std::string>& files, const LoadOptions& options) {
  std::unordered_map<std::string, std::string> seen;
  return merged(files, options, [&](const std::string& tensor, const std::string& file) {
    const auto [known, added] = seen.emplace(tensor, name_of(file));
    if (!added)
      throw IoError(fmt::format("load: '{}' is in two files: {} and {}", shown(tensor), known->second, name_of(file)));
  });
}

LoadedFile read_path(const std::string& path, const LoadOptions& options) {
  std::error_code error;
  std::vector<std::string> files{path};
  if (fs::is_directory(path, error)) files = weights_in(path);
  if (files.size() > 1) return read_shards(files, options);
  const auto source = Source::open(files[0], options);
  if (kind_of(source->bytes()) == FileKind::ShardIndex) return read_index(source, options);
  LoadedFile file = read_any(source);
  file.bytes = source->size();
  return file;
}

}  // namespace gradus::io
