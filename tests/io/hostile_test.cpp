// Damaged and malicious files: each gives an error or a value, and none takes much memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "io/checkpoint/read_any.h"
#include "io/expected.h"
#include "io/heap.h"
#include "support/temp_folder.h"

namespace gradus::io {
namespace {

using test::file_bytes;
using test::fixture;
using test::TempFolder;
using testing::AnyOf;
using testing::HasSubstr;
using testing::StartsWith;

// Reads every element that the value refers to.
std::int64_t touch(const Value& value) {
  std::int64_t sum = 0;
  switch (value.kind()) {
    case Value::Kind::Tensor: {
      const Tensor x = value.as_tensor();
      for (const char c : test::tensor_bytes(x)) sum += c;
      return sum;
    }
    case Value::Kind::List:
    case Value::Kind::Tuple:
      for (const Value& item : value.items()) sum += touch(item);
      return sum;
    case Value::Kind::Dict:
      for (const auto& [key, item] : value.entries()) sum += touch(item);
      return sum;
    case Value::Kind::Object:
      return touch(value.content());
    default:
      return 1;
  }
}

// The error's text, or "" where the bytes are a file. Everything else than an IoError is a failure, and so is more
// memory than three times the file and 16 MB.
std::string outcome(std::string_view bytes, bool verify = true) {
  std::string message;
  const test::HeapWatch watch;
  try {
    const LoadOptions options{.verify = verify, .memory = Budget::small_limit(bytes.size())};
    touch(read_any(Source::from_bytes("file", bytes, options)).value);
  } catch (const IoError& e) {
    message = e.what();
    EXPECT_THAT(message, StartsWith("load: file: "));
    EXPECT_LT(message.size(), 600u);
  }
  if (test::heap_is_watched()) {
    EXPECT_LT(watch.peak_bytes(), static_cast<std::int64_t>(3 * bytes.size() + (16u << 20))) << message;
  }
  return message;
}

TEST(HeapWatch, SeesWhatTheLibraryTakes) {
  if (!test::heap_is_watched()) GTEST_SKIP();
  const std::string text(10 << 20, 'x');
  const test::HeapWatch watch;
  const Value value(text);
  EXPECT_GE(watch.peak_bytes(), 10 << 20);
  const test::HeapWatch tensors;
  const Tensor x = zeros({10 << 18});
  EXPECT_GE(tensors.peak_bytes(), 10 << 20);
}

const char* const kFiles[] = {"dtypes.pth",  "views.pth",          "views_legacy.pth", "dtypes_legacy.pth",
                              "tar2017.pth", "dtypes.safetensors", "arrays.npz",       "arrays_compressed.npz",
                              "zip64.pth",   "big_endian.pth",     "row.npy"};

TEST(Hostile, TruncationAtEveryByte) {
  for (const char* name : kFiles) {
    SCOPED_TRACE(name);
    const std::string bytes = file_bytes(fixture(name));
    EXPECT_EQ(outcome(bytes), "");
    // A tar archive ends with blocks of zeros, which may be missing.
    const bool padded = std::string_view(name) == "tar2017.pth";
    const std::size_t whole = padded ? bytes.find_last_not_of('\0') + 1 : bytes.size();
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      ASSERT_EQ(outcome(bytes.substr(0, size)).empty(), size >= whole) << size;
    }
  }
}

TEST(Hostile, EveryByteFlipped) {
  for (const char* name : kFiles) {
    SCOPED_TRACE(name);
    const std::string bytes = file_bytes(fixture(name));
    std::size_t refused = 0;
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      for (const unsigned char flip : {0x01, 0x80, 0xff}) {
        std::string bad = bytes;
        bad[at] = static_cast<char>(static_cast<unsigned char>(bad[at]) ^ flip);
        refused += !outcome(bad).empty();
      }
    }
    // Headers are a good part of each.
    EXPECT_GT(refused, bytes.size() / 4);
  }
}

