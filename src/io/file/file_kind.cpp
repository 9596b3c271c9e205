#include "io/file/file_kind.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "io/checkpoint/numpy.h"
#include "io/checkpoint/pytorch_formats.h"
#include "io/checkpoint/safetensors.h"

namespace gradus::io {

namespace {

using namespace std::string_view_literals;

// Formats that begin with bytes of their own.
struct Signature {
  std::size_t at;
  std::string_view bytes, what, advice;
};
constexpr std::string_view kUnpack = "unpack it and read what is in it";
constexpr std::string_view kConvert = "convert it to safetensors in Python";
constexpr Signature kSignatures[] = {
    {0, "version https://git-lfs.github.com/spec/"sv, "a git-lfs pointer",
     "the file itself was not fetched: git lfs install && git lfs pull, or download it from its page"},
    {0, "\x1f\x8b"sv, "compressed by gzip", "unpack it: gunzip, or tar xzf for a .tar.gz"},
    {0, "BZh"sv, "compressed by bzip2", kUnpack},
    {0, "\xfd\x37zXZ\0"sv, "compressed by xz", kUnpack},
    {0, "\x28\xb5\x2f\xfd"sv, "compressed by zstd", kUnpack},
    {0, "7z\xbc\xaf\x27\x1c"sv, "a 7z archive", kUnpack},
    {0, "Rar!\x1a\x07"sv, "a RAR archive", kUnpack},
    {0, "\x89HDF\r\n\x1a\n"sv, "an HDF5 file (of Keras, or of h5py)", kConvert},
    {0, "GGUF"sv, "a GGUF file (of llama.cpp), whose weights are mostly quantized",
     "take the safetensors that it was made from"},
    {0, "lmgg"sv, "a GGML file (of llama.cpp)", "take the checkpoint that it was made from"},
    {0, "tjgg"sv, "a GGML file (of llama.cpp)", "take the checkpoint that it was made from"},
    {4, "TFL3"sv, "a TensorFlow Lite model, which is a program", kConvert},
    {0, "MATLAB 5.0 MAT-file"sv, "a MATLAB file", "save the arrays as .npy or .npz in Python"},
    {0, "PAR1"sv, "a Parquet file", "save the columns as .npy or CSV in Python"},
    {0, "ARROW1"sv, "an Arrow file", "save the columns as .npy or CSV in Python"},
    {0, "\x89PNG\r\n"sv, "a picture (PNG)", ""},
    {0, "\xff\xd8\xff"sv, "a picture (JPEG)", ""},
    {0, "GIF8"sv, "a picture (GIF)", ""},
    {0, "%PDF-"sv, "a PDF document", ""},
    {0,
     "\x7f"
     "ELF"sv,
     "a program or a shared library", ""},
    {0, "SQLite format 3\0"sv, "an SQLite database", ""},
};

bool begins_without_case(std::string_view text, std::string_view lower) {
  return text.size() >= lower.size() && std::equal(lower.begin(), lower.end(), text.begin(), [](char a, char b) {
           return a == std::tolower(static_cast<unsigned char>(b));
         });
}

std::string_view without_blanks(std::string_view file) {
  if (file.starts_with("\xef\xbb\xbf")) file.remove_prefix(3);
  const std::size_t first = file.find_first_not_of(" \t\r\n");
  return first == file.npos ? std::string_view() : file.substr(first);
}

// A field of bytes in a protobuf, as ONNX begins: its version, and who made it.
bool is_onnx(std::string_view file) {
  return file.size() > 16 && file[0] == '\x08' && file[1] >= 1 && file[1] < 32 && file[2] == '\x12' && file[3] < 64 &&
         file.substr(4, 64).find_first_of(":B\x1a\"") != file.npos;
}

bool is_text(std::string_view start) {
  return std::none_of(start.begin(), start.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 && c != '\n' && c != '\r' && c != '\t';
  });
}

std::string described(std::string_view what, std::string_view advice) {
  return advice.empty() ? fmt::format("it is {}", what) : fmt::format("it is {}; {}", what, advice);
}

}  // namespace

