#include "io/parsers.h"

#include <gradus/core/error.h>
#include <gradus/io/rename.h>
#include <gradus/text/tokenizer.h>

#include <stdexcept>

#include "data/datasets/cifar.h"
#include "data/datasets/csv.h"
#include "io/checkpoint/numpy.h"
#include "io/checkpoint/pytorch_formats.h"
#include "io/checkpoint/read_any.h"
#include "io/checkpoint/safetensors.h"
#include "io/checkpoint/shards.h"
#include "io/image/codecs.h"
#include "support/temp_folder.h"

namespace gradus::test {

namespace {

using io::Source;
using io::Value;

void touch(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::Tensor: {
      const Tensor x = value.as_tensor();
      std::vector<double> numbers = x.to_vector<double>();
      return;
    }
    case Value::Kind::List:
    case Value::Kind::Tuple:
      for (const Value& item : value.items()) touch(item);
      return;
    case Value::Kind::Dict:
      for (const auto& [key, item] : value.entries()) touch(item);
      return;
    case Value::Kind::Object:
      return touch(value.content());
    default:
      value.to_string();
  }
}

// Gives every storage that is asked for, of zeros.
class AnyStorage : public io::PickleHost {
 public:
  explicit AnyStorage(const std::shared_ptr<Source>& source) : source_(source) {}
  std::variant<io::PickledStorage, Value> persistent(const Value& id) override {
    const io::StorageId wanted = io::parse_storage_id(*source_, id, 5);
    if (wanted.nbytes > 4096) source_->fail("too large for a test");
    source_->budget().charge(static_cast<std::uint64_t>(wanted.nbytes) + sizeof(detail::Storage));
    const auto zeros = Source::from_bytes("zeros", std::string(static_cast<std::size_t>(wanted.nbytes), '\0'));
    return io::PickledStorage{io::file_storage(zeros, 0, zeros->size(), *wanted.type), wanted.type, false, 0,
                              wanted.size};
  }

 private:
  std::shared_ptr<Source> source_;
};

void pickle(const std::shared_ptr<Source>& source) {
  AnyStorage host(source);
  io::Cursor at(*source, "pickle", 0, source->size());
  touch(io::read_pickle(*source, at, &host));
}

using Bytes = std::shared_ptr<Source>;
void pytorch_zip(const Bytes& source) { touch(io::read_pytorch_zip(io::Zip(source))); }
void pytorch_stream(const Bytes& source) {
  if (io::is_pytorch_legacy(source->bytes())) touch(io::read_pytorch_legacy(source));
}
void pytorch_tar(const Bytes& source) { touch(io::read_pytorch_tar(source)); }
void safetensors(const Bytes& source) { touch(io::read_safetensors(source).tensors); }
void npy(const Bytes& source) { touch(io::read_npy(source, "array", 0, source->size())); }
void npz(const Bytes& source) { touch(io::read_npz(io::Zip(source))); }
void shard_index(const Bytes& source) {
  if (io::read_weight_map(*source).empty()) throw std::runtime_error("an index of nothing");
}
void any(const Bytes& source) { touch(io::read_any(source).value); }

void decode(const Bytes& source, io::ReadImageOptions options) {
  options.max_pixels = 1 << 20;
  const Tensor image = io::decode_image(source->bytes(), options);
  std::vector<int> numbers = image.to_vector<int>();
}
void jpeg(const Bytes& source) {
  if (!io::is_jpeg(source->bytes())) return;
  decode(source, {.mode = io::ImageReadMode::RGB});
  decode(source, {.mode = io::ImageReadMode::Gray, .min_size = 1});
}
void png(const Bytes& source) {
  if (!io::is_png(source->bytes())) return;
  for (const auto mode : {io::ImageReadMode::Unchanged, io::ImageReadMode::RGB, io::ImageReadMode::Gray}) {
    decode(source, {.mode = mode});
  }
}
void cifar(const Bytes& source) {
  for (const data::CifarFormat& format : {data::kCifar10, data::kCifar100, data::kCifar100Coarse}) {
    try {
      touch(data::parse_cifar(source->bytes(), format, "file").images);
    } catch (const IoError&) {  // of this format, perhaps not of the next
    }
  }
}
void csv(const Bytes& source) {
  const data::CsvTable table = data::parse_csv(source->bytes(), 0, "file");
  std::size_t size = 0;
  for (std::size_t row = 0; row < table.rows(); ++row)
    for (std::size_t column = 0; column < table.columns; ++column) size += table.at(row, column).size();
  if (size > source->size()) throw std::runtime_error("more text than there was");
}

void tokenizer(const Bytes& source) {
  static const TempFolder folder;
  const std::string path = folder / "tokenizer.json";
  put_file(path, source->bytes());
  const auto tokenizer = text::Tokenizer::from_file(path);
  const text::Encoding encoding =
      tokenizer.encode(" Hello  w\xc3\xb6rld, it's 12.5 [MASK]\n\xe4\xb8\xad \xff</s>", "b");
  tokenizer.decode(encoding.ids);
  tokenizer.decode(std::vector<std::int64_t>{-1, 0, 1, 2, 3, 5, 8, tokenizer.vocab_size()}, true);
}

template <void (*parse)(const Bytes&)>
void run(std::string_view bytes) {
  try {
    parse(Source::from_bytes("file", bytes, {.memory = io::Budget::small_limit(bytes.size())}));
  } catch (const IoError&) {
  }
}

}  // namespace

const std::map<std::string, Parser>& parsers() {
  static const std::map<std::string, Parser> all = {
      {"pickle", run<pickle>},
      {"pytorch_zip", run<pytorch_zip>},
      {"pytorch_stream", run<pytorch_stream>},
      {"pytorch_tar", run<pytorch_tar>},
      {"safetensors", run<safetensors>},
      {"npy", run<npy>},
      {"npz", run<npz>},
      {"shard_index", run<shard_index>},
      {"any", run<any>},
      {"jpeg", run<jpeg>},
      {"png", run<png>},
      {"cifar", run<cifar>},
      {"csv", run<csv>},
      {"tokenizer", run<tokenizer>},
  };
  return all;
}

}  // namespace gradus::test
