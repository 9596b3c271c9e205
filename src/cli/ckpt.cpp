#include "cli/ckpt.h"

#include <fmt/format.h>
#include <gradus/autograd.h>
#include <gradus/io.h>
#include <gradus/ops.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "cli/ckpt_leaves.h"
#include "core/units.h"
#include "io/read_any.h"

namespace gradus::cli {

namespace {

using io::Value;

std::vector<io::Rename> parse_renames(const std::vector<std::string>& texts) {
  std::vector<io::Rename> rules;
  for (const std::string& text : texts) {
    const std::size_t sign = text.find('=');
    if (sign == text.npos || sign == 0) {
      throw ValueError("--rename: need PATTERN=REPLACEMENT, as in 'module.*=*', got '" + text + "'");
    }
    rules.push_back({text.substr(0, sign), text.substr(sign + 1)});
  }
  return rules;
}

std::string describe(const Value& value) {
  if (!value.is(Value::Kind::Tensor)) return printable(value.to_string());
  const Tensor x = value.as_tensor();
  return fmt::format("{} {}", to_string(x.sizes()), to_string(x.dtype()));
}

// How many elements differ, and by how much; NaNs are the same as each other. In pieces, as tensors may be large.
std::pair<std::int64_t, double> compare(const Tensor& a, const Tensor& b) {
  constexpr std::int64_t kPiece = std::int64_t{1} << 20;
  const Tensor x = a.detach().contiguous().view({a.numel()}), y = b.detach().contiguous().view({b.numel()});
  std::int64_t count = 0;
  double most = 0;
  for (std::int64_t at = 0; at < x.numel(); at += kPiece) {
    const std::int64_t length = std::min(kPiece, x.numel() - at);
    const auto left = x.narrow(0, at, length).to_vector<double>(), right = y.narrow(0, at, length).to_vector<double>();
    for (std::size_t i = 0; i < left.size(); ++i) {
      if (left[i] == right[i] || (std::isnan(left[i]) && std::isnan(right[i]))) continue;
      ++count;
      const double distance = std::abs(left[i] - right[i]);
      most = std::isnan(distance) || distance > most ? distance : most;
    }
  }
  return {count, most};
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

Dtype floating_type(const std::string& name) {
  for (const Dtype dtype : {kBFloat16, kFloat32, kFloat64})
    if (name == to_string(dtype)) return dtype;
  throw ValueError("--dtype: need bfloat16, float32 or float64, got '" + name + "'");
}

// A dict of tensors, with new names and types.
Value converted(const Value& from, const CkptConvertOptions& options) {
  const auto rules = parse_renames(options.rename);
  Value result = Value::dict();
  for (const auto& [key, value] : from.entries()) {
    if (!value.is(Value::Kind::Tensor)) {
      throw ValueError(
          fmt::format("ckpt convert: need a dict of tensors to rename, retype or write in that format, but {} "
                      "is {}; choose a part with --at",
                      printable(key.to_string()), to_string(value.kind())));
    }
    const std::string name = io::renamed(key.to_string(), rules);
    if (result.contains({name})) throw ValueError("--rename: two names become '" + printable(name) + "'");
    Tensor x = value.as_tensor();
    if (!options.dtype.empty() && x.is_floating_point()) x = x.detach().to(floating_type(options.dtype));
    result.set(name, x);
  }
  return result;
}

io::Path parse_path(const std::string& text) {
  io::Path path;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('.', at), text.size());
    path.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return path;
}

}  // namespace

int ckpt_show(const std::string& path) {
  const auto source = io::Source::open(path, {});
  const io::LoadedFile file = io::read_any(source);
  fmt::print("{}: {}, {}\n", path, file.format, byte_count(static_cast<std::int64_t>(source->size())));
  for (const auto& [key, text] : file.metadata) fmt::print("  metadata {}: {}\n", printable(key), printable(text, 200));
  const auto leaves = leaves_of(file.value);
  std::size_t width = 0;
  for (const Leaf& leaf : leaves) width = std::max(width, std::min<std::size_t>(leaf.name.size(), 60));
  for (const Leaf& leaf : leaves) {
    fmt::print("  {:<{}}  {}", printable(leaf.name, 200), width, describe(leaf.value));
    if (leaf.value.is(Value::Kind::Tensor)) {
      const Tensor x = leaf.value.as_tensor();
      fmt::print("  {}", byte_count(x.numel() * x.element_size()));
    }
    fmt::print("\n");
  }
  const Contents contents = contents_of(leaves);
  fmt::print("{} tensors, {} elements, {}\n", contents.tensors, contents.elements, byte_count(contents.bytes));
  return 0;
}

int ckpt_diff(const CkptDiffOptions& options) {
  const NoGrad guard;
  const auto rules = parse_renames(options.rename);
  std::map<std::string, Value> others;
  for (const Leaf& leaf : leaves_of(io::load(options.b))) others.emplace(leaf.name, leaf.value);
  std::size_t same = 0, different = 0;
  for (const Leaf& leaf : leaves_of(io::load(options.a))) {
    const std::string name = io::renamed(leaf.name, rules);
    const auto other = others.find(name);
    std::string line;
    if (other == others.end()) {
      line = "only in " + options.a;
    } else {
      line = difference(leaf.value, other->second);
      others.erase(other);
    }
    if (line.empty()) {
      ++same;
    } else {
      ++different;
      fmt::print("{}: {}\n", printable(name, 200), line);
    }
  }
  for (const auto& [name, value] : others) fmt::print("{}: only in {}\n", printable(name, 200), options.b);
  different += others.size();
  fmt::print("{} the same, {} different\n", same, different);
  return different == 0 ? 0 : 1;
}

int ckpt_convert(const CkptConvertOptions& options) {
  const NoGrad guard;
  io::LoadedFile file = io::read_any(io::Source::open(options.in, {}));
  Value value = file.value.at(parse_path(options.at));
  const bool array = options.out.ends_with(".npy");
  const bool tree = !options.out.ends_with(".safetensors") && !options.out.ends_with(".npz");
  if (!array && (!tree || !options.rename.empty() || !options.dtype.empty())) value = converted(value, options);
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

int ckpt_verify(const std::string& path) {
  const auto source = io::Source::open(path, {.verify = true});
  const io::LoadedFile file = io::read_any(source);
  const Contents contents = contents_of(leaves_of(file.value));
  const bool checksums = source->bytes().starts_with("PK");
  fmt::print("{}: whole: {}, {} tensors, {}{}\n", path, file.format, contents.tensors, byte_count(contents.bytes),
             checksums ? ", checksums agree" : "; the format has no checksums");
  return 0;
}

}  // namespace gradus::cli
