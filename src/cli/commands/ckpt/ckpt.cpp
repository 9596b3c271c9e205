#include "cli/commands/ckpt/ckpt.h"

#include <fmt/format.h>
#include <gradus/autograd.h>
#include <gradus/io.h>
#include <gradus/ops.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "cli/commands/ckpt/ckpt_leaves.h"
#include "cli/run/weights.h"
#include "io/checkpoint/find_state_dict.h"
#include "io/checkpoint/renamer.h"
#include "io/pickle/pickle_writer.h"
#include "io/value/find_path.h"
#include "text/units.h"

namespace gradus::cli {

namespace {

using io::Value;

std::string describe(const Value& value) {
  if (!value.is(Value::Kind::Tensor)) return printable(value.to_string());
  const Tensor x = value.as_tensor();
  return fmt::format("{} {}", to_string(x.sizes()), to_string(x.dtype()));
}

double distance(std::int64_t a, std::int64_t b) {
  const auto x = static_cast<std::uint64_t>(a), y = static_cast<std::uint64_t>(b);
  return static_cast<double>(a < b ? y - x : x - y);
}
double distance(double a, double b) { return std::abs(a - b); }

struct Comparison {
  std::int64_t count = 0;  // of elements that differ
  double most = 0;         // by how much
};

// As numbers of type T; NaNs are the same as each other. In pieces, as tensors may be large.
template <class T>
Comparison compare_as(const Tensor& a, const Tensor& b) {
  constexpr std::int64_t kPiece = std::int64_t{1} << 20;
  const Tensor x = a.detach().contiguous().view({a.numel()}), y = b.detach().contiguous().view({b.numel()});
  Comparison result;
  for (std::int64_t at = 0; at < x.numel(); at += kPiece) {
    const std::int64_t length = std::min(kPiece, x.numel() - at);
    const auto left = x.narrow(0, at, length).to_vector<T>(), right = y.narrow(0, at, length).template to_vector<T>();
    for (std::size_t i = 0; i < left.size(); ++i) {
      if (left[i] == right[i] || (left[i] != left[i] && right[i] != right[i])) continue;
      ++result.count;
      const double by = distance(left[i], right[i]);
      result.most = std::isnan(by) || by > result.most ? by : result.most;
    }
  }
  return result;
}

// Of the same type.
Comparison compare(const Tensor& a, const Tensor& b) {
  return a.is_floating_point() ? compare_as<double>(a, b) : compare_as<std::int64_t>(a, b);
}

// One line on what differs, or "".
std::string difference(const Value& a, const Value& b) {
  const bool tensors = a.is(Value::Kind::Tensor) && b.is(Value::Kind::Tensor);
  if (describe(a) != describe(b)) return fmt::format("{} and {}", describe(a), describe(b));
  if (!tensors) return a.to_string() == b.to_string() ? "" : "differs";
  const auto [count, most] = compare(a.as_tensor(), b.as_tensor());
  if (count == 0) return "";
  return fmt::format("{} of {} elements differ, by up to {:.3g}", count, a.as_tensor().numel(), most);
}

// A path as a text that no other path has.
std::string identity(const io::Path& path) {
  std::string text;
  for (const io::Key& key : path) {
    const std::string name = key.to_string();
    text += fmt::format("{}{}:{}", key.is_string() ? 's' : 'k', name.size(), name);
  }
  return text;
}

// The leaves of a file, to be found by their place, or by the name that they got.
class Others {
 public:
  explicit Others(std::vector<Leaf> leaves) : leaves_(std::move(leaves)), found_(leaves_.size()) {
    for (std::size_t i = 0; i < leaves_.size(); ++i) {
      by_path_.emplace(identity(leaves_[i].path), i);
      by_name_.emplace(leaves_[i].name, i);
    }
  }

  // Null if there is none. Each is found once.
  const Value* find(const io::Path& path) { return take(by_path_.find(identity(path)), by_path_.end()); }
  const Value* find(const std::string& name) { return take(by_name_.find(name), by_name_.end()); }

