#include "io/checkpoint/numpy.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "io/file/atomic_file.h"
#include "io/file/cursor.h"
#include "io/file/storage.h"
#include "io/file/zip_writer.h"
#include "io/value/utf8.h"
#include "io/value/value_boxes.h"

namespace gradus::io {

namespace {

constexpr std::string_view kMagic{"\x93NUMPY", 6};
constexpr std::string_view kSuffix = ".npy";
constexpr std::string_view kRecords = "records";

struct Header {
  std::string descr;
  bool fortran = false;
  std::vector<std::int64_t> shape;
};

// The header is a Python dict: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
class HeaderReader {
 public:
  HeaderReader(const Source& source, std::string_view name, std::string_view text)
      : source_(source), name_(name), text_(text) {}

  Header run() {
    Header header;
    int seen = 0;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      const int bit = key == "descr" ? 1 : key == "fortran_order" ? 2 : key == "shape" ? 4 : 0;
      if (bit == 0 || (seen & bit)) fail();
      seen |= bit;
      if (bit == 1) header.descr = descr();
      if (bit == 2) header.fortran = boolean();
      if (bit == 4) header.shape = shape();
      if (accept('}')) break;
      expect(',');
    }
    blanks();
    if (seen != 7 || !text_.empty()) fail();
    return header;
  }

 private:
  [[noreturn]] void fail() const { source_.fail(fmt::format("{} has a damaged header", name_)); }
  void blanks() {
    while (!text_.empty() && std::string_view(" \t\n\r\f").find(text_[0]) != text_.npos) text_.remove_prefix(1);
  }
  bool accept(char c) {
    blanks();
    if (text_.empty() || text_[0] != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail();
  }
  std::string quoted() {
    if (accept('u') || accept('U')) {  // Python 2's unicode
      if (text_.empty() || text_[0] == ' ') fail();
    }
    blanks();
    const char quote = text_.empty() ? '\0' : text_[0];
    const std::size_t end = quote == '\'' || quote == '"' ? text_.find(quote, 1) : text_.npos;
    if (end == text_.npos || end > 100) fail();
    const std::string result(text_.substr(1, end - 1));
    text_.remove_prefix(end + 1);
    return result;
  }
  // Records are a list of their fields, which is left out.
  std::string descr() {
    blanks();
    if (text_.empty() || text_[0] != '[') return quoted();
    std::size_t depth = 0;
    do {
      blanks();
      if (text_.empty()) fail();
      if (text_[0] == '\'' || text_[0] == '"') {
        quoted();
        continue;
      }
      if (text_[0] == '[') ++depth;
      if (text_[0] == ']') --depth;
      text_.remove_prefix(1);
    } while (depth > 0);
    return std::string(kRecords);
  }
  bool boolean() {
    blanks();
    for (const auto& [word, value] : {std::pair("True", true), std::pair("False", false)}) {
      if (!text_.starts_with(word)) continue;
      text_.remove_prefix(std::string_view(word).size());
      return value;
    }
    fail();
  }
  std::vector<std::int64_t> shape() {
    std::vector<std::int64_t> sizes;
    expect('(');
    while (!accept(')')) {
      blanks();
      std::int64_t size = 0;
      const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), size);
      if (error != std::errc() || size < 0 || sizes.size() >= 64) fail();
      text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
      accept('L');  // a long of Python 2
      sizes.push_back(size);
      if (accept(')')) break;
      expect(',');
    }
    return sizes;
  }

  const Source& source_;
  std::string_view name_, text_;
};

std::string header_of(const Tensor& tensor) { return npy_header(tensor.dtype(), tensor.sizes()); }

std::string_view data_of(const Tensor& dense) {
  return {static_cast<const char*>(dense.const_data_ptr()),
          static_cast<std::size_t>(dense.numel() * dense.element_size())};
}

}  // namespace

std::string npy_header(Dtype dtype, const Shape& sizes) {
  const std::string_view code = element_type(dtype).numpy;
  if (code.empty()) throw ValueError(fmt::format("save_npy: NumPy has no {}; save x.to(kFloat32)", to_string(dtype)));
  std::string shape;
  for (const std::int64_t size : sizes) shape += fmt::format("{}, ", size);
  if (sizes.rank() > 1) shape.resize(shape.size() - 2);
  if (sizes.rank() == 1) shape.pop_back();
  std::string text = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}), }}",
                                 element_size(dtype) == 1 ? '|' : '<', code, shape);
  constexpr std::size_t kAlignment = 64, kFixed = 10;
  text.append((kAlignment - (kFixed + text.size() + 1) % kAlignment) % kAlignment, ' ');
  text += '\n';
  std::string header(kMagic);
  header.append({'\1', '\0', static_cast<char>(text.size() & 0xff), static_cast<char>(text.size() >> 8)});
  return header + text;
}

Value unknown_array(std::string_view type, const std::vector<std::int64_t>& shape) {
  return Value::object("numpy.ndarray",
                       Value::dict({{"dtype", type}, {"shape", Value::tuple({shape.begin(), shape.end()})}}));
}

bool is_npy(std::string_view file) { return file.starts_with(kMagic); }

