// What a file is that holds no weights in a form that is read, and what to do with it.
#include "io/file/file_kind.h"

#include <cstdio>

#include <gmock/gmock.h>
#include <gradus/io.h>
#include <gtest/gtest.h>

#include "io/expected.h"
#include "io/file/zip_writer.h"
#include "support/message.h"
#include "support/temp_folder.h"

namespace gradus::io {
namespace {

using namespace std::string_literals;
using test::message_of;
using test::put_file;
using test::TempFolder;
using testing::HasSubstr;

TEST(FileKind, NamesForeignFiles) {
  const TempFolder folder;
  const std::pair<std::string, const char*> files[] = {
      {"<!DOCTYPE html>\n<html><head>", "HTML page"},
      {"\n  <!doctype HTML>", "HTML page"},
      {"\xef\xbb\xbf<html lang=\"en\">", "HTML page"},
      {"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code>", "XML document"},
      {"version https://git-lfs.github.com/spec/v1\noid "
       "sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
       "size 12345\n",
       "git lfs pull"},
      {"\x1f\x8b\x08\0\0\0\0\0\0\x03 compressed"s, "gunzip"},
      {"BZh91AY&SY compressed", "bzip2"},
      {"\xfd"
       "7zXZ\0 compressed"s,
       "xz"},
      {"\x28\xb5\x2f\xfd compressed", "zstd"},
      {"{\"model_type\": \"bert\", \"hidden_size\": 768}", "JSON"},
      {"[1, 2, 3, 4, 5, 6]", "JSON"},
      {"\x89HDF\r\n\x1a\n\0\0\0\0\0\0\0\0"s, "HDF5"},
      {"GGUF\x03\0\0\0\0\0\0\0"s, "GGUF"},
      {"\x1c\0\0\0TFL3\0\0\0\0\0"s, "TensorFlow Lite"},
      {"\x08\x07\x12\x07pytorch\x1a\x05"
       "2.1.0:\x10graph"s,
       "ONNX"},
      {"\x82\xa6params\x81\xa5"
       "Dense",
       "msgpack"},
      {"\x80\x04\x95\x10\0\0\0\0\0\0\0}\x94."s, "a pickle that torch.save did not write"},
      {std::string(5000, '\0'), "all zeros"},
      {"\x89PNG\r\n\x1a\n a picture", "PNG"},
      {"MATLAB 5.0 MAT-file, Platform: GLNXA64", "MATLAB"},
      {"a,b,c\n1,2,3\n", "it is text"},
      {"\x07\x0b\x01 what is this \x02", "an unknown format"},
  };
  for (const auto& [bytes, what] : files) {
    put_file(folder / "file", bytes);
    EXPECT_THAT(message_of<IoError>([&] { load(folder / "file"); }), HasSubstr(what)) << bytes.substr(0, 30);
    EXPECT_THAT(message_of<IoError>([&] { load_pytorch(folder / "file"); }), HasSubstr(what)) << bytes.substr(0, 30);
  }
}

TEST(FileKind, NamesZipArchivesOfOthers) {
  const TempFolder folder;
  const auto message = [&](const char* entry) {
    {
      AtomicFile file(folder / "a.zip");
      ZipWriter zip(file);
      zip.add(entry, "content");
      zip.finish();
      file.commit();
    }
    return message_of<IoError>([&] { load(folder / "a.zip"); });
  };
  EXPECT_THAT(message("model.weights.h5"), HasSubstr("Keras"));
  EXPECT_THAT(message("net/attributes.pkl"), HasSubstr("TorchScript archive of PyTorch before 1.4"));
  EXPECT_THAT(message("m/.data/extern_modules"), HasSubstr("torch.package"));
  EXPECT_THAT(message("weights/model.safetensors"), HasSubstr("('weights/model.safetensors'); unpack it"));
  EXPECT_THAT(message("readme.txt"), HasSubstr("neither a PyTorch checkpoint (data.pkl) nor NumPy arrays"));
}

TEST(FileKind, SaysWhatATarArchiveHolds) {
  const TempFolder folder;
  std::string header(512, '\0');
  header.replace(0, 18, "model_weights.ckpt");
  header.replace(124, 11, "00000000000");
  header[156] = '0';
  header.replace(148, 8, "        ");
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  char text[8];
  std::snprintf(text, sizeof text, "%06o", sum);
  header.replace(148, 7, text, 7);
  put_file(folder / "a.nemo", header + std::string(1024, '\0'));
  const std::string message = message_of<IoError>([&] { load(folder / "a.nemo"); });
  EXPECT_THAT(message, HasSubstr("unpack it (tar xf)"));
  EXPECT_THAT(message, HasSubstr("model_weights.ckpt"));
}

}  // namespace
}  // namespace gradus::io
