#include "data/datasets/idx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <utility>

#include "gradus/core/error.h"
#include "support/message.h"
#include "support/temp_folder.h"

namespace gradus::data {
namespace {

using test::file_bytes;
using test::message_of;
using test::put_file;
using test::TempFolder;
using testing::ElementsAre;
using testing::HasSubstr;

std::string idx(std::initializer_list<uint32_t> shape, std::string_view values, char type = 8) {
  std::string bytes{'\0', '\0', type, static_cast<char>(shape.size())};
  for (const uint32_t dimension : shape) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(dimension >> shift);
  }
  return bytes.append(values);
}

void put_gzip(const std::string& path, std::string_view bytes) {
  const gzFile file = gzopen(path.c_str(), "wb");
  ASSERT_NE(file, nullptr);
  ASSERT_EQ(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())), static_cast<int>(bytes.size()));
  ASSERT_EQ(gzclose(file), Z_OK);
}

std::string read_error(const std::string& path) {
  return message_of<IoError>([&] { read_idx(path); });
}

TEST(Idx, ReadsPlainAndGzipped) {
  const TempFolder folder;
  const std::string bytes = idx({2, 1, 3}, std::string_view("\x00\x01\x7f\x80\xfe\xff", 6));
  put_file(folder / "plain", bytes);
  put_gzip(folder / "packed.gz", bytes);
  put_gzip(folder / "packed-without-suffix", bytes);
  for (const char* name : {"plain", "plain.gz", "packed.gz", "packed", "packed-without-suffix"}) {
    const IdxArray array = read_idx(folder / name);
    EXPECT_THAT(array.shape, ElementsAre(2, 1, 3)) << name;
    EXPECT_THAT(array.bytes, ElementsAre(0, 1, 127, 128, 254, 255)) << name;
  }
}

TEST(Idx, FindsTheNamesThatItHasElsewhere) {
  for (const char* name : {"t-images.idx3-ubyte", "t-images.idx3-ubyte.gz", "t-images-idx3-ubyte.gz",
                           "t-images-idx3-ubyte/t-images-idx3-ubyte", "t-images.idx3-ubyte/t-images.idx3-ubyte"}) {
    const TempFolder folder;
    std::filesystem::create_directories(std::filesystem::path(folder / name).parent_path());
    put_file(folder / name, idx({1}, "p"));
    EXPECT_THAT(read_idx(folder / "t-images-idx3-ubyte").bytes, ElementsAre('p')) << name;
  }
}

TEST(Idx, PrefersTheNameItIsGiven) {
  const TempFolder folder;
  put_file(folder / "a", idx({1}, "p"));
  put_gzip(folder / "a.gz", idx({1}, "g"));
  EXPECT_THAT(read_idx(folder / "a").bytes, ElementsAre('p'));
  EXPECT_THAT(read_idx(folder / "a.gz").bytes, ElementsAre('g'));
}

TEST(Idx, ReadsEmptyAndLargeArrays) {
  const TempFolder folder;
  put_file(folder / "empty", idx({0, 28, 28}, ""));
  EXPECT_THAT(read_idx(folder / "empty").shape, ElementsAre(0, 28, 28));
  EXPECT_TRUE(read_idx(folder / "empty").bytes.empty());
  std::string values(5'000'001, '\0');  // several steps of growth
  std::iota(values.begin(), values.end(), '\0');
  put_gzip(folder / "large", idx({5'000'001}, values));
  const IdxArray array = read_idx(folder / "large");
  EXPECT_TRUE(std::equal(values.begin(), values.end(), array.bytes.begin(), array.bytes.end(),
                         [](char a, uint8_t b) { return static_cast<uint8_t>(a) == b; }));
}

TEST(Idx, RefusesAPlainFileCutOffAnywhere) {
  const TempFolder folder;
  const std::string bytes = idx({2, 2, 3}, "abcdefghijkl");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    put_file(folder / "a", bytes.substr(0, size));
    const std::string error = read_error(folder / "a");
    EXPECT_THAT(error, HasSubstr("read_idx: " + (folder / "a"))) << size;
    EXPECT_THAT(error, HasSubstr(size < 16 ? "ends within its header" : "says [2, 2, 3], 12 bytes, but holds")) << size;
  }
}

