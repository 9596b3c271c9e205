#include <fmt/format.h>
#include <gradus/io/pytorch.h>

#include "io/checkpoint/pytorch_formats.h"
#include "io/checkpoint/read_any.h"
#include "io/file/file_kind.h"
#include "io/file/zip_writer.h"
#include "io/pickle/pickle_writer.h"

namespace gradus::io {

namespace {

Value read(const std::shared_ptr<Source>& source) {
  switch (kind_of(source->bytes())) {
    case FileKind::PytorchStream:
      return read_pytorch_legacy(source);
    case FileKind::Tar:
      return read_pytorch_tar(source);
    case FileKind::Zip:
      return read_pytorch_zip(Zip(source));
    default:
      source->fail(source->size() == 0 ? "the file is empty" : describe_unknown(source->bytes()));
  }
}

}  // namespace

Value load_pytorch(const std::string& path, const LoadOptions& options) {
  const auto source = Source::open(path, options);
  Value value = read(source);
  remarks_of(*source, value);
  return value;
}

void save_pytorch(const std::string& path, const Value& value) {
  const WrittenPickle pickle = write_pickle(value);
  AtomicFile file(path);
  ZipWriter zip(file);
  const std::string prefix = "archive/";
  zip.add(prefix + "data.pkl", pickle.bytes);
  zip.add(prefix + "byteorder", "little");
  for (std::size_t i = 0; i < pickle.storages.size(); ++i) {
    const auto& storage = *pickle.storages[i];
    zip.add(prefix + "data/" + std::to_string(i), {static_cast<const char*>(storage.data), storage.nbytes});
  }
  zip.add(prefix + "version", "3\n");
  zip.finish();
  file.commit();
}

}  // namespace gradus::io
