// Folders and indexes as the Hub has them.
#include <gmock/gmock.h>
#include <gradus/io.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "io/checkpoint/read_any.h"
#include "io/expected.h"
#include "support/message.h"
#include "support/temp_folder.h"

namespace gradus::io {
namespace {

namespace fs = std::filesystem;
using test::message_of;
using test::put_file;
using test::TempFolder;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::string index_of(std::initializer_list<std::pair<const char*, const char*>> map) {
  std::string text;
  for (const auto& [tensor, file] : map)
    text += (text.empty() ? "" : ", ") + ("\"" + std::string(tensor) + "\": \"" + file + "\"");
  return R"({"metadata": {"total_size": 24, "deep": [[1, {"a": null}]]}, "weight_map": {)" + text + "}}";
}

class Shards : public ::testing::Test {
 protected:
  Shards() {
    save(at("model-00001-of-00002.safetensors"), Value::dict({{"a", ones({2})}, {"b", zeros({3})}}));
    save(at("model-00002-of-00002.safetensors"), Value::dict({{"c", full({1}, 7)}}));
    put_index(good());
  }
  static std::string good() { return index_of({{"a", kFirst}, {"b", kFirst}, {"c", kSecond}}); }
  std::string at(const char* name) const { return folder_ / name; }
  void put_index(const std::string& text) const { put_file(at("model.safetensors.index.json"), text); }
  std::string refusal() const {
    return message_of<IoError>([&] { load(at("model.safetensors.index.json")); });
  }