Value read_npy(const std::shared_ptr<Source>& source, std::string_view name, std::size_t begin, std::size_t end) {
  Cursor at(*source, name, begin, end);
  if (at.left() < kMagic.size() || at.take(kMagic.size()) != kMagic) at.fail("is not a NumPy array");
  const auto version = at.number<std::uint8_t>();
  at.take(1);
  if (version < 1 || version > 3) at.fail(fmt::format("has version {} of the format, need 1 to 3", version));
  const std::uint64_t size = version == 1 ? at.number<std::uint16_t>() : at.number<std::uint32_t>();
  const Header header = HeaderReader(*source, name, at.take(size)).run();

  std::string_view code = header.descr;
  const bool big_endian = code.starts_with('>');
  if (!code.empty() && std::string_view("<>|=").find(code[0]) != code.npos) code.remove_prefix(1);
  source->budget().charge(sizeof(gradus::detail::Storage) + 8 * sizeof(Value));
  const ElementType* type = numpy_type(code);
  if (type == nullptr || !type->dtype) return unknown_array(header.descr, header.shape);
  const std::int64_t nbytes = checked_bytes(*source, name, type->size, header.shape);
  if (static_cast<std::uint64_t>(nbytes) > at.left()) {
    at.fail(fmt::format("needs {} bytes of data, got {}", nbytes, at.left()));
  }
  if (static_cast<std::uint64_t>(nbytes) < at.left())
    source->remark_rest(at.left() - static_cast<std::uint64_t>(nbytes));
  const StorageRef storage = file_storage(source, at.position(), static_cast<std::size_t>(nbytes), *type, big_endian);
  if (storage == nullptr) return unknown_array(header.descr, header.shape);
  return array_tensor(*source, storage, *type->dtype, header.shape, header.fortran);
}

bool is_npz(const Zip& zip) {
  const auto array = [](const ZipEntry& entry) { return entry.name.ends_with(kSuffix); };
  const auto checkpoint = [](const ZipEntry& entry) { return entry.name.ends_with("data.pkl"); };
  return std::any_of(zip.entries().begin(), zip.entries().end(), array) &&
         std::none_of(zip.entries().begin(), zip.entries().end(), checkpoint);
}

Value read_npz(const Zip& zip, const std::vector<std::string>& names) {
  const std::shared_ptr<Source>& source = zip.source();
  if (!is_npz(zip)) source->fail("a zip archive, but not of NumPy arrays");
  Value arrays = Value::dict();
  for (const ZipEntry& entry : zip.entries()) {
    source->budget().charge(3 * (sizeof(Value::Entry) + 12) + entry.name.size() + 80);
    if (!entry.name.ends_with(kSuffix)) {
      source->remarks().notes.push_back(fmt::format("'{}' is not an array, and not read", entry.name.substr(0, 100)));
      continue;
    }
    const std::string_view name = entry.name.substr(0, entry.name.size() - kSuffix.size());
    if (!names.empty() && std::find(names.begin(), names.end(), name) == names.end()) continue;
    if (entry.method == ZipEntry::Method::Stored) {
      arrays.set(name, read_npy(source, entry.name, entry.offset, entry.offset + entry.packed));
    } else {
      const std::shared_ptr<Source> content = zip.inflated(entry);
      arrays.set(name, read_npy(content, entry.name, 0, content->size()));
      source->remarks().take(std::move(content->remarks()));
    }
  }
  return arrays;
}

Tensor load_npy(const std::string& path, const LoadOptions& options) {
  const auto source = Source::open(path, options);
  const Value array = read_npy(source, "the file", 0, source->size());
  if (array.is(Value::Kind::Tensor)) return array.as_tensor();
  source->fail(fmt::format("the array is of the type '{}', which is not read; convert it with NumPy's astype",
                           array.as_string({"dtype"})));
}

Value load_npz(const std::string& path, const LoadOptions& options, const std::vector<std::string>& names) {
  const Zip zip(Source::open(path, options));
  if (options.verify) zip.verify();
  Value arrays = read_npz(zip, names);
  for (const std::string& name : names) {
    if (arrays.contains({name})) continue;
    std::string held;
    for (const ZipEntry& entry : zip.entries())
      if (entry.name.ends_with(kSuffix) && held.size() < 200)
        held.append(held.empty() ? "" : ", ").append(entry.name.substr(0, entry.name.size() - kSuffix.size()));
    throw ValueError(fmt::format("load_npz: {}: there is no array '{}'; it holds {}", path, name, held));
  }
  return arrays;
}

void save_npy(const std::string& path, const Tensor& tensor) {
  const std::string header = header_of(tensor);
  const Tensor dense = tensor.detach().contiguous().cpu();
  AtomicFile file(path);
  file.write(header);
  file.write(data_of(dense));
  file.commit();
}

void save_npz(const std::string& path, const Value& tensors) {
  std::vector<std::pair<std::string, std::string>> headers;
  for (const auto& [key, value] : tensors.entries()) {
    if (!key.is_string()) throw ValueError("save_npz: arrays have names, got " + key.to_string());
    // Python's zipfile reads other names as others, or not at all.
    if (!is_utf8(key.text()) || key.text().find('\0') != std::string_view::npos) {
      throw ValueError("save_npz: the name of an array must be UTF-8 without zeros, got " + detail::quoted(key.text()));
    }
    headers.emplace_back(std::string(key.text()).append(kSuffix), header_of(value.as_tensor()));
  }
  AtomicFile file(path);
  ZipWriter zip(file);
  auto header = headers.begin();
  for (const auto& [key, value] : tensors.entries()) {
    const Tensor dense = value.as_tensor().detach().contiguous().cpu();
    zip.add(header->first, {header->second, data_of(dense)});
    ++header;
  }
  zip.finish();
  file.commit();
}

}  // namespace gradus::io