  template <class Visit>
  void for_rest(Visit&& visit) const {
    for (std::size_t i = 0; i < leaves_.size(); ++i)
      if (!found_[i]) visit(leaves_[i]);
  }

 private:
  using Index = std::map<std::string, std::size_t>;
  const Value* take(Index::const_iterator at, Index::const_iterator end) {
    if (at == end || found_[at->second]) return nullptr;
    found_[at->second] = true;
    return &leaves_[at->second].value;
  }

  std::vector<Leaf> leaves_;
  std::vector<bool> found_;
  Index by_path_, by_name_;
};

// The value without the objects that a PyTorch file cannot hold; None stands for those in lists and tuples.
Value writable(const Value& value, const std::string& name, std::vector<std::string>& left_out) {
  const auto at = [&](const std::string& key) { return name.empty() ? key : name + "." + key; };
  switch (value.kind()) {
    case Value::Kind::List:
    case Value::Kind::Tuple: {
      std::vector<Value> items;
      for (const Value& item : value.items())
        items.push_back(writable(item, at(std::to_string(items.size())), left_out));
      return value.is(Value::Kind::List) ? Value::list(std::move(items)) : Value::tuple(std::move(items));
    }
    case Value::Kind::Dict: {
      Value dict = Value::dict();
      for (const auto& [key, item] : value.entries()) {
        const std::size_t before = left_out.size();
        writable(key.value(), at(key.to_string()), left_out);
        if (left_out.size() > before) continue;
        const Value kept = writable(item, at(key.to_string()), left_out);
        const bool left = item.is(Value::Kind::Object) && left_out.size() > before;
        if (!left) dict.set(key, kept);
      }
      return dict;
    }
    case Value::Kind::Object: {
      const std::size_t before = left_out.size();
      if (io::is_written(value)) writable(value.content(), name, left_out);
      if (io::is_written(value) && left_out.size() == before) return value;
      left_out.resize(before);
      left_out.push_back(fmt::format("{} ({})", name, value.type_name()));
      return {};
    }
    default:
      return value;
  }
}

Dtype floating_type(const std::string& name) {
  for (const Dtype dtype : {kFloat16, kBFloat16, kFloat32, kFloat64})
    if (name == to_string(dtype)) return dtype;
  throw ValueError("--dtype: need float16, bfloat16, float32 or float64, got '" + name + "'");
}

// Tensors by name, with other types.
Value converted(const nn::StateDict& from, const std::string& dtype) {
  Value result = Value::dict();
  for (const auto& [name, tensor] : from)
    result.set(name, !dtype.empty() && tensor.is_floating_point() ? tensor.detach().to(floating_type(dtype)) : tensor);
  return result;
}

}  // namespace

int ckpt_show(const std::string& path, std::int64_t memory) {
  const io::LoadedFile file = io::read_path(path, load_options(memory));
  fmt::print("{}: {}, {}\n", path, file.format, byte_count(static_cast<std::int64_t>(file.bytes)));
  for (const auto& [key, text] : file.metadata) fmt::print("  metadata {}: {}\n", printable(key), printable(text, 200));
  for (const std::string& note : file.remarks.notes) fmt::print("  note: {}\n", printable(note, 200));
  const auto leaves = leaves_of(file.value);
  std::size_t width = 0;
  for (const Leaf& leaf : leaves) width = std::max(width, std::min<std::size_t>(leaf.name.size(), 60));
  for (const Leaf& leaf : leaves) {
    fmt::print("  {:<{}}  {}", printable(leaf.name, 200), width, describe(leaf.value));
    if (leaf.value.is(Value::Kind::Tensor)) {
      const Tensor x = leaf.value.as_tensor();
      fmt::print("  {}", byte_count(x.numel() * x.element_size()));
      const auto stored = file.remarks.stored_as.find(x.impl()->storage.get());
      if (stored != file.remarks.stored_as.end()) fmt::print("  ({} in the file)", stored->second);
    }
    fmt::print("\n");
  }
  const Contents contents = contents_of(leaves);
  fmt::print("{} tensors, {} elements, {}\n", contents.tensors, contents.elements, byte_count(contents.bytes));
  return 0;
}

int ckpt_diff(const CkptDiffOptions& options) {
  const NoGrad guard;
  io::Renamer renamer(parse_renames(options.rename));
  const io::LoadOptions load = load_options(options.memory);
  Others others(leaves_of(io::load(options.b, load)));
  std::size_t same = 0, different = 0;
  for (const Leaf& leaf : leaves_of(io::load(options.a, load))) {
    const std::string name = renamer(leaf.name);
    const Value* other = name == leaf.name ? others.find(leaf.path) : others.find(name);
    const std::string line = other == nullptr ? "only in " + options.a : difference(leaf.value, *other);
    if (line.empty()) {
      ++same;
    } else {
      ++different;
      fmt::print("{}: {}\n", printable(name, 200), line);
    }
  }
  renamer.check_all_matched("--rename: " + options.a);
  others.for_rest([&](const Leaf& leaf) {
    fmt::print("{}: only in {}\n", printable(leaf.name, 200), options.b);
    ++different;
  });
  fmt::print("{} the same, {} different\n", same, different);
  return different == 0 ? 0 : 1;
}

int ckpt_convert(const CkptConvertOptions& options) {
  const NoGrad guard;
  io::LoadedFile file = io::read_path(options.in, load_options(options.memory));
  const io::Path at = io::find_path("--at", file.value, options.at);
  Value value = file.value.at(at);
  const bool array = options.out.ends_with(".npy");
  const bool tree = !options.out.ends_with(".safetensors") && !options.out.ends_with(".npz");
  if (!array && (!tree || !options.rename.empty() || !options.dtype.empty())) {
    io::FoundStateDict found = io::find_state_dict(file, options.in,
                                                   {.call = "ckpt convert",
                                                    .at_word = "--at",
                                                    .rename_word = "--rename",
                                                    .at = at,
                                                    .rename = parse_renames(options.rename)});
    for (const std::string& name : found.not_tensors) {
      found.dict.erase(name);
      fmt::print("left out, not a tensor: {}\n", printable(name));
    }
    value = converted(found.dict, options.dtype);
    if (!found.place.empty()) fmt::print("{}: the tensors{}\n", options.in, printable(found.place));
  }
  std::vector<std::string> left_out;
  if (!array) value = writable(value, "", left_out);
  for (const std::string& what : left_out) fmt::print("left out, not rebuilt: {}\n", printable(what, 200));
  if (options.out.ends_with(".safetensors")) {
    // Readers in Python take the tensors for PyTorch's by this entry.
    file.metadata.emplace("format", "pt");
    io::save_safetensors(options.out, value, file.metadata);
  } else {
    io::save(options.out, value);
  }
  const Contents contents = contents_of(leaves_of(value));
  fmt::print("{}: {} tensors, {}\n", options.out, contents.tensors, byte_count(contents.bytes));
  return 0;
}

int ckpt_verify(const std::string& path, std::int64_t memory) {
  io::LoadOptions options = load_options(memory);
  options.verify = true;
  const io::LoadedFile file = io::read_path(path, options);
  const Contents contents = contents_of(leaves_of(file.value));
  const bool zip =
      file.format.ends_with("archive") || file.format == "PyTorch checkpoint" || file.format.ends_with(".npz)");
  const char* const format = zip ? "; it has no checksums" : "; the format has no checksums";
  fmt::print("{}: whole: {}, {} tensors, {}{}\n", path, file.format, contents.tensors, byte_count(contents.bytes),
             file.has_checksums ? ", checksums agree" : format);
  for (const std::string& note : file.remarks.notes) fmt::print("note: {}\n", printable(note, 200));
  return 0;
}

}  // namespace gradus::cli
