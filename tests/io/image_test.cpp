#include "gradus/io/image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "gradus/core/error.h"
#include "gradus/ops.h"
#include "support/message.h"
#include "support/paths.h"
#include "support/temp_folder.h"

namespace gradus::io {
namespace {

using nlohmann::json;
using test::file_bytes;
using test::message_of;
using test::put_file;
using test::source_path;
using test::TempFolder;
using testing::HasSubstr;

const json& trace() {
  static const json document = [] {
    std::ifstream in(source_path("tests/traces/images.json"));
    return json::parse(in);
  }();
  return document;
}

std::string fixture(const std::string& name) { return source_path("tests/fixtures/images/" + name); }

// Pixels in rows from the top.
std::vector<int> pixels(const Tensor& image) { return image.permute({1, 2, 0}).to_vector<int>(); }

TEST(Images, AreThosePillowDecodes) {
  for (const auto& [name, expected] : trace()["files"].items()) {
    const Tensor image = read_image(fixture(name), {.mode = ImageReadMode::RGB});
    EXPECT_EQ(image.dtype(), kUInt8);
    EXPECT_EQ(to_string(image.sizes()), to_string(Shape{3, trace()["height"], trace()["width"]}));
    EXPECT_EQ(pixels(image), expected["rgb"].get<std::vector<int>>()) << name;
    if (!expected.contains("gray")) continue;
    const Tensor gray = read_image(fixture(name), {.mode = ImageReadMode::Gray});
    EXPECT_EQ(gray.size(0), 1);
    EXPECT_EQ(pixels(gray), expected["gray"].get<std::vector<int>>()) << name;
  }
}

// A TIFF directory with the orientation, after another entry.
std::string exif(int orientation, bool big_endian, int type = 3, int count = 1) {
  const auto number = [&](std::uint32_t value, int size) {
    std::string bytes;
    for (int i = 0; i < size; ++i) bytes += static_cast<char>(value >> 8 * (big_endian ? size - 1 - i : i));
    return bytes;
  };
  return (big_endian ? "MM" : "II") + number(42, 2) + number(8, 4) + number(2, 2) + number(0x010f, 2) + number(2, 2) +
         number(1, 4) + number('x', 4) + number(0x0112, 2) + number(static_cast<std::uint32_t>(type), 2) +
         number(static_cast<std::uint32_t>(count), 4) + number(static_cast<std::uint32_t>(orientation), 2) +
         number(0, 2) + number(0, 4);
}

std::string in_jpeg(const std::string& jpeg, const std::string& tiff) {
  const std::size_t size = 2 + 6 + tiff.size();
  return jpeg.substr(0, 2) + "\xff\xe1" + static_cast<char>(size >> 8) + static_cast<char>(size) +
         std::string("Exif\0\0", 6) + tiff + jpeg.substr(2);
}

std::string in_png(const std::string& png, const std::string& tiff) {
  constexpr std::size_t kAfterHeader = 8 + 12 + 13;
  const std::string content = "eXIf" + tiff;
  const auto crc = ::crc32(0, reinterpret_cast<const Bytef*>(content.data()), static_cast<uInt>(content.size()));
  std::string chunk{'\0', '\0', static_cast<char>(tiff.size() >> 8), static_cast<char>(tiff.size())};
  chunk += content;
  for (int shift = 24; shift >= 0; shift -= 8) chunk += static_cast<char>(crc >> shift);
  return png.substr(0, kAfterHeader) + chunk + png.substr(kAfterHeader);
}

// As Pillow's ImageOps.exif_transpose turns a picture of two rows, 0 1 2 and 3 4 5.
const std::vector<std::vector<int>> kTurned{{0, 1, 2, 3, 4, 5}, {2, 1, 0, 5, 4, 3}, {5, 4, 3, 2, 1, 0},
                                            {3, 4, 5, 0, 1, 2}, {0, 3, 1, 4, 2, 5}, {3, 0, 4, 1, 5, 2},
                                            {5, 2, 4, 1, 3, 0}, {2, 5, 1, 4, 0, 3}};

TEST(Images, StandAsTheirExifDataSay) {
  const TempFolder folder;
  const Tensor picture = tensor(std::vector<int>{0, 1, 2, 3, 4, 5}, {1, 2, 3}).to(kUInt8);
  // JPEG in blocks of 8 x 8, of one shade each.
  std::vector<int> shades;
  for (int i = 0; i < 16 * 24; ++i) shades.push_back(40 * (i / 24 / 8 * 3 + i % 24 / 8));
  const Tensor blocks = tensor(shades, {1, 16, 24}).to(kUInt8);
  write_png(folder / "a.png", picture);
  write_jpeg(folder / "a.jpg", blocks, 100);
  const std::string png = file_bytes(folder / "a.png"), jpeg = file_bytes(folder / "a.jpg");
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const std::vector<int>& turned = kTurned[static_cast<std::size_t>(orientation - 1)];
    for (const bool big_endian : {false, true}) {
      const std::string tiff = exif(orientation, big_endian);
      const Tensor from_png = decode_image(in_png(png, tiff), {.apply_exif_orientation = true});
      EXPECT_EQ(pixels(from_png), turned) << orientation;
      EXPECT_EQ(from_png.size(1), orientation < 5 ? 2 : 3);
      const Tensor from_jpeg = decode_image(in_jpeg(jpeg, tiff), {.apply_exif_orientation = true});
      EXPECT_EQ(from_jpeg.size(1), orientation < 5 ? 16 : 24);
      std::vector<int> corners;
      for (std::int64_t y = 4; y < from_jpeg.size(1); y += 8)
        for (std::int64_t x = 4; x < from_jpeg.size(2); x += 8)
          corners.push_back((from_jpeg[{0, y, x}].item<int>() + 20) / 40);
      EXPECT_EQ(corners, turned) << orientation;
      EXPECT_EQ(pixels(decode_image(in_png(png, tiff))), kTurned[0]);
    }
  }
  // The pixels lie as of any other picture.
  EXPECT_EQ(decode_image(in_png(png, exif(6, true)), {.apply_exif_orientation = true}).stride(0), 1);
}

TEST(Images, WrongExifDataChangeNothing) {
  const TempFolder folder;
  write_png(folder / "a.png", tensor(std::vector<int>{0, 1, 2, 3, 4, 5}, {1, 2, 3}).to(kUInt8));
  write_jpeg(folder / "a.jpg", zeros({1, 8, 16}, {.dtype = kUInt8}));
  const std::string png = file_bytes(folder / "a.png"), jpeg = file_bytes(folder / "a.jpg");
  std::vector<std::string> wrong{exif(0, true), exif(9, false), exif(6, true, 4), exif(6, true, 3, 2), "", "MM", "II*"};
  const std::string right = exif(6, false);
  for (std::size_t size = 0; size < 8 + 2 + 2 * 12; ++size) wrong.push_back(right.substr(0, size));
  for (std::size_t at = 0; at < 8; ++at) {  // the header, where the directory lies
    wrong.push_back(right);
    wrong.back()[at] = '\xff';
  }
  for (const std::string& tiff : wrong) {
    const Tensor from_png = decode_image(in_png(png, tiff), {.apply_exif_orientation = true});
    EXPECT_EQ(from_png.size(1), 2);
    EXPECT_EQ(decode_image(in_jpeg(jpeg, tiff), {.apply_exif_orientation = true}).size(1), 8);
  }
}

TEST(Images, UnchangedKeepsTheFilesChannels) {
  const std::pair<const char*, int> channels[] = {{"rgb.jpg", 3},  {"gray.jpg", 1}, {"cmyk.jpg", 3}, {"gray.png", 1},
                                                  {"rgba.png", 4}, {"bits.png", 1}, {"rgb16.png", 3}};
  for (const auto& [name, count] : channels) EXPECT_EQ(read_image(fixture(name)).size(0), count) << name;
}

TEST(Images, WritingAndReadingAgain) {
  const TempFolder folder;
  for (const std::int64_t channels : {1, 3}) {
    const Tensor image = randint(0, 256, {channels, 21, 17}).to(kUInt8);
    write_png(folder / "a.png", image);
    EXPECT_TRUE(equal(read_image(folder / "a.png"), image));
    const Tensor smooth = (arange(21).view({1, 21, 1}) * 6 + arange(17) * 5).expand({channels, 21, 17}).to(kUInt8);
    write_jpeg(folder / "a.jpg", smooth, 95);
    const Tensor back = read_image(folder / "a.jpg");
    EXPECT_EQ(to_string(back.sizes()), to_string(smooth.sizes()));
    EXPECT_LE((back.to(kInt32) - smooth.to(kInt32)).abs().max().item<int>(), 4);
  }
  EXPECT_THROW(write_png(folder / "a.png", zeros({3, 2, 2})), DtypeError);
  EXPECT_THROW(write_png(folder / "a.png", zeros({2, 2, 2}, {.dtype = kUInt8})), ShapeError);
  EXPECT_THROW(write_jpeg(folder / "a.jpg", zeros({3, 0, 2}, {.dtype = kUInt8})), ShapeError);
  EXPECT_THROW(write_jpeg(folder / "a.jpg", zeros({3, 2, 2}, {.dtype = kUInt8}), 0), ValueError);
  EXPECT_THROW(write_jpeg(folder / "none/a.jpg", zeros({3, 2, 2}, {.dtype = kUInt8})), IoError);
}

TEST(Images, MayBeDecodedSmaller) {
  const TempFolder folder;
  const Tensor image = full({3, 200, 320}, 90, {.dtype = kUInt8});
  write_jpeg(folder / "a.jpg", image);
  const auto size_for = [&](std::int64_t min_size) {
    return to_string(read_image(folder / "a.jpg", {.min_size = min_size}).sizes());
  };
  EXPECT_EQ(size_for(0), "[3, 200, 320]");
  EXPECT_EQ(size_for(201), "[3, 200, 320]");
  EXPECT_EQ(size_for(100), "[3, 100, 160]");
  EXPECT_EQ(size_for(51), "[3, 100, 160]");
  EXPECT_EQ(size_for(50), "[3, 50, 80]");
  EXPECT_EQ(size_for(1), "[3, 25, 40]");
  EXPECT_EQ(read_image(folder / "a.jpg", {.min_size = 1}).select(0, 0).to_vector<int>()[0], 90);
}

TEST(Images, CutOffAnywhereIsAnError) {
  for (const auto& [name, unused] : trace()["files"].items()) {
    const std::string whole = file_bytes(fixture(name));
    // A JPEG whose end marker is missing, and a PNG whose last chunk is, have all their pixels.
    const std::size_t end = name.ends_with(".jpg") ? 2 : 12;
    for (std::size_t size = 0; size + end < whole.size(); ++size) {
      EXPECT_THAT(message_of<IoError>([&] { decode_image(whole.substr(0, size), {}, "dog.jpg"); }),
                  HasSubstr("dog.jpg"))
          << name << " " << size;
    }
  }
}

TEST(Images, DamageIsAnErrorAndNeverWorse) {
  for (const auto& [name, unused] : trace()["files"].items()) {
    const std::string whole = file_bytes(fixture(name));
    int refused = 0;
    for (std::size_t at = 0; at < whole.size(); ++at) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ 0xff);
      try {
        decode_image(changed);
      } catch (const IoError&) {
        ++refused;
      }
    }
    EXPECT_GT(refused, 20) << name;
  }
}