TEST(Idx, RefusesAGzippedFileCutOffAnywhere) {
  const TempFolder folder;
  put_gzip(folder / "whole", idx({3, 4}, "abcdefghijkl"));
  const std::string bytes = file_bytes(folder / "whole");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    put_file(folder / "a.gz", bytes.substr(0, size));
    EXPECT_THAT(read_error(folder / "a.gz"), HasSubstr("read_idx: " + (folder / "a.gz"))) << size;
  }
}

TEST(Idx, RefusesEveryChangedHeaderBit) {
  const TempFolder folder;
  const std::string bytes = idx({3, 4}, "abcdefghijkl");
  for (std::size_t bit = 0; bit < 8 * 12; ++bit) {
    std::string changed = bytes;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    put_file(folder / "a", changed);
    EXPECT_THAT(read_error(folder / "a"), HasSubstr("read_idx: ")) << bit;
  }
}

TEST(Idx, NeverReturnsOtherValuesFromADamagedGzipFile) {
  const TempFolder folder;
  put_gzip(folder / "whole", idx({3, 4}, "abcdefghijkl"));
  const std::string bytes = file_bytes(folder / "whole");
  int refused = 0;
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string changed = bytes;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    put_file(folder / "a", changed);
    try {
      // A few bits mean nothing: gzip's time stamp, the padding of the last byte.
      EXPECT_EQ(read_idx(folder / "a").bytes, read_idx(folder / "whole").bytes) << bit;
    } catch (const IoError& error) {
      EXPECT_THAT(error.what(), HasSubstr("read_idx: " + (folder / "a"))) << bit;
      ++refused;
    }
  }
  EXPECT_GT(refused, static_cast<int>(8 * (bytes.size() - 12)));
}

TEST(Idx, RefusesTrailingBytes) {
  const TempFolder folder;
  put_file(folder / "a", idx({2, 2}, "abcde"));
  put_gzip(folder / "b", idx({2, 2}, "abcde"));
  EXPECT_EQ(read_error(folder / "a"), "read_idx: " + (folder / "a") + " says [2, 2], 4 bytes, but holds more");
  EXPECT_EQ(read_error(folder / "b"), "read_idx: " + (folder / "b") + " says [2, 2], 4 bytes, but holds more");
}

TEST(Idx, NamesTypesThatItDoesNotRead) {
  const TempFolder folder;
  const std::pair<char, const char*> types[] = {{0x09, "int8"},    {0x0b, "int16"},   {0x0c, "int32"},
                                                {0x0d, "float32"}, {0x0e, "float64"}, {0x0a, "no known type"}};
  for (const auto& [type, name] : types) {
    put_file(folder / "a", idx({1}, "12345678", type));
    EXPECT_THAT(read_error(folder / "a"), HasSubstr(std::string("holds ") + name));
  }
  put_file(folder / "a", idx({}, "1"));
  EXPECT_THAT(read_error(folder / "a"), HasSubstr("need at least one dimension"));
  put_file(folder / "a", "a text file");
  EXPECT_THAT(read_error(folder / "a"), HasSubstr("is not an IDX file: it starts with 0x61 0x20"));
}

TEST(Idx, TakesNoMemoryForWhatIsNotThere) {
  const TempFolder folder;
  const uint32_t most = 0xffffffffU;
  put_file(folder / "a", idx({most, most, most}, "abc"));
  EXPECT_THAT(read_error(folder / "a"), HasSubstr("too large: [4294967295, 4294967295, 4294967295]"));
  put_file(folder / "a", idx({most, 0x7fffffffU}, "abc"));
  put_gzip(folder / "b", idx({most, 0x7fffffffU}, std::string(100'000, 'z')));
  struct rusage before {};
  struct rusage after {};
  ::getrusage(RUSAGE_SELF, &before);
  EXPECT_THAT(read_error(folder / "a"),
              HasSubstr("says [4294967295, 2147483647], 9223372030412324865 bytes, but holds 3"));
  EXPECT_THAT(read_error(folder / "b"), HasSubstr("but holds 100000"));
  ::getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 64 * 1024);  // KiB
}

TEST(Idx, NamesPathsThatItCannotRead) {
  const TempFolder folder;
  EXPECT_EQ(read_error(folder / "a"), "read_idx: no file " + (folder / "a") + " nor " + (folder / "a.gz"));
  EXPECT_EQ(read_error(folder / "a.gz"), "read_idx: no file " + (folder / "a.gz") + " nor " + (folder / "a"));
  EXPECT_THAT(read_error(folder.path()), HasSubstr("Is a directory"));
}

}  // namespace
}  // namespace gradus::data
