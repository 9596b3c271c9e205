#include <gmock/gmock.h>
#include <gradus/io.h>
#include <gradus/nn.h>
#include <gtest/gtest.h>

#include "io/checkpoint/read_any.h"
#include "io/expected.h"
#include "support/message.h"
#include "support/temp_folder.h"

namespace gradus::io {
namespace {

using test::fixture;
using test::message_of;
using test::put_file;
using test::TempFolder;
using testing::ElementsAre;
using testing::HasSubstr;

struct Net : nn::Module {
  nn::Linear fc = add("fc", nn::Linear(4, 3));
  nn::Linear head = add("head", nn::Linear(3, 2));
};

TEST(Load, TellsFormatsByContent) {
  const TempFolder folder;
  const auto loads = [&](const char* name) {
    put_file(folder / "file", test::file_bytes(fixture(name)));
    return load(folder / "file");
  };
  EXPECT_EQ(loads("dtypes.pth").size(), 7u);
  EXPECT_EQ(loads("dtypes_legacy.pth").size(), 7u);
  EXPECT_EQ(loads("tar2017.pth").as_int({"epoch"}), 4);
  EXPECT_EQ(loads("dtypes.safetensors").size(), 9u);
  EXPECT_EQ(loads("dtypes.npz").size(), 6u);
  save_npy(folder / "a.npy", arange(3));
  EXPECT_EQ(load(folder / "a.npy").as_tensor().numel(), 3);
  EXPECT_EQ(load(fixture("script.pt")).as_tensor({"weight"}).sizes(), (Shape{2, 2}));
  put_file(folder / "file", "hello, world, this is text");
  EXPECT_THAT(message_of<IoError>([&] { load(folder / "file"); }), HasSubstr("an unknown format"));
  put_file(folder / "file", "");
  EXPECT_THAT(message_of<IoError>([&] { load(folder / "file"); }), HasSubstr("the file is empty"));
}

TEST(Save, ChoosesTheFormatByName) {
  const TempFolder folder;
  const Value dict = Value::dict({{"x", arange(3)}});
  for (const char* name : {"a.pt", "a.pth", "a.ckpt", "a.bin", "a.safetensors", "a.npz"}) {
    save(folder / name, dict);
    EXPECT_EQ(load(folder / name).as_tensor({"x"}).to_vector<int>(), (std::vector<int>{0, 1, 2})) << name;
  }
  EXPECT_EQ(load_safetensors(folder / "a.safetensors").tensors.size(), 1u);
  EXPECT_THAT(message_of<ValueError>([&] { save(folder / "a.onnx", dict); }), HasSubstr("the name must end in"));
  EXPECT_THAT(message_of<ValueError>([&] {
                save(folder / "b.npz", Value::dict({{"x", 1}}));
              }),
              HasSubstr("need a tensor"));
  EXPECT_FALSE(std::filesystem::exists(folder / "b.npz"));
}

TEST(LoadStateDict, LoadsIntoANetwork) {
  const TempFolder folder;
  Net from, to;
  save(folder / "net.pth", from.state_dict());
  to.load_state_dict(load_state_dict(folder / "net.pth"));
  for (const auto& [name, tensor] : from.state_dict()) EXPECT_TRUE(equal(tensor, to.state_dict().at(name))) << name;
}

TEST(LoadStateDict, SaysWhereTheTensorsAre) {
  const std::string path = fixture("checkpoint.pth");
  EXPECT_THAT(load_state_dict(path).keys(), testing::Contains("fc.weight"));  // at model, the only one
  EXPECT_EQ(load_state_dict(path, {.at = {"model"}}).keys(), load_state_dict(path).keys());
  EXPECT_THAT(message_of<ValueError>([&] { load_state_dict(path, {.at = {"step"}}); }),
              HasSubstr("need a dict of tensors at step, got integer"));
  EXPECT_THAT(message_of<ValueError>([&] { load_state_dict(path, {.at = {"weights"}}); }),
              HasSubstr("no key 'weights'"));
}

// As with {k: v for k, v in pretrained.items() if k in model} in Python.
TEST(LoadStateDict, TakesWhatMatchesUnderOtherNames) {
  const TempFolder folder;
  Net net;
  const nn::StateDict before = net.state_dict();
  const Tensor head = before.at("head.weight").clone();
  const Value pretrained = Value::dict({{"module.fc.weight", ones({3, 4})},
                                        {"module.fc.bias", zeros({3})},
                                        {"module.head.weight", ones({10, 3})},
                                        {"module.extra", ones({1})}});
  save(folder / "a.safetensors", pretrained);
  const nn::StateDict dict = load_state_dict(folder / "a.safetensors", {.rename = {{"module.*", "*"}}});
  const nn::LoadReport report = net.load_state_dict(dict, {.strict = false, .skip_mismatched = true});
  EXPECT_THAT(report.loaded, ElementsAre("fc.weight", "fc.bias"));
  EXPECT_THAT(report.missing, ElementsAre("head.bias"));
  EXPECT_THAT(report.unexpected, ElementsAre("extra"));
  EXPECT_THAT(report.mismatched, ElementsAre("head.weight: [2, 3] in the module, [10, 3] in the dict"));
  EXPECT_EQ(net.fc.weight.to_vector<float>(), std::vector<float>(12, 1.0f));
  EXPECT_TRUE(equal(net.head.weight, head));
  EXPECT_THAT(message_of<ValueError>([&] {
                load_state_dict(folder / "a.safetensors", {.rename = {{"module.*", "x"}}});
              }),
              HasSubstr("two names become 'x'"));
}

TEST(Load, RemarksOnBytesAfterTheEnd) {
  for (const char* name : {"dtypes.pth", "dtypes_legacy.pth", "arrays.npz", "row.npy"}) {
    const std::string bytes = test::file_bytes(test::fixture(name)) + "\n\n";
    const LoadedFile file = read_any(Source::from_bytes("file", bytes));
    EXPECT_EQ(file.remarks.notes, std::vector<std::string>{"2 bytes after its end not read"}) << name;
  }
}

TEST(Load, OrdinaryFilesAreWithinTheBudget) {
  const TempFolder folder;
  Value losses = Value::list(), tensors = Value::dict();
  for (int i = 0; i < 300'000; ++i) losses.push_back(Value::dict({{"step", i}, {"loss", 1.0 / (i + 1)}}));
  for (int i = 0; i < 20'000; ++i) tensors.set("layer" + std::to_string(i), tensor({1.0f}));
  save(folder / "a.pth", Value::dict({{"losses", losses}, {"tensors", tensors}}));
  EXPECT_EQ(load(folder / "a.pth").size({"losses"}), 300'000u);
  save(folder / "a.safetensors", tensors);
  EXPECT_EQ(load(folder / "a.safetensors").size(), 20'000u);
  save(folder / "a.npz", tensors);
  EXPECT_EQ(load(folder / "a.npz").size(), 20'000u);
}

}  // namespace
}  // namespace gradus::io
