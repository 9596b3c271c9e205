#include <gmock/gmock.h>
#include <gradus/io/numpy.h>
#include <gradus/ops.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "io/expected.h"
#include "support/message.h"
#include "support/temp_folder.h"

namespace gradus::io {
namespace {

using test::difference;
using test::fixture;
using test::message_of;
using test::put_file;
using test::TempFolder;
using testing::HasSubstr;

const nlohmann::json& expected(const std::string& name) { return test::expected_checkpoints()[name][1]; }

std::string npy(const std::string& header, const std::string& data, char version = 1) {
  std::string bytes("\x93NUMPY");
  bytes += {version, '\0', static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  if (version > 1) bytes += {'\0', '\0'};
  return bytes + header + data;
}

std::string error_of(const std::string& bytes) {
  const TempFolder folder;
  put_file(folder / "a.npy", bytes);
  return message_of<IoError>([&] { load_npy(folder / "a.npy"); });
}

TEST(NumPy, ArraysAreReadBitForBit) {
  for (const char* file : {"arrays.npz", "arrays_compressed.npz"}) {
    for (const bool mmap : {true, false}) {
      const Value arrays = load_npz(fixture(file), {.mmap = mmap, .verify = true});
      EXPECT_EQ(arrays.size(), expected("arrays.npz").size());
      for (const auto& entry : expected("arrays.npz")) {
        const std::string key = entry[0];
        const Tensor x = arrays.as_tensor({key});
        EXPECT_EQ(to_string(x.dtype()), entry[1]["dtype"]) << key;
        EXPECT_EQ(entry[1]["shape"], std::vector<std::int64_t>(x.sizes().begin(), x.sizes().end())) << key;
        EXPECT_EQ(x.to_vector<double>(), entry[1]["values"].get<std::vector<double>>()) << key;
      }
    }
  }
}

// For tests/fixtures/check_with_pytorch.py.
TEST(NumPy, WritesFilesForPyTorch) {
  const TempFolder folder;
  const char* keep = std::getenv("GRADUS_TEST_KEEP");
  const std::string to = keep != nullptr ? keep : folder.path();
  const Value all = load_npz(fixture("dtypes.npz"));
  EXPECT_EQ(all.size(), 6u);
  save_npz(to + "/dtypes.npz", all);
  const Value back = load_npz(to + "/dtypes.npz", {.verify = true});
  for (const auto& [key, value] : all.entries()) {
    EXPECT_EQ(difference(value, back.at({key})), "");
    const std::string path = to + "/" + key.to_string() + ".npy";
    save_npy(path, value.as_tensor());
    EXPECT_EQ(difference(value, load_npy(path)), "");
  }
}

TEST(NumPy, KeepsShapes) {
  const TempFolder folder;
  for (const Tensor& x :
       {zeros({}), zeros({0}), zeros({3, 0, 2}), ones({1}), arange(24).view({2, 3, 4}).permute({2, 0, 1})}) {
    save_npy(folder / "a.npy", x);
    EXPECT_EQ(load_npy(folder / "a.npy").sizes(), x.sizes());
    EXPECT_EQ(load_npy(folder / "a.npy").to_vector<double>(), x.to_vector<double>());
  }
  EXPECT_THAT(message_of<ValueError>([&] { save_npy(folder / "b.npy", zeros({2}, {.dtype = kBFloat16})); }),
              HasSubstr("NumPy has no bfloat16"));
  EXPECT_EQ(folder.entries(), 1u);
}

TEST(NumPy, RefusesWhatItCannotRead) {
  const std::string good = "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }\n";
  EXPECT_EQ(error_of(npy(good, "xy")), "no exception");
  EXPECT_EQ(error_of(npy(good, "xy", 2)), "no exception");
  EXPECT_EQ(error_of(npy("{'shape':(1,2),'fortran_order':True,\"descr\":'<u1'}", "xy")), "no exception");
  EXPECT_EQ(error_of(npy(good, "xyz")), "no exception");
  EXPECT_THAT(error_of(npy(good, "x")), HasSubstr("needs 2 bytes of data, got 1"));
  EXPECT_THAT(error_of(npy(good, "xy", 4)), HasSubstr("version 4"));
  EXPECT_THAT(error_of(npy(good + "x", "xy")), HasSubstr("damaged header"));
  const auto shape = [](const std::string& s) {
    return "{'descr': '|u1', 'fortran_order': False, 'shape': (" + s + ")}";
  };
  EXPECT_THAT(error_of(npy(shape("-1,"), "")), HasSubstr("damaged header"));
  EXPECT_THAT(error_of(npy(shape("99999999999999999999,"), "")), HasSubstr("damaged header"));
  EXPECT_THAT(error_of(npy(shape("4294967296, 4294967296, 0"), "")), HasSubstr("too many elements"));
  EXPECT_THAT(error_of(npy(shape("1, 1 1"), "x")), HasSubstr("damaged header"));
  EXPECT_THAT(error_of(npy(shape("1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1"), "x")), HasSubstr("17 dimensions"));
  const auto descr = [](const std::string& d) { return "{'descr': " + d + ", 'fortran_order': False, 'shape': (1,)}"; };
  EXPECT_THAT(error_of(npy(descr("'<c8'"), "12345678")), HasSubstr("of the type '<c8'"));
  EXPECT_THAT(error_of(npy(descr("'|O'"), "xy")), HasSubstr("of the type '|O'"));
  EXPECT_THAT(error_of(npy(descr("''"), "xy")), HasSubstr("of the type ''"));
  EXPECT_THAT(error_of(npy(descr("[('a', '<f4')]"), "xyzw")), HasSubstr("of the type 'records'"));
  EXPECT_THAT(error_of(npy("{'descr': '|u1', 'descr': '|u1'}", "")), HasSubstr("damaged header"));
  EXPECT_THAT(error_of(npy("{}", "")), HasSubstr("damaged header"));
  EXPECT_THAT(error_of("\x93NUMPY"), HasSubstr("ends within"));
}

TEST(NumPy, RefusesToInflateWithoutBounds) {
  EXPECT_THAT(message_of<IoError>([&] { load_npz(fixture("zeros_compressed.npz"), {.memory = 12 << 20}); }),
              HasSubstr("too much for a file"));
  const Value arrays = load_npz(fixture("zeros_compressed.npz"));
  EXPECT_EQ(arrays.as_tensor({"zeros"}).numel(), 20'000'000);
  EXPECT_EQ(arrays.as_tensor({"zeros"}).sum().item(), 0.0);
}

TEST(NumPy, ReadsOldHeaders) {
  const auto read = [](const std::string& header) {
    const TempFolder folder;
    put_file(folder / "a.npy", npy(header, "123456"));
    return load_npy(folder / "a.npy").sizes();
  };
  EXPECT_EQ(read("{'descr': '|u1', 'fortran_order': False, 'shape': (2L, 3L), }"), Shape({2, 3}));
  EXPECT_EQ(read("{'descr': '|u1', 'fortran_order': False, 'shape': (6L,), }"), Shape({6}));
  EXPECT_EQ(read("{'descr': u'|u1',\t'fortran_order': False, 'shape': (2,\t3), }  \t"), Shape({2, 3}));
  EXPECT_EQ(read("{'descr': 'u1', 'fortran_order': False, 'shape': (6,)}"), Shape({6}));
}

TEST(NumPy, WritesEmptyArraysWithTheirChecksums) {
  const TempFolder folder;
  save_npz(folder / "a.npz", Value::dict({{"a", ones({2})}, {"e", zeros({0, 3})}}));
  EXPECT_EQ(load_npz(folder / "a.npz", {.verify = true}).as_tensor({"e"}).sizes(), Shape({0, 3}));
}

TEST(NumPy, RefusesNamesThatPythonReadsAsOthers) {
  const TempFolder folder;
  for (const std::string& name : {std::string("\xff"), std::string("a\0b", 3)}) {
    EXPECT_THAT(message_of<ValueError>([&] {
                  save_npz(folder / "a.npz", Value::dict({{name, ones({1})}}));
                }),
                HasSubstr("must be UTF-8 without zeros"));
  }
  EXPECT_EQ(folder.entries(), 0u);
}

TEST(NumPy, ReadsWhatIsAskedForOnly) {
  const TempFolder folder;
  save_npz(folder / "a.npz", Value::dict({{"x", ones({2})}, {"y", arange(2)}}));
  std::string bytes = test::file_bytes(folder / "a.npz");
  bytes.replace(bytes.find("{'descr': '<i8'"), 1, "[");
  put_file(folder / "a.npz", bytes);
  EXPECT_EQ(load_npz(folder / "a.npz", {}, {"x"}).size(), 1u);
  EXPECT_THAT(message_of<IoError>([&] { load_npz(folder / "a.npz", {}, {"y"}); }), HasSubstr("damaged header"));
  EXPECT_THAT(message_of<ValueError>([&] { load_npz(folder / "a.npz", {}, {"z"}); }),
              HasSubstr("there is no array 'z'; it holds x, y"));
}

}  // namespace
}  // namespace gradus::io
