#include "io/png.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <png.h>

#include <cstring>

#include "gradus/error.h"
#include "support/temp_folder.h"

namespace gradus::io {
namespace {

using test::file_bytes;
using test::message_of;
using test::put_file;
using test::TempFolder;
using testing::ElementsAre;
using testing::HasSubstr;

Image pattern(int64_t width, int64_t height, int64_t channels) {
  Image image{width, height, channels, {}};
  uint32_t state = 1;
  for (int64_t i = 0; i < width * height * channels; ++i) {
    state = state * 1664525U + 1013904223U;
    image.data.push_back(static_cast<uint8_t>(state >> 24));
  }
  return image;
}

TEST(Png, RoundTripsEveryValue) {
  const TempFolder folder;
  const int64_t sizes[][3] = {{1, 1, 1}, {1, 1, 3}, {256, 3, 1}, {7, 13, 3}, {1, 500, 1}, {300, 200, 3}};
  for (const auto& [width, height, channels] : sizes) {
    Image image = pattern(width, height, channels);
    for (std::size_t i = 0; i < std::min<std::size_t>(256, image.data.size()); ++i) {
      image.data[i] = static_cast<uint8_t>(i);
    }
    write_png(folder / "a.png", image.view());
    const Image back = read_png(folder / "a.png");
    EXPECT_EQ(back.width, width);
    EXPECT_EQ(back.height, height);
    EXPECT_EQ(back.channels, channels);
    EXPECT_EQ(back.data, image.data);
  }
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(Png, RefusesImpossibleImages) {
  const TempFolder folder;
  const uint8_t pixels[16] = {};
  const int64_t huge = int64_t{1} << 62;
  const ImageView wrong[] = {{0, 1, 1, pixels},        {1, 0, 1, pixels},       {1, 1, 0, pixels},
                             {2, 2, 2, pixels},        {2, 2, 4, pixels},       {-1, -1, 1, pixels},
                             {4, 4, 1, nullptr},       {huge, huge, 1, pixels}, {huge, 4, 1, pixels},
                             {40000, 40000, 1, pixels}};
  for (const ImageView& image : wrong) EXPECT_THROW(write_png(folder / "a.png", image), ValueError);
  EXPECT_EQ(folder.entries(), 0U);
  EXPECT_THROW(write_png(folder / "none/a.png", ImageView{4, 4, 1, pixels}), IoError);
}

TEST(Png, RefusesDamagedFiles) {
  const TempFolder folder;
  const Image image = pattern(9, 7, 3);
  write_png(folder / "a.png", image.view());
  const std::string whole = file_bytes(folder / "a.png");
  // The last 12 bytes are the empty end chunk, which holds no pixels.
  for (std::size_t size = 0; size + 12 < whole.size(); ++size) {
    put_file(folder / "b.png", whole.substr(0, size));
    EXPECT_THAT(message_of<IoError>([&] { read_png(folder / "b.png"); }), HasSubstr(folder / "b.png")) << size;
  }
}

TEST(Png, RefusesASizeThatTheFileCannotHold) {
  const TempFolder folder;
  // A header claiming 30000 x 30000 RGB pixels, with its checksum right.
  std::string file("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x75\x30\0\0\x75\x30\x08\x02\0\0\0", 29);
  uint32_t crc = 0xffffffffU;
  for (std::size_t i = 12; i < file.size(); ++i) {
    crc ^= static_cast<uint8_t>(file[i]);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xedb88320U & (0U - (crc & 1U)));
  }
  for (int shift = 24; shift >= 0; shift -= 8) file += static_cast<char>(~crc >> shift);
  file += std::string("\0\0\0\0IDAT\x35\xaf\x06\x1e", 12);
  put_file(folder / "a.png", file);
  EXPECT_THAT(message_of<IoError>([&] { read_png(folder / "a.png"); }), HasSubstr("claims [30000, 30000, 3]"));
}

TEST(Png, RefusesOtherKinds) {
  const TempFolder folder;
  for (const png_uint_32 format : {png_uint_32{PNG_FORMAT_RGBA}, png_uint_32{PNG_FORMAT_GA},
                                   png_uint_32{PNG_FORMAT_LINEAR_Y}, png_uint_32{PNG_FORMAT_LINEAR_RGB}}) {
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.width = image.height = 2;
    image.format = format;
    const std::vector<uint16_t> pixels(64, 0x8080);
    ASSERT_NE(png_image_write_to_file(&image, (folder / "a.png").c_str(), 0, pixels.data(), 0, nullptr), 0);
    EXPECT_THAT(message_of<IoError>([&] { read_png(folder / "a.png"); }), HasSubstr("need 8-bit gray or RGB"));
  }
}

TEST(ImageGrid, LaysImagesOutInRows) {
  const uint8_t images[] = {1, 2, 3, 4, 5, 6};  // three images of one row and two columns
  const Image grid = image_grid(images, 3, 1, 2, 2, 1, 9);
  EXPECT_EQ(grid.width, 7);
  EXPECT_EQ(grid.height, 5);
  EXPECT_EQ(grid.channels, 1);
  EXPECT_THAT(grid.data, ElementsAre(9, 9, 9, 9, 9, 9, 9,  //
                                     9, 1, 2, 9, 3, 4, 9,  //
                                     9, 9, 9, 9, 9, 9, 9,  //
                                     9, 5, 6, 9, 9, 9, 9,  //
                                     9, 9, 9, 9, 9, 9, 9));
}

TEST(ImageGrid, IsNoWiderThanItsImages) {
  const uint8_t images[] = {1, 2, 3, 4, 5, 6};
  const Image grid = image_grid(images, 3, 2, 1, 8, 0);
  EXPECT_EQ(grid.width, 3);
  EXPECT_THAT(grid.data, ElementsAre(1, 3, 5, 2, 4, 6));
}

TEST(ImageGrid, RefusesImpossibleSizes) {
  const uint8_t images[4] = {};
  const int64_t huge = int64_t{1} << 62;
  EXPECT_THROW(image_grid(nullptr, 1, 2, 2, 1), ValueError);
  EXPECT_THROW(image_grid(images, 0, 2, 2, 1), ValueError);
  EXPECT_THROW(image_grid(images, 1, 0, 2, 1), ValueError);
  EXPECT_THROW(image_grid(images, 1, 2, -2, 1), ValueError);
  EXPECT_THROW(image_grid(images, 1, 2, 2, 0), ValueError);
  EXPECT_THROW(image_grid(images, 1, 2, 2, 1, -1), ValueError);
  EXPECT_THROW(image_grid(images, 1, 2, 2, 1, huge), ValueError);
  EXPECT_THROW(image_grid(images, huge, 2, 2, huge), ValueError);
  EXPECT_THROW(image_grid(images, 1 << 29, 1 << 29, 1 << 29, 1 << 29), ValueError);
}

}  // namespace
}  // namespace gradus::io