// --- pickles, in the stream format ---

std::string le(std::uint64_t x, int size) {
  std::string bytes;
  for (int i = 0; i < size; ++i) bytes += static_cast<char>(x >> (8 * i) & 0xff);
  return bytes;
}
std::string text(const std::string& s) { return "X" + le(s.size(), 4) + s; }
std::string proto(const std::string& body) { return "\x80\x02" + body + "."; }

std::string stream(const std::string& object, const std::string& rest = proto("]")) {
  const std::string magic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
  return magic + proto("M" + le(1001, 2)) + proto("}" + text("little_endian") + "\x88s") + proto(object) + rest;
}
std::string pickled(const std::string& object) { return outcome(stream(object)); }
// What it is read as, as Python prints it.
std::string shown(const std::string& object) {
  return read_any(Source::from_bytes("file", stream(object))).value.to_string();
}

TEST(HostilePickle, WhatIsFineIsRead) {
  EXPECT_EQ(pickled("N"), "");
  EXPECT_EQ(pickled("}" + text("a") + "K\1s"), "");
  EXPECT_EQ(pickled("]q" + le(0, 1) + "K\1a"), "");
}

TEST(HostilePickle, NothingIsCalled) {
  const TempFolder folder;
  const auto call = [&](const std::string& module, const std::string& name) {
    return shown("c" + module + "\n" + name + "\n" + text("touch " + folder / "pwned") + "\x85R");
  };
  EXPECT_EQ(call("os", "system"), "<os.system ('touch " + folder / "pwned" + "',)>");
  EXPECT_THAT(call("posix", "system"), StartsWith("<posix.system ("));
  EXPECT_THAT(call("builtins", "eval"), StartsWith("<builtins.eval ("));
  EXPECT_THAT(call("__builtin__", "getattr"), StartsWith("<builtins.getattr ("));
  EXPECT_THAT(call("torch.load", ""), StartsWith("<torch.load. ("));
  EXPECT_THAT(call("a\x1b[2Jb", "c"), StartsWith("<a?[2Jb.c ("));
  EXPECT_LT(call(std::string(5000, 'm'), "x").size(), 300u);
  EXPECT_EQ(shown("\x8c\x02os\x8c\x06system\x93" + text("id") + "\x85R"), "<os.system ('id',)>");
  EXPECT_EQ(shown("cos\nsystem\n(" + text("id") + "t\x81"), "<os.system ('id',)>");
  EXPECT_EQ(shown("(" + text("id") + "ios\nsystem\n"), "<os.system ('id',)>");
  EXPECT_EQ(shown("(cos\nsystem\n" + text("id") + "o"), "<os.system ('id',)>");
  EXPECT_EQ(shown("cos\nsystem\n)}" + text("a") + "Kss\x92"), "<os.system {'a': 115}>");
  EXPECT_EQ(shown("\x82\5)R"), "<copyreg.extension 5>");
  EXPECT_EQ(folder.entries(), 0u);
  EXPECT_THAT(pickled(text("os.system") + text("id") + "\x85R"), HasSubstr("calls something that is not a function"));
  EXPECT_THAT(pickled("N)R"), HasSubstr("calls something that is not a function"));
  EXPECT_THAT(pickled("cos\nsystem\nNR"), HasSubstr("without a tuple"));
}

