#include "io/log/jsonl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "gradus/core/error.h"
#include "support/file_limit.h"
#include "support/message.h"
#include "support/temp_folder.h"

namespace gradus::io {
namespace {

using nlohmann::ordered_json;
using test::file_bytes;
using test::FileLimit;
using test::message_of;
using test::put_file;
using test::TempFolder;
using testing::HasSubstr;

constexpr auto kReplace = JsonlWriter::Existing::kReplace;
constexpr auto kContinue = JsonlWriter::Existing::kContinue;

TEST(Jsonl, WritesALinePerRecordAtOnce) {
  const TempFolder folder;
  JsonlWriter writer(folder / "m.jsonl", kReplace);
  EXPECT_EQ(file_bytes(folder / "m.jsonl"), "");
  writer.write({{"step", 1}, {"loss", 0.5}});
  EXPECT_EQ(file_bytes(folder / "m.jsonl"), "{\"step\":1,\"loss\":0.5}\n");
  writer.write({{"step", 2}, {"note", "two\nlines"}});
  EXPECT_EQ(file_bytes(folder / "m.jsonl"), "{\"step\":1,\"loss\":0.5}\n{\"step\":2,\"note\":\"two\\nlines\"}\n");
}

TEST(Jsonl, WritesNonFiniteNumbersAsNullAndSaysWhatTheyWere) {
  const TempFolder folder;
  const double infinity = std::numeric_limits<double>::infinity();
  JsonlWriter(folder / "m.jsonl", kReplace).write({{"a", std::nan("")}, {"b", infinity}, {"c", {-infinity, 1.5}}});
  EXPECT_EQ(file_bytes(folder / "m.jsonl"),
            "{\"a\":null,\"b\":null,\"c\":[null,1.5],\"nonfinite\":{\"a\":\"nan\",\"b\":\"inf\",\"c.0\":\"-inf\"}}\n");
  const ordered_json once = finite({{"losses", {{"d", std::nan("")}}}, {"x", 1}});
  EXPECT_EQ(once.dump(), "{\"losses\":{\"d\":null},\"x\":1,\"nonfinite\":{\"losses.d\":\"nan\"}}");
  EXPECT_EQ(finite(once), once);
  EXPECT_EQ(finite(std::nan("")), nullptr);
}

TEST(Jsonl, KeepsEveryBitOfANumber) {
  const TempFolder folder;
  const double value = 0.1 + 0.2;
  JsonlWriter(folder / "m.jsonl", kReplace).write({{"v", value}});
  EXPECT_EQ(ordered_json::parse(file_bytes(folder / "m.jsonl"))["v"].get<double>(), value);
}

TEST(Jsonl, ReplacesOrContinues) {
  const TempFolder folder;
  const std::string path = folder / "m.jsonl";
  JsonlWriter(path, kReplace).write(1);
  JsonlWriter(path, kContinue).write(2);
  EXPECT_EQ(file_bytes(path), "1\n2\n");
  JsonlWriter(path, kReplace).write(3);
  EXPECT_EQ(file_bytes(path), "3\n");
  JsonlWriter(folder / "new.jsonl", kContinue).write(4);
  EXPECT_EQ(file_bytes(folder / "new.jsonl"), "4\n");
}

TEST(Jsonl, DropsALineThatACrashCutOff) {
  const TempFolder folder;
  const std::string path = folder / "m.jsonl";
  for (const std::size_t torn : {1U, 4095U, 4096U, 4097U, 20000U}) {
    for (const std::string& whole : {std::string(), std::string("{}\n[]\n"), std::string(9000, ' ') + "\n"}) {
      put_file(path, whole + std::string(torn, '{'));
      JsonlWriter(path, kContinue).write(5);
      EXPECT_EQ(file_bytes(path), whole + "5\n");
    }
  }
}

TEST(Jsonl, TakesBackALineThatDidNotFit) {
  const TempFolder folder;
  JsonlWriter writer(folder / "m.jsonl", kReplace);
  writer.write({{"step", 1}});
  std::string error;
  {
    const FileLimit limit(100);
    error = message_of<IoError>([&] { writer.write({{"text", std::string(500, 'x')}}); });
  }
  EXPECT_EQ(error, "write: cannot write " + (folder / "m.jsonl") + ": File too large");
  EXPECT_EQ(file_bytes(folder / "m.jsonl"), "{\"step\":1}\n");
  writer.write({{"step", 2}});
  EXPECT_EQ(file_bytes(folder / "m.jsonl"), "{\"step\":1}\n{\"step\":2}\n");
}

TEST(Jsonl, NamesAPathThatItCannotWrite) {
  const TempFolder folder;
  const auto open = [](const std::string& path) { return message_of<IoError>([&] { JsonlWriter(path, kReplace); }); };
  EXPECT_EQ(open(folder / "none/m"), "open: cannot write " + (folder / "none/m") + ": No such file or directory");
  EXPECT_THAT(open(folder.path()), HasSubstr("Is a directory"));
}

TEST(JsonFile, WritesAnIndentedWholeFile) {
  const TempFolder folder;
  write_json_file(folder / "summary.json", {{"b", 1}, {"a", std::nan("")}, {"path", "\xff"}});
  EXPECT_EQ(file_bytes(folder / "summary.json"),
            "{\n  \"b\": 1,\n  \"a\": null,\n  \"path\": \"\xef\xbf\xbd\",\n  \"nonfinite\": {\n    \"a\": \"nan\"\n  "
            "}\n}\n");
  EXPECT_EQ(folder.entries(), 1U);
  EXPECT_THROW(write_json_file(folder / "none/summary.json", {}), IoError);
}

}  // namespace
}  // namespace gradus::io
