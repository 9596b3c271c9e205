#include <gmock/gmock.h>
#include <gradus/io/safetensors.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "io/expected.h"
#include "support/message.h"
#include "support/temp_folder.h"

namespace gradus::io {
namespace {

using test::difference;
using test::file_bytes;
using test::fixture;
using test::message_of;
using test::put_file;
using test::TempFolder;
using testing::HasSubstr;

// The file that this header and data make.
std::string with_header(std::string header, std::string data) {
  const std::uint64_t size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), sizeof size) + header + data;
}

std::string error_of(const std::string& bytes) {
  const TempFolder folder;
  put_file(folder / "a.safetensors", bytes);
  return message_of<IoError>([&] { load_safetensors(folder / "a.safetensors"); });
}

std::string error_of(const std::string& header, const std::string& data) { return error_of(with_header(header, data)); }

TEST(Safetensors, FilesOfTheReferenceAreReadBitForBit) {
  for (const bool mmap : {true, false}) {
    const Safetensors read = load_safetensors(fixture("dtypes.safetensors"), {.mmap = mmap});
    EXPECT_EQ(read.metadata, (std::map<std::string, std::string>{{"format", "pt"}, {"note", "häuser \"quoted\""}}));
    std::size_t compared = 0;
    for (const auto& entry : test::expected_checkpoints()["dtypes.safetensors"][1]) {
      const std::string key = entry[0];
      EXPECT_EQ(difference(read.tensors.at({key}), entry[1]), "") << key;
      ++compared;
    }
    EXPECT_EQ(compared, 9u);
    EXPECT_EQ(read.tensors.size(), compared);
  }
}

// For tests/fixtures/check_with_pytorch.py.
TEST(Safetensors, WritesFilesForPyTorch) {
  const TempFolder folder;
  const char* keep = std::getenv("GRADUS_TEST_KEEP");
  const std::string path = (keep != nullptr ? std::string(keep) : folder.path()) + "/dtypes.safetensors";
  const Safetensors read = load_safetensors(fixture("dtypes.safetensors"));
  save_safetensors(path, read.tensors, read.metadata);
  const Safetensors back = load_safetensors(path);
  EXPECT_EQ(back.metadata, read.metadata);
  EXPECT_EQ(back.tensors.size(), read.tensors.size());
  for (const auto& [key, value] : read.tensors.entries()) {
    EXPECT_EQ(difference(value, back.tensors.at({key})), "") << key.to_string();
    const auto address = reinterpret_cast<std::uintptr_t>(back.tensors.as_tensor({key}).data_ptr());
    EXPECT_EQ(address % static_cast<std::uintptr_t>(value.as_tensor().element_size()), 0u);
  }
}