TEST(Images, NoFileClaimsMuchMemory) {
  std::string jpeg = file_bytes(fixture("gray.jpg"));
  const std::size_t frame = jpeg.find("\xff\xc0");
  ASSERT_NE(frame, std::string::npos);
  jpeg.replace(frame + 5, 4, "\xfe\xfe\xfe\xfe");
  EXPECT_THAT(message_of<IoError>([&] { decode_image(jpeg); }), HasSubstr("claims"));
  EXPECT_THAT(message_of<IoError>([&] { decode_image(file_bytes(fixture("rgb.png")), {.max_pixels = 100}); }),
              HasSubstr("more than max_pixels = 100"));
}

TEST(Images, OtherFilesAreNamed) {
  const TempFolder folder;
  put_file(folder / "a.jpg", "a text file");
  EXPECT_EQ(message_of<IoError>([&] { read_image(folder / "a.jpg"); }),
            "decode_image: " + (folder / "a.jpg") + " is neither a JPEG nor a PNG file");
  put_file(folder / "b.jpg", "");
  EXPECT_THAT(message_of<IoError>([&] { read_image(folder / "b.jpg"); }), HasSubstr("b.jpg is empty"));
  EXPECT_THAT(message_of<IoError>([&] { read_image(folder / "none.jpg"); }), HasSubstr("none.jpg"));
}

}  // namespace
}  // namespace gradus::io
