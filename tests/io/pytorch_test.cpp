#include <gmock/gmock.h>
#include <gradus/autograd.h>
#include <gradus/io/pytorch.h>
#include <gradus/ops.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "io/expected.h"
#include "support/message.h"
#include "support/temp_folder.h"

namespace gradus::io {
namespace {

using test::difference;
using test::expected_checkpoints;
using test::file_bytes;
using test::fixture;
using test::message_of;
using test::put_file;
using test::TempFolder;
using testing::HasSubstr;

std::string load_error(const std::string& path) {
  return message_of<IoError>([&] { load_pytorch(path); });
}

TEST(PyTorch, FilesAreReadBitForBit) {
  std::size_t files = 0;
  for (const auto& [name, expected] : expected_checkpoints().items()) {
    if (!expected.is_array() || name.find(".pth") == name.npos) continue;
    for (const bool mmap : {true, false}) {
      SCOPED_TRACE(name + (mmap ? " mapped" : " read"));
      EXPECT_EQ(difference(load_pytorch(fixture(name), {.mmap = mmap, .verify = true}), expected), "");
    }
    ++files;
  }
  EXPECT_GE(files, 11u);
}

TEST(PyTorch, FilesOfOursAreReadBack) {
  const TempFolder folder;
  for (const char* name : {"dtypes.pth", "views.pth", "tree.pth", "checkpoint.pth"}) {
    SCOPED_TRACE(name);
    save_pytorch(folder / "a.pth", load_pytorch(fixture(name)));
    EXPECT_EQ(difference(load_pytorch(folder / "a.pth", {.verify = true}), expected_checkpoints()[name]), "");
    save_pytorch(folder / "b.pth", load_pytorch(folder / "a.pth"));
    EXPECT_EQ(file_bytes(folder / "a.pth"), file_bytes(folder / "b.pth"));
  }
}

// For tests/fixtures/check_with_pytorch.py.
TEST(PyTorch, WritesFilesForPyTorch) {
  const TempFolder folder;
  const char* keep = std::getenv("GRADUS_TEST_KEEP");
  for (const char* name : {"dtypes.pth", "views.pth", "tree.pth", "checkpoint.pth"}) {
    const std::string path = (keep != nullptr ? std::string(keep) : folder.path()) + "/" + name;
    save_pytorch(path, load_pytorch(fixture(name)));
    EXPECT_EQ(file_bytes(path).substr(0, 4), "PK\3\4");
  }
}

TEST(PyTorch, SharedStoragesStayShared) {
  const TempFolder folder;
  save_pytorch(folder / "ours.pth", load_pytorch(fixture("views.pth")));
  for (const std::string& path : {fixture("views.pth"), fixture("views_legacy.pth"), folder / "ours.pth"}) {
    SCOPED_TRACE(path);
    const Value v = load_pytorch(path);
    Tensor a = v.as_tensor({"tied_a"});
    a.fill_(7);
    EXPECT_EQ(v.as_tensor({"tied_transposed"}).to_vector<double>(), std::vector<double>(6, 7.0));
    EXPECT_EQ(v.as_tensor({"tied_b"}).impl()->storage, a.impl()->storage);
    v.as_tensor({"other_part"}).fill_(-1);
    EXPECT_EQ(v.as_tensor({"part"}).to_vector<std::int64_t>()[5], -1);
    EXPECT_FALSE(v.as_tensor({"row"}).impl()->storage == a.impl()->storage);
  }
}

TEST(PyTorch, WritingIntoLoadedTensorsLeavesTheFile) {
  const TempFolder folder;
  const std::string before = file_bytes(fixture("dtypes.pth"));
  put_file(folder / "a.pth", before);
  {
    const Value v = load_pytorch(folder / "a.pth");
    v.as_tensor({"float64"}).fill_(1);
    EXPECT_EQ(v.as_tensor({"float64"}).sum().item(), 12.0);
    EXPECT_EQ(load_pytorch(folder / "a.pth").as_tensor({"float64"}).to_vector<double>()[11], 6.0f / 7);
    // A tensor that is saved over the file it was loaded from.
    save_pytorch(folder / "a.pth", v);
    EXPECT_EQ(v.as_tensor({"int64"}).sum().item<std::int64_t>(),
              load_pytorch(folder / "a.pth").as_tensor({"int64"}).sum().item<std::int64_t>());
  }
  put_file(folder / "a.pth", before);
  EXPECT_EQ(file_bytes(folder / "a.pth"), before);
}

TEST(PyTorch, LoadedTensorsTrain) {
  const Value v = load_pytorch(fixture("views.pth"));
  const Tensor p = v.as_tensor({"parameter"});
  (p * p).sum().backward();
  EXPECT_EQ(p.grad().to_vector<double>(), (std::vector<double>{2, 4}));
}

// As a tool leaves them that unpacks archives and packs them again; torch.load reads them too.
TEST(PyTorch, PackedArchivesAreRead) {
  const Value v = load_pytorch(fixture("repacked.pth"), {.verify = true});
  EXPECT_EQ(v.as_int({"step"}), 7);
  EXPECT_EQ(v.as_string({"text"}).size(), 300U);
  EXPECT_EQ(v.as_tensor({"empty"}).sizes(), (Shape{0, 3}));
  Tensor w = v.as_tensor({"w"});
  EXPECT_TRUE(equal(w, arange(2000).to(kFloat32).reshape({50, 40})));
  w.fill_(1);  // it is memory of its own
  EXPECT_TRUE(equal(load_pytorch(fixture("repacked_uint16.pth")).as_tensor({"u"}), arange(300).to(kInt32)));
  // The checksum is that of the unpacked bytes.
  const TempFolder folder;
  std::string bytes = file_bytes(fixture("repacked.pth"));
  const std::size_t data = bytes.find("data/0");
  ASSERT_NE(data, bytes.npos);
  bytes[data + 100] ^= 1;
  put_file(folder / "damaged.pth", bytes);
  EXPECT_THAT(load_error(folder / "damaged.pth"), HasSubstr("damaged"));
  // A small file cannot claim a large memory.
  EXPECT_THAT(message_of<IoError>([&] { load_pytorch(fixture("repacked.pth"), {.memory = 4000}); }),
              HasSubstr("memory"));
}

TEST(PyTorch, AttributesOfTensorsAreReported) {
  std::vector<std::string> notes;
  load_pytorch(fixture("dtypes.pth"), {.notes = &notes});
  EXPECT_TRUE(notes.empty());
  for (const char* file : {"objects.pth", "objects_legacy.pth", "objects_protocol5.pth"}) {
    notes.clear();
    load_pytorch(fixture(file), {.notes = &notes});
    EXPECT_THAT(notes, testing::UnorderedElementsAre("attributes of 'parameter' are not read: note",
                                                     "attributes of 'tensor' are not read: note"))
        << file;
  }
}

TEST(PyTorch, RefusesByName) {
  EXPECT_THAT(load_error(fixture("expected.json")), HasSubstr("JSON"));
  EXPECT_THAT(load_error(fixture("none.pth")), HasSubstr("No such file"));
}

TEST(PyTorch, WhatIsNotRebuiltIsAnObject) {
  const auto shown = [](const char* name) { return load_pytorch(fixture(name)).to_string(); };
  EXPECT_EQ(shown("uint16.pth"), "{'x': tensor([2], int32)}");
  EXPECT_EQ(shown("conj.pth"), "{'x': <torch.Tensor {'dtype': 'complex64', 'size': (2,)}>}");
  EXPECT_EQ(shown("sparse.pth"),
            "{'x': <torch._utils._rebuild_sparse_tensor (<torch.serialization._get_layout ('torch.sparse_coo',)>, "
            "(tensor([2, 2], int64), tensor([2], float32), (2, 2), True))>}");
  EXPECT_EQ(shown("big_integer.pth"), "{'x': <int '18446744073709551616'>}");
  EXPECT_EQ(
      message_of<ValueError>([] { load_pytorch(fixture("conj.pth")).as_tensor({"x"}); }),
      "value: x: need a tensor, got <torch.Tensor {'dtype': 'complex64', 'size': (2,)}>, which is not rebuilt; its "
      "parts are found by path and by content()");
}

TEST(PyTorch, ModulesThatWereSavedWholeAreObjects) {
  const Value net = load_pytorch(fixture("module.pth")).at({"net"});
  EXPECT_EQ(net.type_name(), "__main__.Net");
  EXPECT_EQ(net.type_name({"_modules", "fc"}), "torch.nn.modules.linear.Linear");
  EXPECT_EQ(net.as_tensor({"_modules", "conv", "_parameters", "weight"}).sizes(), Shape({2, 1, 3, 3}));
  const auto weight = [&](const char* layer) { return net.as_tensor({"_modules", layer, "_parameters", "weight"}); };
  EXPECT_TRUE(weight("tied").is_same(weight("fc")));
}

TEST(PyTorch, SavesLargeNumbersOfTensors) {
  const TempFolder folder;
  Value many = Value::dict();
  const Tensor shared = arange(70000);
  for (std::int64_t i = 0; i < 70000; ++i) many.set(i, i % 10 == 0 ? Value(tensor({i})) : Value(shared.select(0, i)));
  save_pytorch(folder / "many.pth", many);
  const Value back = load_pytorch(folder / "many.pth", {.memory = std::uint64_t{1} << 30});
  for (std::int64_t i = 0; i < 70000; i += 7) ASSERT_EQ(back.as_tensor({i}).item<std::int64_t>(), i);
}

TEST(PyTorch, LargeTensorsAreWrittenAndChecked) {
  const TempFolder folder;
  const Value large = Value::dict({{"a", arange(300000)}, {"b", tensor({1.5})}, {"c", arange(400000).to(kFloat32)}});
  save_pytorch(folder / "a.pth", large);
  EXPECT_EQ(difference(load_pytorch(folder / "a.pth", {.verify = true}), large), "");
  std::string bytes = file_bytes(folder / "a.pth");
  for (const auto& [entry, name] : {std::pair("data/0", "tensor a is"), {"data/2", "tensor c is"}}) {
    const std::size_t at = bytes.find(entry) + 1000;
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    put_file(folder / "b.pth", bytes);
    EXPECT_THAT(message_of<IoError>([&] { load_pytorch(folder / "b.pth", {.verify = true}); }), HasSubstr(name));
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
  }
}

TEST(PyTorch, RefusesToSaveWhatTheFormatCannotHold) {
  const TempFolder folder;
  Tensor x = arange(4);
  Tensor y = x.detach();
  y.impl()->dtype = kFloat64;
  EXPECT_THAT(message_of<ValueError>([&] {
                save_pytorch(folder / "a.pth", Value::list({x, y}));
              }),
              HasSubstr("tensors of int64 and float64 share memory"));
  EXPECT_EQ(folder.entries(), 0u);
}

}  // namespace
}  // namespace gradus::io