FileKind kind_of(std::string_view file) {
  if (file.empty()) return FileKind::Empty;
  if (is_pytorch_legacy(file)) return FileKind::PytorchStream;
  if (file.starts_with("PK")) return FileKind::Zip;
  if (is_npy(file)) return FileKind::Npy;
  if (is_safetensors(file)) return FileKind::Safetensors;
  if (is_tar(file)) return FileKind::Tar;
  constexpr std::size_t kLongestIndex = 100'000'000;
  const bool index = without_blanks(file.substr(0, 100)).starts_with('{') && file.size() <= kLongestIndex &&
                     file.find("\"weight_map\"") != file.npos;
  return index ? FileKind::ShardIndex : FileKind::Unknown;
}

std::string describe_unknown(std::string_view file) {
  for (const Signature& known : kSignatures)
    if (file.size() >= known.at && file.substr(known.at).starts_with(known.bytes))
      return described(known.what, known.advice);
  const std::string_view text = without_blanks(file.substr(0, 1000));
  if (begins_without_case(text, "<!doctype html") || begins_without_case(text, "<html") ||
      begins_without_case(text, "<head") || begins_without_case(text, "<!--")) {
    return described("an HTML page, such as a login, an error or the page about the file",
                     "download the file itself: on the Hub its address has /resolve/ instead of /blob/");
  }
  if (text.starts_with("<?xml") || begins_without_case(text, "<error"))
    return described("an XML document, such as an error of a store", "download the file again");
  if (is_onnx(file)) return described("an ONNX model, which is a program", "take the checkpoint that it was made from");
  if (file.substr(0, 1 << 20).find_first_not_of('\0') == file.npos)
    return described("all zeros, as an unfinished download leaves it", "download the file again");
  if (file.size() > 2 && file[0] == '\x80' && file[1] >= 2 && file[1] <= 5)
    return described("a pickle that torch.save did not write", "save it by torch.save, or its arrays by numpy.savez");
  if (const auto first = static_cast<unsigned char>(file[0]); (first >= 0x81 && first <= 0x8f) || first == 0xde)
    return described("perhaps a msgpack file (of Flax)", "convert it: safetensors.flax.save_file");
  if (is_text(text.substr(0, 512))) {
    if (text.starts_with('{') || text.starts_with('['))
      return described("JSON, such as a model's configuration", "the weights are in another file beside it");
    return described("text", "an unknown format");
  }
  return "an unknown format; known are PyTorch checkpoints, safetensors, .npy and .npz";
}

std::string describe_unknown(const Zip& zip) {
  struct Member {
    std::string_view end, what, advice;
  };
  // The first of the rows that has an entry ending so.
  constexpr Member kMembers[] = {
      {"model.weights.h5", "a Keras model", kConvert},
      {"attributes.pkl", "a TorchScript archive of PyTorch before 1.4",
       "torch.jit.load it and torch.jit.save it again"},
      {"serialized_exported_program.json", "a program of torch.export", "save model.state_dict()"},
      {"models/model.json", "a program of torch.export", "save model.state_dict()"},
      {".data/extern_modules", "a torch.package, which is a program", "save model.state_dict()"},
      {".safetensors", "a zip archive of other files", kUnpack},
      {".pth", "a zip archive of other files", kUnpack},
      {".pt", "a zip archive of other files", kUnpack},
      {".ckpt", "a zip archive of other files", kUnpack},
      {".bin", "a zip archive of other files", kUnpack},
  };
  for (const auto& [end, what, advice] : kMembers) {
    for (const ZipEntry& entry : zip.entries())
      if (entry.name.ends_with(end)) return described(fmt::format("{} ('{}')", what, entry.name.substr(0, 80)), advice);
  }
  return "a zip archive, but neither a PyTorch checkpoint (data.pkl) nor NumPy arrays (.npy)";
}

}  // namespace gradus::io