  static constexpr const char* kFirst = "model-00001-of-00002.safetensors";
  static constexpr const char* kSecond = "model-00002-of-00002.safetensors";
  TempFolder folder_;
};

TEST_F(Shards, AFolderAndItsIndexAreOneStateDict) {
  for (const std::string& path : {at("."), at("model.safetensors.index.json")}) {
    EXPECT_EQ(load(path).size(), 3u) << path;
    const nn::StateDict dict = load_state_dict(path);
    EXPECT_EQ(dict.size(), 3u);
    EXPECT_EQ(dict.at("c").item(), 7);
    EXPECT_EQ(dict.at("a").to_vector<double>(), (std::vector<double>{1, 1}));
  }
  EXPECT_EQ(read_path(at("."), {}).format, "2 files: safetensors");
  fs::remove(at("model.safetensors.index.json"));
  EXPECT_EQ(load(at(".")).size(), 3u);  // all files of a set need no index
  fs::remove(at(kSecond));
  EXPECT_THAT(message_of<IoError>([&] { load(at(".")); }), HasSubstr("1 of 2 files, and no index"));
}

TEST_F(Shards, PyTorchFilesToo) {
  fs::remove(at("model.safetensors.index.json"));
  fs::remove(at(kFirst));
  fs::remove(at(kSecond));
  save(at("pytorch_model-00001-of-00002.bin"), Value::dict({{"a", ones({2})}}));
  save(at("pytorch_model-00002-of-00002.bin"), Value::dict({{"b", ones({2})}}));
  put_file(at("pytorch_model.bin.index.json"),
           index_of({{"b", "pytorch_model-00002-of-00002.bin"}, {"a", "pytorch_model-00001-of-00002.bin"}}));
  put_file(at("config.json"), "{}");
  EXPECT_EQ(load_state_dict(at(".")).size(), 2u);
}

TEST_F(Shards, NamesWhatTheIndexAndTheFilesDisagreeOn) {
  put_index(index_of({{"a", kFirst}, {"b", kFirst}, {"c", "model-00003-of-00003.safetensors"}}));
  EXPECT_THAT(refusal(), HasSubstr("1 of the 2 files that it names are not there: model-00003-of-00003.safetensors"));
  put_index(index_of({{"a", kFirst}, {"b", kFirst}, {"c", kSecond}, {"d", kSecond}}));
  EXPECT_THAT(refusal(),
              AllOf(HasSubstr("1 of the 4 tensors that it names are not in the files"), HasSubstr("d (model-00002")));
  put_index(index_of({{"a", kFirst}, {"c", kSecond}}));
  EXPECT_THAT(refusal(), AllOf(HasSubstr("hold 1 tensors that it does not name"), HasSubstr("b (model-00001")));
  put_index(index_of({{"a", kFirst}, {"b", kSecond}, {"c", kSecond}}));
  EXPECT_THAT(refusal(), HasSubstr("'b' is in model-00001-of-00002.safetensors; the index says in model-00002"));
  put_index(index_of({{"a", kFirst}, {"b", kFirst}, {"c", kSecond}, {"a", kSecond}}));
  EXPECT_THAT(refusal(), HasSubstr("the index names 'a' twice"));
  save(at(kSecond), Value::dict({{"c", ones({1})}, {"a", ones({1})}}));
  put_index(good());
  EXPECT_THAT(refusal(), HasSubstr("'a' is in model-00002-of-00002.safetensors; the index says in model-00001"));
  fs::remove(at("model.safetensors.index.json"));
  EXPECT_THAT(message_of<IoError>([&] { load(at(".")); }), HasSubstr("'a' is in two files"));
}

TEST_F(Shards, AnIndexCannotPointElsewhere) {
  save(folder_ / "secret.safetensors", Value::dict({{"c", ones({1})}}));
  fs::create_directory(at("sub"));
  for (const char* name :
       {"../secret.safetensors", "/etc/passwd", "sub/secret.safetensors", "..", ".", "", "..\\\\x", "a\\u0000b"}) {
    put_index(index_of({{"c", name}}));
    EXPECT_THAT(refusal(), HasSubstr("which is not the name of a file beside it")) << name;
  }
  put_index(index_of({{"c", "sub"}}));
  EXPECT_THAT(refusal(), HasSubstr("are not there: sub"));
  put_index(index_of({{"c", "model.safetensors.index.json"}}));
  EXPECT_THAT(refusal(), HasSubstr("it is an index of other files"));
  // The Hub's cache has links to the files.
  fs::rename(at(kSecond), folder_ / "blob");
  fs::create_symlink("blob", at(kSecond));
  put_index(good());
  EXPECT_EQ(load(at("model.safetensors.index.json")).size(), 3u);
}

TEST_F(Shards, RefusesDamagedIndexes) {
  for (const char* text :
       {R"({"weight_map": {"a": 1}})", R"({"weight_map": {"a": {"b": "c"}}})", R"({"weight_map": {"a": ["c"]}})",
        R"({"weight_map": {"a": "b")", R"({"weight_map": {}})", R"({"weight_map": "x"})",
        R"({"weight_map": ["a", "b"]})", R"({"other": {"weight_map": {"a": "b"}}})"}) {
    put_index(text);
    EXPECT_THAT(refusal(), HasSubstr("the index ")) << text;
  }
  // Depth and repetition cost nothing.
  std::string deep = R"({"metadata": )";
  for (int i = 0; i < 200000; ++i) deep += "[";
  put_index(deep + R"("weight_map")");
  EXPECT_THAT(refusal(), HasSubstr("is not valid JSON"));
  std::string many = R"({"weight_map": {"a": "")";
  for (int i = 0; i < 600000; ++i) many += R"(,"a":"")";
  put_index(many + "}}");
  EXPECT_THAT(message_of<IoError>([&] { load(at("model.safetensors.index.json"), {.memory = 1 << 20}); }),
              HasSubstr("needs more than 1 MB"));
}

TEST(Folders, OneFileOfWeightsIsEnough) {
  const TempFolder folder;
  EXPECT_THAT(message_of<IoError>([&] { load(folder / "."); }), HasSubstr("an empty one"));
  put_file(folder / "config.json", "{}");
  put_file(folder / "training_args.bin", "x");
  EXPECT_THAT(message_of<IoError>([&] { load(folder / "."); }), HasSubstr("it holds config.json, training_args.bin"));
  save(folder / "net.pth", Value::dict({{"x", ones({1})}}));
  EXPECT_EQ(load(folder / ".").size(), 1u);
  save(folder / "other.pth", Value::dict({{"y", ones({1})}}));
  EXPECT_THAT(message_of<IoError>([&] { load(folder / "."); }),
              HasSubstr("several files of weights: net.pth, other.pth; give one of them"));
  save(folder / "model.safetensors", Value::dict({{"z", ones({1})}}));
  EXPECT_EQ(load_state_dict(folder / ".").keys(), std::vector<std::string>{"z"});
}

TEST(Folders, OfOtherProgramsAreNamed) {
  const std::pair<const char*, const char*> folders[] = {
      {"__0_0.distcp", "dcp_to_torch"}, {"zero_to_fp32.py", "DeepSpeed"},
      {"data.pkl", "unpacked PyTorch"}, {"saved_model.pb", "TensorFlow model"},
      {"tf_model.h5", "from_tf=True"},  {"flax_model.msgpack", "from_flax=True"},
      {"model.onnx", "ONNX"},           {"model.gguf", "GGUF"},
  };
  for (const auto& [name, what] : folders) {
    const TempFolder folder;
    put_file(folder / name, "x");
    put_file(folder / ".metadata", "x");
    EXPECT_THAT(message_of<IoError>([&] { load(folder / "."); }), HasSubstr(what)) << name;
  }
}

}  // namespace
}  // namespace gradus::io