TEST(Safetensors, WritesViewsInFull) {
  const TempFolder folder;
  const Tensor x = arange(6).view({2, 3});
  save_safetensors(folder / "a", Value::dict({{"t", x.t()}, {"x", x}, {"row", x.select(0, 1)}}));
  const Value back = load_safetensors(folder / "a").tensors;
  EXPECT_EQ(back.as_tensor({"t"}).to_vector<int>(), (std::vector<int>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(back.as_tensor({"row"}).to_vector<int>(), (std::vector<int>{3, 4, 5}));
  EXPECT_EQ(back.as_tensor({"row"}).impl()->storage->nbytes, 24u);
}

TEST(Safetensors, ReadsUnalignedDataByCopying) {
  const std::string header = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  for (int pad = 0; pad < 8; ++pad) {
    const TempFolder folder;
    const float value = 2.5f;
    put_file(folder / "a", with_header(header + std::string(static_cast<std::size_t>(pad), ' '),
                                       {reinterpret_cast<const char*>(&value), 4}));
    EXPECT_EQ(load_safetensors(folder / "a").tensors.as_tensor({"a"}).item(), 2.5);
  }
}

TEST(Safetensors, EveryRuleIsChecked) {
  const std::string a = R"("a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]})";
  EXPECT_EQ(error_of("{" + a + "}", "xy"), "no exception");
  EXPECT_EQ(error_of("{}", ""), "no exception");
  EXPECT_THAT(error_of("{" + a + "}", "x"), HasSubstr("the tensors have 2 bytes, the file holds 1"));
  EXPECT_THAT(error_of("{" + a + "}", "xyz"), HasSubstr("the tensors have 2 bytes, the file holds 3"));
  EXPECT_THAT(error_of("{" + a + "," + a + "}", "xyxy"),
              HasSubstr("'a' has bytes 0 to 2, where the one before it ends at 2"));
  EXPECT_THAT(error_of("{" + a + R"(,"a":{"dtype":"U8","shape":[],"data_offsets":[2,3]}})", "xyz"),
              HasSubstr("two tensors are named 'a'"));
  EXPECT_THAT(error_of("{" + a + R"(,"b":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}})", "xyzw"),
              HasSubstr("'b' has bytes 3 to 4, where the one before it ends at 2"));
  EXPECT_THAT(error_of("{" + a + R"(,"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", "xy"),
              HasSubstr("'b' has bytes 1 to 2"));
  EXPECT_THAT(error_of(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[2,0]}})", "xy"), HasSubstr("bytes 2 to 0"));
  EXPECT_THAT(error_of(R"({"a":{"dtype":"I32","shape":[2],"data_offsets":[0,2]}})", "xy"),
              HasSubstr("sizes [2] needs 8 bytes, got 2"));
  EXPECT_EQ(error_of(R"({"a":{"dtype":"F4","shape":[4],"data_offsets":[0,2]}})", "xy"), "no exception");
  EXPECT_THAT(error_of(R"({"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", ""),
              HasSubstr("too many elements"));
  EXPECT_THAT(error_of(R"({"a":{"dtype":"U8","shape":[0,4294967296,4294967296,4294967296],"data_offsets":[0,0]}})", ""),
              HasSubstr("too many elements"));
  EXPECT_THAT(error_of(R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,0]}})", ""), HasSubstr("negative"));
  EXPECT_THAT(error_of(R"({"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}})", "x"), HasSubstr("fraction"));
  EXPECT_THAT(error_of(R"({"a":{"dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,1]}})", "x"),
              HasSubstr("beyond 64 bits"));
  EXPECT_THAT(error_of(R"({"a":{"dtype":"U8","shape":[99999999999999999999],"data_offsets":[0,1]}})", "x"),
              HasSubstr("fraction"));
  EXPECT_THAT(error_of(R"({"a":{"dtype":"U8","shape":[1]}})", "x"), HasSubstr("lacks"));
  EXPECT_THAT(error_of(R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "x"),
              HasSubstr("two fields 'dtype'"));
  EXPECT_THAT(error_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"z":1}})", "x"),
              HasSubstr("unknown field"));
  EXPECT_THAT(error_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}})", "x"), HasSubstr("two data_offsets"));
  EXPECT_THAT(error_of(R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})", "x"),
              HasSubstr("17 dimensions"));
  EXPECT_THAT(error_of(R"({"__metadata__":{"a":1}})", ""), HasSubstr("number where none belongs"));
  EXPECT_THAT(error_of(R"({"__metadata__":{"a":"1","a":"2"}})", ""), HasSubstr("two entries 'a'"));
  EXPECT_THAT(error_of(R"({"__metadata__":{},"__metadata__":{}})", ""), HasSubstr("two entries __metadata__"));
  EXPECT_THAT(error_of(R"({"a":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}})", "\2"), HasSubstr("0 or 1, got 2"));
  EXPECT_THAT(error_of(R"({"a":)" + std::string(100000, '['), ""), HasSubstr("list where none belongs"));
  EXPECT_THAT(error_of(R"({"a":{"b":{"c":1}}})", ""), HasSubstr("unknown field"));
  EXPECT_THAT(error_of("{" + a, "xy"), HasSubstr("not valid JSON"));
  EXPECT_THAT(error_of("{" + a + "} x", "xy"), HasSubstr("not valid JSON"));
  EXPECT_THAT(error_of("{\"\xff\":{}}", ""), HasSubstr("not valid JSON"));
  EXPECT_THAT(error_of(" {}", ""), HasSubstr("begin with {"));
  EXPECT_THAT(error_of("", ""), HasSubstr("begin with {"));
  EXPECT_THAT(error_of("\x08\0\0"), HasSubstr("too short"));
  EXPECT_THAT(error_of(std::string(8, '\xff')), HasSubstr("more than the 100 MB"));
  EXPECT_THAT(error_of(std::string("\x40\0\0\0\0\0\0\0{}", 10)), HasSubstr("ends within its header"));
}

TEST(Safetensors, RefusesToSaveWhatTheFormatCannotHold) {
  const TempFolder folder;
  const auto error = [&](const Value& value) {
    return message_of<ValueError>([&] { save_safetensors(folder / "a", value); });
  };
  EXPECT_THAT(error(Value::list()), HasSubstr("need a dict of tensors"));
  EXPECT_THAT(error(Value::dict({{"a", 1}})), HasSubstr("got integer named a"));
  EXPECT_THAT(error(Value::dict({{3, tensor({1})}})), HasSubstr("named 3"));
  EXPECT_THAT(error(Value::dict({{"__metadata__", tensor({1})}})), HasSubstr("named __metadata__"));
  EXPECT_THAT(error(Value::dict({{"\xff", tensor({1})}})), HasSubstr("UTF-8"));
  EXPECT_EQ(folder.entries(), 0u);
}

}  // namespace
}  // namespace gradus::io