TEST(HostilePickle, StructureIsChecked) {
  EXPECT_THAT(pickled(""), HasSubstr("other than one object"));
  EXPECT_THAT(pickled("NN"), HasSubstr("other than one object"));
  EXPECT_THAT(pickled("a"), HasSubstr("empty stack"));
  EXPECT_THAT(pickled("]a"), HasSubstr("empty stack"));
  EXPECT_THAT(pickled("](a"), HasSubstr("empty stack"));
  EXPECT_THAT(pickled("e"), HasSubstr("no mark"));
  EXPECT_THAT(pickled("t"), HasSubstr("no mark"));
  EXPECT_THAT(pickled("NNa"), HasSubstr("adds to something that takes nothing"));
  EXPECT_THAT(pickled("]NNs"), HasSubstr("sets a key in a list"));
  EXPECT_THAT(pickled("}Na"), HasSubstr("appends to a dict"));
  EXPECT_THAT(pickled("}(Nu"), HasSubstr("a key without a value"));
  EXPECT_THAT(pickled("h\5"), HasSubstr("object 5"));
  EXPECT_THAT(pickled("Nr" + le(0xffffffff, 4)), HasSubstr("numbers its memo by 4294967295"));
  EXPECT_THAT(pickled("]]q" + le(0, 1) + "ah" + le(0, 1) + "Na"), HasSubstr("takes nothing"));
  EXPECT_THAT(pickled("]2aNa"), HasSubstr("already part of another"));
  EXPECT_THAT(pickled("N0"), HasSubstr("other than one object"));
  EXPECT_THAT(pickled("0"), HasSubstr("empty stack"));
  EXPECT_THAT(pickled("\x97"), HasSubstr("opcode 0x97"));
  EXPECT_THAT(pickled("Ix\n"), HasSubstr("without digits"));
  EXPECT_THAT(pickled("L\n"), HasSubstr("without digits"));
  EXPECT_THAT(pickled("F1.5.2\n"), HasSubstr("without digits"));
  EXPECT_THAT(pickled("S'x\n"), HasSubstr("without quotes"));
  EXPECT_THAT(pickled("S'\\xg0'\n"), HasSubstr("without quotes"));
  EXPECT_THAT(pickled("V\\u12\n"), HasSubstr("damaged string"));
  EXPECT_THAT(pickled("Ng-1\n"), HasSubstr("without a number"));
  EXPECT_THAT(pickled("(o"), HasSubstr("without a class"));
  EXPECT_THAT(pickled("\x80\x07N"), HasSubstr("protocol 7"));
}

TEST(HostilePickle, HugeCounts) {
  EXPECT_THAT(pickled("X" + le(0xffffffff, 4)), HasSubstr("ends within a field of 4294967295 bytes"));
  EXPECT_THAT(pickled("\x8d" + le(~0ull, 8)), HasSubstr("ends within"));
  EXPECT_THAT(pickled("\x8e" + le(1ull << 63, 8)), HasSubstr("ends within"));
  EXPECT_THAT(pickled("\x8b" + le(0xffffffff, 4)), HasSubstr("ends within"));
  EXPECT_EQ(pickled("\x8a\x09" + std::string(9, '\xff')), "");
  EXPECT_THAT(pickled("c" + std::string(1000, 'x')), HasSubstr("ends within a line"));
}

