// Event files, byte for byte as TensorBoard's own writer has them (tests/fixtures/check_with_tensorboard.py).
#include <gradus/io/tensorboard.h>
#include <gradus/ops.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <thread>

#include "io/image/png.h"
#include "io/log/event_file.h"
#include "support/file_limit.h"
#include "support/paths.h"
#include "support/picture.h"
#include "support/temp_folder.h"

namespace gradus::io {
namespace {

using test::TempFolder;
using testing::HasSubstr;

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

const std::string kPng = from_hex(
    "89504e470d0a1a0a0000000d4948445200000002000000010800000000d14920560000000b49444154789c635078000001230101f0bbab7300"
    "00000049454e44ae426082");

// What the records of a file hold.
std::vector<std::string> records(const std::string& bytes) {
  std::vector<std::string> all;
  for (std::size_t at = 0; at < bytes.size();) {
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data() + at, 8);
    if (at + 16 + length > bytes.size()) throw std::runtime_error("a record that is cut short");
    all.push_back(bytes.substr(at + 12, length));
    at += 16 + length;
  }
  return all;
}

std::string golden() { return test::file_bytes(test::source_path("tests/fixtures/events.tfevents")); }

TEST(EventFile, ChecksumsAreCrc32c) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);            // the check value of CRC-32C
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);  // RFC 3720, B.4
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
}

TEST(EventFile, AWriterWritesWhatTensorBoardsWould) {
  const TempFolder folder;
  SummaryWriter writer(folder.path(), {.purge_step = 5, .wall_time = [] { return 1000.25; }});
  writer.add_scalar("loss/train", 0, 0);
  writer.add_scalar("loss/train", 1.25, 1);
  writer.add_scalar("loss/train", std::nan(""), 300);
  writer.add_scalar("größe", -1e30, std::int64_t{1} << 40);
  writer.add_png("image", kPng, 7);
  std::vector<double> waves;
  for (int i = 0; i < 100; ++i) waves.push_back(std::sin(i) * std::pow(10.0, i % 7 - 3));
  const std::vector<std::vector<double>> values{{1}, {0, 0}, {-2, -1e-3, 0.5, 0.5, 3}, {1e-15, -1e-15}, waves};
  for (std::size_t i = 0; i < values.size(); ++i)
    writer.add_histogram("weights", tensor(values[i], {.dtype = kFloat64}), static_cast<std::int64_t>(i));
  writer.add_text("recipe", "# Title\n\nsome *text*", 2);
  const auto ours = records(test::file_bytes(writer.path())), theirs = records(golden());
  ASSERT_EQ(ours.size(), theirs.size());
  for (std::size_t i = 0; i < ours.size(); ++i) EXPECT_EQ(ours[i], theirs[i]) << "record " << i;
  EXPECT_EQ(test::file_bytes(writer.path()), golden());
}

TEST(SummaryWriter, WritesTextsThatTensorBoardReads) {
  const TempFolder folder;
  SummaryWriter writer(folder.path());
  writer.add_scalar("caf\xe9", 1, 0);
  writer.add_text("text", "\xff", 0);
  const auto all = records(test::file_bytes(writer.path()));
  EXPECT_NE(all.at(1).find("caf\xef\xbf\xbd"), std::string::npos);
  EXPECT_NE(all.at(2).find("\xef\xbf\xbd"), std::string::npos);
}

TEST(SummaryWriter, EncodesImages) {
  const TempFolder folder;
  SummaryWriter writer(folder.path());
  const auto last_png = [&] {
    const std::string record = records(test::file_bytes(writer.path())).back();
    const std::size_t at = record.find("\x89PNG");
    test::put_file(folder / "last.png", record.substr(at));
    return test::read_picture(folder / "last.png");
  };
  writer.add_image("gray", tensor({{0.0, 0.5}, {1.0, 2.0}}));
  Image image = last_png();
  EXPECT_EQ(image.channels, 1);
  EXPECT_EQ(image.data, (std::vector<std::uint8_t>{0, 127, 255, 255}));
  writer.add_image("rgb", arange(12).view({3, 2, 2}).to(kUInt8));
  image = last_png();
  EXPECT_EQ(image.channels, 3);
  EXPECT_EQ(image.data, (std::vector<std::uint8_t>{0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}));
  writer.add_image("odd", tensor({{-1.0, std::nan("")}}));
  EXPECT_EQ(last_png().data, (std::vector<std::uint8_t>{0, 0}));
  writer.add_images("grid", zeros({3, 3, 4, 5}), 0, 2);
  image = last_png();
  EXPECT_EQ(image.width, 2 * 5 + 3 * 2);
  EXPECT_EQ(image.height, 2 * 4 + 3 * 2);
  EXPECT_EQ(image.data[0], 255);                                                        // the frame
  EXPECT_EQ(image.data[static_cast<std::size_t>((2 * image.width + 2) * 3)], 0);        // the first image
  EXPECT_EQ(image.data[static_cast<std::size_t>((8 * image.width + 2 + 7) * 3)], 255);  // a place without one
}

TEST(SummaryWriter, RefusesWhatItCannotShow) {
  const TempFolder folder;
  SummaryWriter writer(folder.path());
  const std::string before = test::file_bytes(writer.path());
  EXPECT_THROW(writer.add_image("x", zeros({2, 4, 4})), ValueError);
  EXPECT_THROW(writer.add_image("x", zeros({4})), ValueError);
  EXPECT_THROW(writer.add_image("x", zeros({1, 0, 4})), ValueError);
  EXPECT_THROW(writer.add_image("x", zeros({1, 4, 4}, {.dtype = kInt64})), ValueError);
  EXPECT_THROW(writer.add_images("x", zeros({1, 4, 4})), ValueError);
  EXPECT_THROW(writer.add_images("x", zeros({1, 1, 4, 4}), 0, 0), ValueError);
  EXPECT_THROW(writer.add_histogram("x", zeros({0})), ValueError);
  EXPECT_THROW(writer.add_histogram("x", full({2}, std::nan(""))), ValueError);
  EXPECT_THROW(writer.add_png("x", "GIF89a"), ValueError);
  EXPECT_EQ(test::file_bytes(writer.path()), before);
  EXPECT_THROW(SummaryWriter("/proc/nowhere"), IoError);
  // What is not finite or beyond the buckets has its place all the same.
  EXPECT_NO_THROW(writer.add_histogram("x", tensor({1.0, 1e30, -1e30, std::numeric_limits<double>::infinity()})));
}

TEST(SummaryWriter, AFullDiskLeavesNoPart) {
  const TempFolder folder;
  SummaryWriter writer(folder.path());
  writer.add_scalar("loss", 1, 1);
  const std::string before = test::file_bytes(writer.path());
  {
    const test::FileLimit limit(before.size() + 10);
    EXPECT_THROW(writer.add_scalar("loss", 2, 2), IoError);
  }
  EXPECT_EQ(test::file_bytes(writer.path()), before);
  writer.add_scalar("loss", 3, 3);
  EXPECT_EQ(records(test::file_bytes(writer.path())).size(), 3U);
}

TEST(SummaryWriter, ThreadsWriteWholeRecords) {
  const TempFolder folder;
  SummaryWriter writer(folder.path());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&writer] {
      for (int i = 0; i < 50; ++i) writer.add_scalar("loss", i, i);
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(records(test::file_bytes(writer.path())).size(), 201U);
  // Two writers of one folder have two files.
  const SummaryWriter other(folder.path());
  EXPECT_NE(other.path(), writer.path());
}

}  // namespace
}  // namespace gradus::io
