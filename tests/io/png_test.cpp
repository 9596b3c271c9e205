#include "io/image/png.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradus/core/error.h"
#include "gradus/io/image.h"
#include "support/temp_folder.h"

namespace gradus::io {
namespace {

using test::TempFolder;
using testing::ElementsAre;

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
    const Tensor back = read_image(folder / "a.png");
    EXPECT_EQ(to_string(back.sizes()), to_string(Shape{channels, height, width}));
    EXPECT_EQ(back.permute({1, 2, 0}).to_vector<uint8_t>(), image.data);
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