TEST(HostilePickle, DeepNesting) {
  const std::size_t depth = 300'000;
  pickled(std::string(depth, ']') + std::string(depth - 1, 'a'));
  EXPECT_EQ(pickled(std::string(1000, ']') + std::string(999, 'a')), "");
  EXPECT_THAT(shown(std::string(1000, ']') + std::string(999, 'a')), HasSubstr("[<list '...'>]"));
  const auto fine = AnyOf("", HasSubstr("MB of memory"));
  EXPECT_THAT(pickled("N" + std::string(depth, '\x85')), fine);
  // An object, its content, the content's key: all of them count.
  std::string objects, keys;
  for (int i = 0; i < 100'000; ++i) objects += "ca\nb\n)R", keys += "}";
  for (int i = 0; i < 99'999; ++i) objects += "a", keys += "Ns";
  EXPECT_THAT(pickled(objects), fine);
  EXPECT_THAT(pickled("}" + keys + "Ns"), fine);
  std::string calls = "ccopyreg\n__newobj__\nq" + le(0, 1);
  for (int i = 0; i < 100'000; ++i) calls += "h" + le(0, 1);
  EXPECT_EQ(pickled("ccopyreg\n__newobj__\n(" + calls + "tR"), "");
  EXPECT_THAT(pickled(std::string(depth, '(')), HasSubstr("other than one object"));
}

TEST(HostilePickle, SmallFilesDoNotGrow) {
  // Ten references to ten references to ...: 10^30 values in 1 KB.
  std::string laughs = "Nq" + le(0, 1);
  for (int level = 1; level <= 30; ++level) {
    laughs += "(";
    for (int i = 0; i < 10; ++i) laughs += "h" + le(static_cast<std::uint64_t>(level - 1), 1);
    laughs += "tq" + le(static_cast<std::uint64_t>(level), 1);
  }
  EXPECT_THAT(pickled("(" + laughs + "t"), HasSubstr("repeats its objects too often"));
  std::string big;
  for (const char* one : {"]", "}", ")", "N", "K\1", "G12345678", "ccollections\nOrderedDict\n)R"}) {
    SCOPED_TRACE(one);
    big = "(";
    while (big.size() < 1'000'000) big += one;
    pickled(big + "t");
    pickled("]" + big + "e");
    pickled("}" + big + "u");
  }
  // One long text as the key of many dicts.
  big = text(std::string(100'000, 'k')) + "q" + le(0, 1);
  for (int i = 0; i < 100'000; ++i) big += "}h" + le(0, 1) + "Ns";
  EXPECT_THAT(pickled("(" + big + "t"), HasSubstr("MB of memory"));
}

// --- tensors ---

std::string integers(const std::vector<std::int64_t>& numbers) {
  std::string bytes = "(";
  for (const std::int64_t x : numbers) bytes += "\x8a\x08" + le(static_cast<std::uint64_t>(x), 8);
  return bytes + "t";
}
std::string storage_id(std::int64_t size, const std::string& type = "FloatStorage") {
  return "(" + text("storage") + "ctorch\n" + type + "\n" + text("0") + text("cpu") + integers({size}).substr(1, 10) +
         "NtQ";
}
std::string tensor_of(std::int64_t storage_size, std::int64_t offset, const std::vector<std::int64_t>& sizes,
                      const std::vector<std::int64_t>& strides, const std::string& type = "FloatStorage") {
  const std::string object = "ctorch._utils\n_rebuild_tensor\n(" + storage_id(storage_size, type) +
                             integers({offset}).substr(1, 10) + integers(sizes) + integers(strides) + "tR";
  const std::int64_t data = storage_size >= 0 && storage_size < 1000 ? storage_size : 4;
  return outcome(stream(object, proto("](" + text("0") + "e") + le(static_cast<std::uint64_t>(storage_size), 8) +
                                    std::string(static_cast<std::size_t>(data) * 4, '\1')));
}

TEST(HostileTensor, NumbersAreChecked) {
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max(),
                         kMin = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(tensor_of(6, 0, {2, 3}, {3, 1}), "");
  EXPECT_EQ(tensor_of(6, 5, {}, {}), "");
  EXPECT_EQ(tensor_of(6, 0, {0, 3}, {3, 1}), "");
  EXPECT_EQ(tensor_of(6, kMax, {0}, {1}), "");
  EXPECT_EQ(tensor_of(1, 0, {1000, 1000}, {0, 0}), "");
  EXPECT_THAT(tensor_of(6, 1, {2, 3}, {3, 1}), HasSubstr("does not fit its storage of 6 elements"));
  EXPECT_THAT(tensor_of(6, 6, {}, {}), HasSubstr("does not fit"));
  EXPECT_THAT(tensor_of(6, -1, {2}, {1}), HasSubstr("does not fit"));
  EXPECT_THAT(tensor_of(6, kMax, {2}, {1}), HasSubstr("does not fit"));
  EXPECT_THAT(tensor_of(6, kMin, {1}, {1}), HasSubstr("does not fit"));
  EXPECT_THAT(tensor_of(6, 5, {2}, {-1}), HasSubstr("does not fit"));
  EXPECT_THAT(tensor_of(6, 0, {3}, {kMax}), HasSubstr("does not fit"));
  EXPECT_THAT(tensor_of(6, 0, {2, 2}, {kMax, kMax}), HasSubstr("does not fit"));
  EXPECT_THAT(tensor_of(6, 0, {2}, {1, 1}), HasSubstr("does not fit"));
  EXPECT_THAT(tensor_of(6, 0, {-1}, {1}), HasSubstr("negative size"));
  EXPECT_THAT(tensor_of(6, 0, {kMin}, {0}), HasSubstr("negative size"));
  EXPECT_THAT(tensor_of(6, 0, {1ll << 32, 1ll << 32}, {0, 0}), HasSubstr("too many elements"));
  EXPECT_THAT(tensor_of(6, 0, {0, kMax, kMax}, {0, 0, 0}), HasSubstr("too many elements"));
  EXPECT_THAT(tensor_of(1, 0, {1ll << 40}, {0}), HasSubstr("MB of memory"));
  EXPECT_THAT(tensor_of(1, 0, std::vector<std::int64_t>(17, 1), std::vector<std::int64_t>(17, 1)),
              HasSubstr("17 dimensions"));
  EXPECT_THAT(tensor_of(-1, 0, {0}, {1}), HasSubstr("said to have -1 elements"));
  EXPECT_THAT(tensor_of(kMax, 0, {0}, {1}), HasSubstr("elements"));
  EXPECT_THAT(tensor_of(1ll << 40, 0, {1}, {1}), HasSubstr("ends within"));
  EXPECT_THAT(tensor_of(6, 0, {1}, {1}, "NoStorage"), HasSubstr("not a storage"));
}

// Five bytes for each further tensor.
TEST(HostileTensor, ManyOfFewBytes) {
  std::string object = "ctorch._utils\n_rebuild_tensor\nq" + le(0, 1) + "(" + storage_id(1) +
                       integers({0}).substr(1, 10) + integers({1}) + integers({1}) + "tq" + le(1, 1) + "R";
  for (int i = 0; i < 200'000; ++i) object += "h" + le(0, 1) + "h" + le(1, 1) + "R";
  EXPECT_THAT(outcome(stream("(" + object + "t")), HasSubstr("MB of memory"));
}

// --- zip archives ---

struct Record {
  std::string name, content;
  std::uint32_t crc = 0;
  std::uint16_t flags = 0, method = 0;
  std::int64_t header = -1;             // what the directory says, where it is not the truth
  std::string local_name = "=";         // the same
  std::uint32_t size_in_directory = 0;  // 0: the truth
};

std::string zip_of(const std::vector<Record>& records, int claimed = -1, const std::string& end = "") {
  std::string file, directory;
  for (const Record& r : records) {
    const std::uint64_t header = r.header < 0 ? file.size() : static_cast<std::uint64_t>(r.header);
    const std::string& local = r.local_name == "=" ? r.name : r.local_name;
    const std::uint64_t size = r.size_in_directory ? r.size_in_directory : r.content.size();
    file += "PK\3\4" + le(20, 2) + le(r.flags, 2) + le(r.method, 2) + le(0, 4) + le(r.crc, 4) +
            le(r.content.size(), 4) + le(r.content.size(), 4) + le(local.size(), 2) + le(0, 2) + local + r.content;
    directory += "PK\1\2" + le(20, 2) + le(20, 2) + le(r.flags, 2) + le(r.method, 2) + le(0, 4) + le(r.crc, 4) +
                 le(size, 4) + le(size, 4) + le(r.name.size(), 2) + le(0, 2) + le(0, 2) + le(0, 2) + le(0, 2) +
                 le(0, 4) + le(header, 4) + r.name;
  }
  const std::uint64_t count = claimed < 0 ? records.size() : static_cast<std::uint64_t>(claimed);
  const std::string tail =
      "PK\5\6" + le(0, 4) + le(count, 2) + le(count, 2) + le(directory.size(), 4) + le(file.size(), 4) + le(0, 2);
  return file + directory + (end.empty() ? tail : end);
}

TEST(HostileZip, RecordsAreChecked) {
  const Record pickle{"a/data.pkl", proto("N")}, data{"a/data/0", "1234"};
  EXPECT_EQ(outcome(zip_of({pickle, data})), "");
  const auto with = [&](const std::function<void(Record&)>& change) {
    Record changed = data;
    change(changed);
    return outcome(zip_of({pickle, changed}));
  };
  EXPECT_THAT(with([](Record& r) { r.header = 0; }), HasSubstr("disagrees with the directory"));
  EXPECT_THAT(with([](Record& r) { r.header = 7; }), HasSubstr("no header where the directory says"));
  EXPECT_THAT(with([](Record& r) { r.header = 1'000'000; }), HasSubstr("points beyond the file"));
  EXPECT_THAT(with([](Record& r) { r.local_name = "a/data/1"; }), HasSubstr("disagrees with the directory"));
  EXPECT_THAT(with([](Record& r) { r.size_in_directory = 3; }), HasSubstr("disagrees"));
  EXPECT_THAT(with([](Record& r) { r.flags = 8, r.size_in_directory = 1000; }), HasSubstr("ends beyond the file"));
  EXPECT_THAT(with([](Record& r) { r.flags = 1; }), HasSubstr("encrypted"));
  EXPECT_THAT(with([](Record& r) { r.method = 99; }), HasSubstr("method 99"));
  EXPECT_THAT(with([](Record& r) { r.name = "a/data.pkl"; }), HasSubstr("two entries in it are named"));
  EXPECT_THAT(with([](Record& r) { r.crc = 7; }), HasSubstr("damaged: its checksum"));
  EXPECT_THAT(with([](Record& r) { r.name = "b/data.pkl"; }), HasSubstr("two checkpoints"));
  EXPECT_EQ(with([](Record& r) { r.name = "a/constants.pkl"; }), "");  // as TorchScript's archives have them
  Record compressed = pickle;
  compressed.method = 8;
  EXPECT_THAT(outcome(zip_of({compressed})), HasSubstr("'a/data.pkl' in it is damaged"));
  EXPECT_THAT(outcome(zip_of({data})), HasSubstr("neither a PyTorch checkpoint"));
  EXPECT_THAT(outcome(zip_of({})), HasSubstr("zip"));
  EXPECT_THAT(outcome(zip_of({pickle}, 60000)), HasSubstr("ends within"));
  EXPECT_THAT(outcome(zip_of({pickle, data}, 1)), HasSubstr("holds more than its entries"));
}

TEST(HostileZip, OverlapsAreRefused) {
  // A record within another's content.
  const std::string inner = zip_of({{"a/data/0", "1234"}}).substr(0, 42);
  Record outer{"a/data/1", inner + "5678"}, overlapping{"a/data/0", "1234"};
  overlapping.header = 30 + 8;
  const std::string file = zip_of({outer, overlapping});
  EXPECT_THAT(outcome(file), HasSubstr("'a/data/1' and 'a/data/0' in it overlap"));
}

TEST(HostileZip, DirectoriesAreChecked) {
  const Record pickle{"a/data.pkl", proto("N")};
  const auto end = [](std::uint64_t size, std::uint64_t offset, std::uint64_t disk = 0,
                      const std::string& comment = "") {
    return "PK\5\6" + le(disk, 2) + le(0, 2) + le(1, 2) + le(1, 2) + le(size, 4) + le(offset, 4) +
           le(comment.size(), 2) + comment;
  };
  const std::size_t directory = 30 + 10 + 4, size = 46 + 10;
  EXPECT_EQ(outcome(zip_of({pickle}, 1, end(size, directory))), "");
  EXPECT_EQ(outcome(zip_of({pickle}, 1, end(size, directory, 0, "a comment"))), "");
  EXPECT_EQ(outcome(zip_of({pickle}, 1, end(size, directory, 0, "a comment") + "x")), "");
  EXPECT_THAT(outcome(zip_of({pickle}, 1, end(size - 1, directory) + "x")), HasSubstr("no directory at its end"));
  EXPECT_THAT(outcome(zip_of({pickle}, 1, end(size, directory) + std::string(70'000, 'x'))),
              HasSubstr("no directory at its end"));
  EXPECT_THAT(outcome(zip_of({pickle}, 1, end(size, directory, 1))), HasSubstr("split"));
  EXPECT_THAT(outcome(zip_of({pickle}, 1, end(0xffffffff, directory))), HasSubstr("points beyond the file"));
  EXPECT_THAT(outcome(zip_of({pickle}, 1, end(size, 0xffffffff))), HasSubstr("points beyond the file"));
  const auto locator = [](std::uint64_t at) { return "PK\6\7" + le(0, 4) + le(at, 8) + le(1, 4); };
  EXPECT_THAT(outcome(zip_of({pickle}, 1, locator(~0ull) + end(0, 0))), HasSubstr("points beyond the file"));
  EXPECT_THAT(outcome(zip_of({pickle}, 1, locator(0) + end(0, 0))), HasSubstr("not where its locator points"));
  const auto end64 = [](std::uint64_t count, std::uint64_t bytes, std::uint64_t at) {
    return "PK\6\6" + le(44, 8) + le(45, 2) + le(45, 2) + le(0, 8) + le(count, 8) + le(count, 8) + le(bytes, 8) +
           le(at, 8);
  };
  const std::string ends = locator(directory + size) + end(0xffffffff, 0xffffffff);
  EXPECT_EQ(outcome(zip_of({pickle}, 1, end64(1, size, directory) + ends)), "");
  EXPECT_THAT(outcome(zip_of({pickle}, 1, end64(~0ull, size, directory) + ends)), HasSubstr("ends within"));
  EXPECT_THAT(outcome(zip_of({pickle}, 1, end64(1, ~0ull, directory) + ends)), HasSubstr("points beyond the file"));
  EXPECT_THAT(outcome(zip_of({pickle}, 1, end64(1, size, ~0ull) + ends)), HasSubstr("points beyond the file"));
}

// --- tar archives ---

TEST(HostileTar, CountsAreChecked) {
  const std::string good = file_bytes(fixture("tar2017.pth"));
  for (const char* name : {"storages", "tensors", "pickle"}) {
    std::string bad = good;
    const std::size_t at = bad.find(name);
    ASSERT_NE(at, bad.npos);
    bad[at] = 'x';
    // The header's checksum holds for the name too.
    EXPECT_THAT(outcome(bad), AnyOf(HasSubstr("damaged tar"), HasSubstr("no format")));
  }
}

// --- safetensors ---

TEST(HostileSafetensors, ManyOfFewBytes) {
  std::string header = "{";
  for (int i = 0; i < 50'000; ++i) {
    header += (i ? ",\"" : "\"") + std::to_string(i) + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  }
  header += "}";
  EXPECT_THAT(outcome(le(header.size(), 8) + header), HasSubstr("MB of memory"));
  std::string metadata = R"({"__metadata__":{)";
  for (int i = 0; i < 100'000; ++i) metadata += (i ? ",\"" : "\"") + std::to_string(i) + R"(":"")";
  metadata += "}}";
  outcome(le(metadata.size(), 8) + metadata);
  const std::string deep = "{\"a\":" + std::string(1'000'000, '{');
  EXPECT_THAT(outcome(le(deep.size(), 8) + deep), HasSubstr("not valid JSON"));
}

}  // namespace
}  // namespace gradus::io
