// What people save beside their weights, and element types that Gradus lacks (tests/fixtures/make_objects.py).
#include <cmath>

#include <gmock/gmock.h>
#include <gradus/io/load.h>
#include <gradus/io/numpy.h>
#include <gradus/ops.h>
#include <gtest/gtest.h>

#include "io/checkpoint/read_any.h"
#include "io/expected.h"
#include "io/pickle/pickle.h"
#include "support/message.h"
#include "support/temp_folder.h"

namespace gradus::io {
namespace {

using test::file_bytes;
using test::fixture;
using test::message_of;
using test::TempFolder;
using testing::ElementsAre;
using testing::HasSubstr;

class Objects : public testing::TestWithParam<const char*> {
 protected:
  Value v = load(fixture(GetParam()));
  std::string shown(const char* name) { return v.at({name}).to_string(); }
};

TEST_P(Objects, OfAnyClassKeepTheirContent) {
  EXPECT_EQ(v.as_tensor({"state_dict", "w"}).to_vector<int>(), (std::vector<int>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(shown("args"), "<argparse.Namespace {'lr': 0.1, 'layers': [1, 2]}>");
  EXPECT_EQ(v.as_double({"args", "lr"}), 0.1);
  EXPECT_EQ(v.as_int({"args", "layers", 1}), 2);
  EXPECT_EQ(v.type_name({"args"}), "argparse.Namespace");
  EXPECT_EQ(v.content({"args"}).size(), 2u);
  EXPECT_EQ(shown("mode"), "<__main__.Mode (1,)>");
  EXPECT_EQ(shown("config"), "<__main__.Config {'lr': 0.5, 'layers': (1, 2)}>");
  EXPECT_EQ(shown("attributes"), "<__main__.Attributes {'a': 1}>");
  EXPECT_EQ(shown("slots"), "<__main__.Slots {'a': 7}>");
  EXPECT_EQ(shown("point"), "<__main__.Point (1, 2)>");
  EXPECT_EQ(shown("class"), "<global '__main__.Config'>");
  EXPECT_THAT(shown("function"), HasSubstr("relu'>"));
  EXPECT_EQ(shown("path"), "<pathlib.PurePosixPath ('a', 'b')>");
  EXPECT_EQ(v.type_name({"date"}), "datetime.date");
  EXPECT_EQ(shown("tree"), "<__main__.Tree {'weight': tensor([2], float32), 'me': <__main__.Tree '...'>}>");
  EXPECT_EQ(shown("loop"), "[1, <list '...'>]");
}

TEST_P(Objects, OfPythonAreValues) {
  EXPECT_EQ(shown("defaults"), "{'loss': [1.0]}");
  EXPECT_EQ(shown("deque"), "[1, 2]");
  EXPECT_EQ(shown("set"), "<builtins.set [1]>");
  EXPECT_EQ(shown("frozen"), "<builtins.frozenset [2]>");
  EXPECT_EQ(shown("complex"), "<builtins.complex (1.0, 2.0)>");
  EXPECT_EQ(shown("big"), "<int '18446744073709551616'>");
  EXPECT_EQ(shown("small"), "<int '-1180591620717411303424'>");
  EXPECT_EQ(shown("bytearray"), "b'ab'");
  EXPECT_EQ(shown("keys"), "{None: 1, True: 2, 2.5: 3, (1, 'a'): 4, b'b': 5, 7: 6, '7': 7}");
  EXPECT_EQ(v.as_int({"keys", Key::of(Value::tuple({1, "a"}))}), 4);
  EXPECT_EQ(v.as_int({"keys", Key::of(Value())}), 1);
  EXPECT_EQ(v.as_int({"keys", 7}), 6);
  EXPECT_EQ(v.as_int({"keys", "7"}), 7);
}

TEST_P(Objects, OfNumPyAreNumbersAndTensors) {
  EXPECT_EQ(v.as_double({"scalar"}), 0.25);
  EXPECT_EQ(v.as_int({"counter"}), -3);
  EXPECT_EQ(v.as_double({"half"}), 1.5);
  EXPECT_EQ(shown("unsigned"), "<int '18446744073709551615'>");
  EXPECT_TRUE(v.as_bool({"flag"}));
  EXPECT_EQ(v.as_string({"text"}), "\u00e4b");
  EXPECT_EQ(v.as_tensor({"array"}).dtype(), kFloat32);
  for (const char* name : {"array", "fortran"}) {
    EXPECT_EQ(v.as_tensor({name}).sizes(), Shape({2, 3}));
    EXPECT_EQ(v.as_tensor({name}).to_vector<int>(), (std::vector<int>{0, 1, 2, 3, 4, 5}));
  }
  EXPECT_THAT(v.as_tensor({"big_endian"}).to_vector<int>(), ElementsAre(0, 1, 2));
  EXPECT_THAT(v.as_tensor({"shorts"}).to_vector<int>(), ElementsAre(0, 1, 2));
  EXPECT_EQ(v.type_name({"names"}), "numpy.ndarray");
  EXPECT_EQ(v.at({"mixed", "items"}).to_string(), "[1, None]");
  EXPECT_EQ(v.type_name({"dtype"}), "numpy.dtype");
}

TEST_P(Objects, OfPyTorchAreTensorsWhereTheyCanBe) {
  EXPECT_TRUE(v.as_tensor({"parameter"}).requires_grad());
  EXPECT_EQ(v.as_tensor({"tensor"}).item(), 3.0);
  EXPECT_EQ(v.as_tensor({"subclass"}).item(), 1.0);
  EXPECT_EQ(v.type_name({"sparse"}), "torch._utils._rebuild_sparse_tensor");
  EXPECT_EQ(v.type_name({"quantized"}), "torch._utils._rebuild_qtensor");
  EXPECT_EQ(message_of<ValueError>([&] { v.as_tensor({"sparse"}); }),
            "value: sparse: need a tensor, got <torch._utils._rebuild_sparse_tensor ...>, which is not rebuilt; its "
            "parts are found by path and by content()");
}

INSTANTIATE_TEST_SUITE_P(Files, Objects, testing::Values("objects.pth", "objects_legacy.pth", "objects_protocol5.pth"));

TEST(Pickle, WhatStandsInSeveralPlacesIsThereInEach) {
  for (const char* name : {"shared.pth", "shared_protocol4.pth", "shared_legacy1.pth"}) {
    SCOPED_TRACE(name);
    const Value v = load(fixture(name));
    for (const char* place : {"state_dict", "ema"}) {
      EXPECT_EQ(v.as_tensor({place, "w"}).to_vector<int>(), (std::vector<int>{0, 1, 2}));
    }
    EXPECT_EQ(v.at({"arrays"}).to_string(), "[tensor([2], int64), tensor([2], int64)]");
    EXPECT_EQ(v.at({"complex"}).to_string(), "[<builtins.complex (1.0, 2.0)>, <builtins.complex (1.0, 2.0)>]");
    EXPECT_EQ(v.at({"set"}).to_string(), "{'a': <builtins.set [1]>, 'b': <builtins.set [2]>, 'c': <builtins.set [2]>}");
    for (const char* place : {"loop", "again"}) {
      EXPECT_EQ(v.at({place}).to_string(), "[{'w': tensor([3], float32)}, 7, <list '...'>]");
    }
  }
}

TEST(Pickle, ReadsAllProtocols) {
  for (const char protocol : {'0', '1', '2', '3', '4', '5'}) {
    SCOPED_TRACE(protocol);
    const std::string bytes = file_bytes(fixture(std::string("protocol") + protocol + ".pkl"));
    const auto source = Source::from_bytes("file", bytes);
    Cursor at(*source, "pickle", 0, source->size());
    const Value v = read_pickle(*source, at, nullptr);
    EXPECT_EQ(
        v.to_string(),
        "{'a': [1, -1099511627776, 2.5, inf, True, None, 'h\u00e4 \\'x\\'\\x0a', (1,), {'b': b'\xff'}, <builtins.set "
        "[3]>, <int '1208925819614629174706176'>], 'n': <argparse.Namespace {'x': 1}>}");
    EXPECT_EQ(at.left(), 0u);
  }
}

TEST(ElementTypes, AreReadFromEveryFormat) {
  for (const char* name : {"other_types.pth", "other_types_legacy.pth", "other_types.safetensors", "other_types.npz"}) {
    SCOPED_TRACE(name);
    const LoadedFile file = read_any(Source::open(fixture(name), {}));
    const auto numbers = [&](const char* type) { return file.value.as_tensor({type}).to_vector<double>(); };
    EXPECT_THAT(numbers("float16"), ElementsAre(-1.5, -0.5, 0.5, 1.5));
    EXPECT_THAT(numbers("int8"), ElementsAre(-2, -1, 0, 1));
    EXPECT_THAT(numbers("int16"), ElementsAre(-300, 0, 300, 600));
    for (const auto& [type, dtype] : {std::pair("float16", kFloat16), {"int8", kInt8}, {"int16", kInt16}})
      EXPECT_EQ(file.value.as_tensor({type}).dtype(), dtype);
    for (const char* type : {"uint16", "uint32", "uint64"}) {
      EXPECT_THAT(numbers(type), ElementsAre(0, 1, 2, 3));
      EXPECT_EQ(file.remarks.stored_as.at(file.value.as_tensor({type}).impl()->storage.get()), type);
    }
    if (!file.value.contains({"float8_e5m2"})) continue;
    EXPECT_THAT(numbers("float8_e4m3fn"), ElementsAre(-1, -0.25, 0.5, 1.25));
    EXPECT_THAT(numbers("float8_e5m2"), ElementsAre(-1, -0.25, 0.5, 1.25));
  }
  const Value other = load(fixture("other_types.pth"));
  EXPECT_EQ(other.at({"complex64"}).to_string(), "<torch.Tensor {'dtype': 'complex64', 'size': (2,)}>");
  const Value arrays = load(fixture("other_types.npz"));
  EXPECT_THAT(arrays.as_tensor({"big_endian"}).to_vector<int>(), ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(arrays.at({"names"}).to_string(), "<numpy.ndarray {'dtype': '<U1', 'shape': (2,)}>");
  EXPECT_EQ(arrays.type_name({"records"}), "numpy.ndarray");
}

TEST(ElementTypes, AreWrittenBack) {
  const TempFolder folder;
  const Value all = load(fixture("other_types.pth"));
  Value some = Value::dict();
  for (const char* type : {"float16", "int8", "int16"}) some.set(type, all.at({type}));
  for (const char* name : {"a.pth", "a.safetensors", "a.npz"}) {
    save(folder / name, some);
    for (const auto& [key, value] : some.entries()) {
      const Tensor x = load(folder / name).as_tensor({key});
      EXPECT_EQ(x.dtype(), value.as_tensor().dtype()) << name;
      EXPECT_EQ(test::tensor_bytes(x), test::tensor_bytes(value.as_tensor())) << name;
    }
  }
}

TEST(ElementTypes, EveryDtypeIsWritten) {
  for (const Dtype dtype : {kBool, kUInt8, kInt8, kInt16, kInt32, kInt64, kFloat16, kBFloat16, kFloat32, kFloat64}) {
    EXPECT_EQ(element_type(dtype).dtype, dtype);
    EXPECT_EQ(element_type(dtype).torch, to_string(dtype));
    EXPECT_EQ(element_type(dtype).size, element_size(dtype));
  }
}

// Against what PyTorch makes of every byte, given as the sum of all finite numbers, how many are not finite, the
// largest.
TEST(ElementTypes, Float8HasEveryNumber) {
  const auto all = [](const char* name) {
    const ElementType& type = *safetensors_type(name);
    std::string bytes(256, '\0'), out(512, '\0');
    for (int i = 0; i < 256; ++i) bytes[static_cast<std::size_t>(i)] = static_cast<char>(i);
    EXPECT_TRUE(type.convert(bytes.data(), out.data(), 256));
    const auto source = Source::from_bytes("x", out);
    const Tensor x = whole_tensor(*source, file_storage(source, 0, 512, element_type(kBFloat16)), kBFloat16, {256});
    return x.to_vector<double>();
  };
  EXPECT_EQ(all("F8_E4M3")[0x7e], 448);
  EXPECT_TRUE(std::isnan(all("F8_E4M3")[0x7f]));
  EXPECT_EQ(all("F8_E4M3")[1], 0.001953125);
  EXPECT_EQ(all("F8_E5M2")[0x7b], 57344);
  EXPECT_EQ(all("F8_E5M2")[0xfc], -INFINITY);
  EXPECT_TRUE(std::isnan(all("F8_E5M2")[0x7d]));
  EXPECT_EQ(all("F8_E5M2FNUZ")[0x7f], 57344);
  EXPECT_TRUE(std::isnan(all("F8_E5M2FNUZ")[0x80]));
  EXPECT_EQ(all("F8_E4M3FNUZ")[0x7f], 240);
  EXPECT_EQ(all("F8_E8M0")[0], std::ldexp(1.0, -127));
  EXPECT_EQ(all("F8_E8M0")[254], std::ldexp(1.0, 127));
}

TEST(SavedObjects, AreRefusedByTheirPlace) {
  const TempFolder folder;
  const Value v = load(fixture("objects.pth"));
  EXPECT_EQ(message_of<ValueError>([&] { save(folder / "a.pth", v); }),
            "save: args: an object of argparse.Namespace, which Gradus does not rebuild, cannot be written");
  EXPECT_EQ(folder.entries(), 0u);
  Value some = Value::dict();
  for (const char* name : {"set", "complex", "big", "small", "keys", "deque"}) some.set(name, v.at({name}));
  some.set("huge", Value::object("int", "-0x" + std::string(4000, 'f')));
  save(folder / "a.pth", some);
  EXPECT_EQ(load(folder / "a.pth").to_string(), some.to_string());
}

TEST(SavedTexts, OfAnyBytesComeBack) {
  const TempFolder folder;
  Value v = Value::dict();
  for (const char* text : {"caf\xe9", "\xf0\x9f\x98\x80", "\xed\xa0\x80", "\xed\xb3\xa9", "\xed\xb2", "\xc0\x80", ""}) {
    v.set(text, text);
  }
  v.set("nul", std::string("a\0b", 3));
  save(folder / "a.pth", v);
  EXPECT_EQ(load(folder / "a.pth").to_string(), v.to_string());
  // What Python's os.fsdecode makes of it.
  EXPECT_THAT(file_bytes(folder / "a.pth"), HasSubstr("caf\xed\xb3\xa9"));
}

}  // namespace
}  // namespace gradus::io
