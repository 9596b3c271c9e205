#include <gmock/gmock.h>
#include <gradus/io.h>
#include <gradus/nn.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "cli/commands/ckpt/ckpt_leaves.h"
#include "support/command.h"
#include "text/units.h"

namespace gradus::cli {
namespace {

using io::Value;
using test::TempFolder;
using testing::HasSubstr;

struct Result {
  int status;
  std::string text;  // standard output and error
};

Result gradus_ckpt(const std::string& arguments) {
  const test::CommandResult run = test::run_gradus("ckpt " + arguments + " 2>&1");
  return {run.status, run.out};
}

std::string fixture(const std::string& name) { return test::source_path("tests/fixtures/" + name); }

TEST(Ckpt, ShowsWhatAFileHolds) {
  const TempFolder folder;
  const Tensor w = ones({2, 3});
  io::save(folder / "a.pth", Value::dict({{"epoch", 3},
                                          {"model", Value::dict({{"w", w}, {"tied", w.t()}, {"none", Value::dict()}})},
                                          {"bad\x1b[31m", "red\n"},
                                          {"lists", Value::list({Value::list({1, 2}), Value::list({zeros({0})})})}}));
  const Result shown = gradus_ckpt("show " + folder / "a.pth");
  EXPECT_EQ(shown.status, 0);
  EXPECT_THAT(shown.text, HasSubstr("a.pth: PyTorch checkpoint, "));
  EXPECT_THAT(shown.text, HasSubstr("  epoch       3\n"
                                    "  model.w     [2, 3] float32  24 B\n"
                                    "  model.tied  [3, 2] float32  24 B\n"
                                    "  model.none  {}\n"
                                    "  bad\\x1b[31m  'red\\x0a'\n"
                                    "  lists.0     [1, 2]\n"
                                    "  lists.1.0   [0] float32  0 B\n"
                                    "3 tensors, 12 elements, 24 B\n"));
  const Result safe = gradus_ckpt("show " + fixture("dtypes.safetensors"));
  EXPECT_THAT(safe.text, HasSubstr("dtypes.safetensors: safetensors, 980 B\n  metadata format: pt\n"));
  EXPECT_THAT(safe.text, HasSubstr("  bfloat16  [3, 4] bfloat16  24 B\n"));
}

TEST(Ckpt, FindsDifferences) {
  const TempFolder folder;
  const auto dict = [](const Tensor& x) { return Value::dict({{"x", x}, {"y", arange(3)}, {"n", 1}}); };
  io::save(folder / "a.pth", dict(tensor({1.0f, 2.0f, NAN})));
  io::save(folder / "b.pth", dict(tensor({1.0f, 2.5f, NAN})));
  io::save(folder / "c.safetensors", Value::dict({{"m.x", tensor({1.0f, 2.0f, NAN})}, {"z", ones({1})}}));
  const std::string a = folder / "a.pth", b = folder / "b.pth", c = folder / "c.safetensors";
  EXPECT_EQ(gradus_ckpt("diff " + a + " " + a).text, "3 the same, 0 different\n");
  EXPECT_EQ(gradus_ckpt("diff " + a + " " + a).status, 0);
  const Result values = gradus_ckpt("diff " + a + " " + b);
  EXPECT_EQ(values.status, 1);
  EXPECT_EQ(values.text, "x: 1 of 3 elements differ, by up to 0.5\n2 the same, 1 different\n");
  const Result names = gradus_ckpt("diff --rename x=m.x --rename y=z " + a + " " + c);
  EXPECT_EQ(names.status, 1);
  EXPECT_EQ(names.text, "z: [3] int64 and [1] float32\nn: only in " + a + "\n1 the same, 2 different\n");
  EXPECT_THAT(gradus_ckpt("diff " + c + " " + a).text, HasSubstr("y: only in " + a + "\n"));
}

TEST(Ckpt, ShowsWhatIsNotRebuiltOrOfAnotherType) {
  const TempFolder folder;
  test::put_file(folder / "a.pth", test::file_bytes(fixture("objects.pth")) + "\n");
  const std::string objects = gradus_ckpt("show " + folder / "a.pth").text;
  EXPECT_THAT(objects, HasSubstr("  note: 1 byte after its end not read\n"));
  EXPECT_THAT(objects, HasSubstr("  args             <argparse.Namespace>\n  args.lr          0.1\n"));
  EXPECT_THAT(objects, HasSubstr("  tree.weight      [2] float32  8 B\n"));
  EXPECT_THAT(objects, HasSubstr("  names            <numpy.ndarray {'dtype': 'U1', 'shape': (2,)}>\n"));
  EXPECT_THAT(gradus_ckpt("show " + fixture("other_types.pth")).text,
              HasSubstr("  uint16         [4] int32  16 B  (uint16 in the file)\n"));
}

TEST(Ckpt, ComparesIntegersExactlyAndPlacesByTheirKeys) {
  const TempFolder folder;
  const std::int64_t large = std::int64_t{1} << 53;
  const auto written = [&](const char* name, const Value& value) {
    io::save(folder / name, value);
    return folder / name;
  };
  const auto text = [](const std::string& a, const std::string& b) { return gradus_ckpt("diff " + a + " " + b).text; };
  EXPECT_EQ(text(written("a.pth", Value::dict({{"x", tensor({large, INT64_MIN})}})),
                 written("b.pth", Value::dict({{"x", tensor({large + 1, INT64_MAX})}}))),
            "x: 2 of 2 elements differ, by up to 1.84e+19\n0 the same, 1 different\n");
  const Value nested = Value::dict({{"b", zeros({1})}});
  const std::string both = written("a.pth", Value::dict({{"a.b", ones({1})}, {"a", nested}, {1, 2}, {"1", 3}}));
  EXPECT_EQ(text(both, both), "4 the same, 0 different\n");
  EXPECT_EQ(text(both, written("b.pth", Value::dict({{"a", nested}, {"1", 2}}))),
            "a.b: only in " + folder / "a.pth" + "\n1: only in " + folder / "a.pth" +
                "\n1: 3 and 2\n1 the same, 3 different\n");
  EXPECT_EQ(text(written("a.pth", Value::dict({{"x", 3}})), written("b.pth", Value::dict({{"x", 3.0}}))),
            "x: 3 and 3.0\n0 the same, 1 different\n");
  EXPECT_EQ(gradus_ckpt("diff " + fixture("objects.pth") + " " + fixture("objects_legacy.pth")).status, 0);
}

TEST(Ckpt, ConvertsWithoutWhatIsNotRebuilt) {
  const TempFolder folder;
  const Result result = gradus_ckpt("convert " + fixture("objects.pth") + " " + folder / "a.pth");
  EXPECT_EQ(result.status, 0) << result.text;
  EXPECT_THAT(result.text, HasSubstr("left out, not rebuilt: args (argparse.Namespace)\n"));
  EXPECT_THAT(result.text, HasSubstr("left out, not rebuilt: loop.1 (list)\n"));
  const Value back = io::load(folder / "a.pth");
  EXPECT_FALSE(back.contains({"args"}));
  EXPECT_EQ(back.at({"loop"}).to_string(), "[1, None]");
  EXPECT_EQ(back.at({"set"}).to_string(), "<builtins.set [1]>");
  EXPECT_EQ(back.as_tensor({"state_dict", "w"}).numel(), 6);
}

TEST(Ckpt, ConvertsToWhatPyTorchReadsWithWeightsOnly) {
  const TempFolder folder;
  const Result result = gradus_ckpt("convert " + fixture("shared.pth") + " " + folder / "a.pth");
  EXPECT_EQ(result.status, 0) << result.text;
  EXPECT_THAT(result.text, HasSubstr("left out, not rebuilt: <builtins.frozenset 8> (builtins.frozenset)\n"));
  const Value back = io::load(folder / "a.pth");
  EXPECT_EQ(back.size(), 8u);
  EXPECT_EQ(back.at({"complex"}).to_string(), "[<builtins.complex (1.0, 2.0)>, <builtins.complex (1.0, 2.0)>]");
  EXPECT_EQ(back.at({"again"}).to_string(), "[{'w': tensor([3], float32)}, 7, None]");
  EXPECT_THAT(test::file_bytes(folder / "a.pth"), HasSubstr("big\x8a"));  // LONG1: LONG4 is refused there
}

TEST(Ckpt, Converts) {
  const TempFolder folder;
  const std::string out = folder / "net.safetensors";
  Result result =
      gradus_ckpt("convert " + fixture("checkpoint.pth") + " " + out + " --at model --rename 'fc.*=head.*'");
  EXPECT_EQ(result.status, 0) << result.text;
  const io::Safetensors read = io::load_safetensors(out);
  EXPECT_EQ(read.metadata.at("format"), "pt");
  const Value model = io::load(fixture("checkpoint.pth")).at({"model"});
  EXPECT_EQ(read.tensors.size(), model.size());
  EXPECT_EQ(read.tensors.as_tensor({"head.weight"}).to_vector<float>(),
            model.as_tensor({"fc.weight"}).to_vector<float>());
  result = gradus_ckpt("convert " + out + " " + folder / "net.pth" + " --dtype float64");
  EXPECT_EQ(io::load(folder / "net.pth").as_tensor({"head.weight"}).dtype(), kFloat64);
  EXPECT_EQ(io::load(folder / "net.pth").as_tensor({"bn.num_batches_tracked"}).dtype(), kInt64);
  EXPECT_EQ(gradus_ckpt("convert " + fixture("tree_legacy.pth") + " " + folder / "tree.pth").status, 0);
  EXPECT_EQ(gradus_ckpt("diff " + fixture("tree_legacy.pth") + " " + folder / "tree.pth").status, 0);
  EXPECT_EQ(gradus_ckpt("convert " + out + " " + folder / "w.npy --at head.weight").status, 0);
  EXPECT_EQ(gradus_ckpt("convert " + fixture("checkpoint.pth") + " " + folder / "rng.npy --at rng").status, 0);
  EXPECT_EQ(io::load(folder / "rng.npy").as_tensor().numel(), 64);
}

TEST(Ckpt, Verifies) {
  const TempFolder folder;
  EXPECT_THAT(gradus_ckpt("verify " + fixture("dtypes.pth")).text,
              HasSubstr("whole: PyTorch checkpoint, 7 tensors, 336 B, checksums agree\n"));
  EXPECT_THAT(gradus_ckpt("verify " + fixture("dtypes.safetensors")).text, HasSubstr("the format has no checksums\n"));
  EXPECT_THAT(gradus_ckpt("verify " + fixture("no_crc.pth")).text, HasSubstr("; it has no checksums\n"));
  // One checksum of 0 among others is wrong.
  std::string bytes = test::file_bytes(fixture("arrays.npz"));
  for (const auto& [record, crc] : {std::pair("PK\3\4", 14), {"PK\1\2", 16}})
    bytes.replace(bytes.find(record) + static_cast<std::size_t>(crc), 4, std::string(4, '\0'));
  test::put_file(folder / "a.npz", bytes);
  EXPECT_THAT(gradus_ckpt("verify " + folder / "a.npz").text, HasSubstr("recorded 00000000"));
  bytes = test::file_bytes(fixture("dtypes.pth"));
  io::save(folder / "a.pth", Value::dict({{"x", arange(100)}}));
  bytes = test::file_bytes(folder / "a.pth");
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  test::put_file(folder / "a.pth", bytes);
  EXPECT_EQ(gradus_ckpt("show " + folder / "a.pth").status, 0);
  const Result damaged = gradus_ckpt("verify " + folder / "a.pth");
  EXPECT_EQ(damaged.status, 2);
  EXPECT_THAT(damaged.text, HasSubstr("tensor x is damaged: its checksum is"));
}

TEST(Ckpt, ErrorsAreOneLine) {
  const TempFolder folder;
  for (const std::string& arguments :
       {std::string("show /none"), std::string("show"), std::string("convert /none /none.pth"),
        "convert " + fixture("dtypes.pth") + " " + folder / "a.onnx",
        "convert " + fixture("dtypes.pth") + " " + folder / "a.npz",
        "convert " + fixture("dtypes.pth") + " " + folder / "a.pth --rename x",
        "convert " + fixture("dtypes.pth") + " " + folder / "a.pth --rename '*=x'",
        "convert " + fixture("dtypes.pth") + " " + folder / "a.pth --dtype int8",
        "convert " + fixture("dtypes.pth") + " " + folder / "a.pth --at none",
        "diff " + fixture("dtypes.pth") + " /none", std::string("frobnicate")}) {
    const Result result = gradus_ckpt(arguments);
    EXPECT_EQ(result.status, 2) << arguments;
    EXPECT_EQ(result.text.substr(0, 8), "gradus: ") << result.text;
    EXPECT_EQ(std::count(result.text.begin(), result.text.end(), '\n'), 1) << result.text;
  }
  EXPECT_EQ(folder.entries(), 0u);
}

TEST(Ckpt, ConvertSaysWhatItLeavesOut) {
  const TempFolder folder;
  const Result result = gradus_ckpt("convert " + fixture("tree.pth") + " " + folder / "a.safetensors");
  EXPECT_EQ(result.status, 0) << result.text;
  EXPECT_THAT(result.text, HasSubstr("left out, not a tensor: x\n"));
  EXPECT_EQ(io::load_safetensors(folder / "a.safetensors").tensors.size(), 1u);
}

TEST(Printable, ShowsEveryByte) {
  EXPECT_EQ(printable("\u00e4\x1b\xc2\x9b\xe9"), "\u00e4\\x1b\\xc2\\x9b\\xe9");
  EXPECT_EQ(printable("abc", 2), "ab...");
  EXPECT_EQ(printable("\u00e4\u00e4", 2), "\u00e4\u00e4");
}

TEST(ByteCount, PicksAUnit) {
  EXPECT_EQ(byte_count(0), "0 B");
  EXPECT_EQ(byte_count(1023), "1023 B");
  EXPECT_EQ(byte_count(1536), "1.5 KiB");
  EXPECT_EQ(byte_count(std::int64_t{3} << 40), "3.0 TiB");
}

}  // namespace
}  // namespace gradus::cli
