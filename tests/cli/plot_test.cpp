#include "cli/chart/plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "gradus/core/error.h"
#include "io/image/png.h"
#include "support/message.h"
#include "support/picture.h"
#include "support/temp_folder.h"

namespace gradus::cli {
namespace {

using test::file_bytes;
using test::message_of;
using test::TempFolder;
using testing::HasSubstr;

struct Spot {
  int64_t pixels = 0;
  double x = 0, y = 0;  // centre
};

// The coloured pixels, whose hue tells the series: 0 blue, 1 vermilion, 2 green. Everything else in a chart is gray.
Spot spot(const io::Image& image, int series) {
  Spot found;
  for (int64_t y = 0; y < image.height; ++y) {
    for (int64_t x = 0; x < image.width; ++x) {
      const uint8_t* p = image.data.data() + 3 * (y * image.width + x);
      const int red = p[0], green = p[1], blue = p[2];
      const std::array hues{blue > red + 60 && blue > green + 30, red > green + 60 && red > blue + 60,
                            green > red + 60 && green > blue + 20};
      if (!hues[static_cast<std::size_t>(series)]) continue;
      ++found.pixels;
      found.x += static_cast<double>(x);
      found.y += static_cast<double>(y);
    }
  }
  if (found.pixels > 0) found.x /= static_cast<double>(found.pixels);
  if (found.pixels > 0) found.y /= static_cast<double>(found.pixels);
  return found;
}

io::Image drawn(const Chart& chart) {
  const TempFolder folder;
  draw_chart(folder / "a.png", chart);
  EXPECT_EQ(folder.entries(), 1U);
  return test::read_picture(folder / "a.png");
}

Chart log_chart(std::vector<Series> series) {
  return {"title", "x", "y", Scale::kLinear, Scale::kLog10, std::move(series), Range{0, 8}, Range{1e-4, 1}};
}

TEST(Plot, IsOnWhite) {
  const io::Image image = drawn(log_chart({{"a", {0, 8}, {1e-3, 1e-2}}}));
  EXPECT_EQ(image.width, 1560);
  EXPECT_EQ(image.height, 1140);
  EXPECT_EQ(image.channels, 3);
  for (const int64_t pixel : {int64_t{0}, image.width - 1, image.width * image.height - 1}) {
    for (int64_t channel = 0; channel < 3; ++channel) {
      EXPECT_EQ(image.data[static_cast<std::size_t>(3 * pixel + channel)], 255);
    }
  }
}

TEST(Plot, PlacesPointsOnTheirScales) {
  const auto at = [](Scale scale, double x, double y) {
    Chart chart = log_chart({{"", {x}, {y}}});
    chart.y_scale = scale;
    if (scale == Scale::kLinear) chart.y_range = Range{0, 1};
    const Spot result = spot(drawn(chart), 0);
    EXPECT_GT(result.pixels, 30);
    return result;
  };
  const Spot a = at(Scale::kLog10, 2, 1e-3), b = at(Scale::kLog10, 4, 1e-2), c = at(Scale::kLog10, 6, 1e-1);
  EXPECT_GT(b.x - a.x, 200);
  EXPECT_NEAR(b.x - a.x, c.x - b.x, 1);
  EXPECT_GT(a.y - b.y, 150);
  EXPECT_NEAR(a.y - b.y, b.y - c.y, 1);
  const Spot d = at(Scale::kLinear, 2, 0.25), e = at(Scale::kLinear, 4, 0.5), f = at(Scale::kLinear, 6, 0.75);
  EXPECT_NEAR(e.x - d.x, f.x - e.x, 1);
  EXPECT_NEAR(d.y - e.y, a.y - b.y, 1);
  EXPECT_NEAR(e.y - f.y, a.y - b.y, 1);
}

TEST(Plot, ShowsEverySeriesAlsoOnTopOfEachOther) {
  const std::vector<double> x{0, 2, 4, 6, 8}, y{0.5, 0.2, 0.05, 0.01, 0.001};
  const io::Image image = drawn(log_chart({{"", x, y}, {"", x, y}, {"", x, y}}));
  for (int series = 0; series < 3; ++series) EXPECT_GT(spot(image, series).pixels, 300) << series;
}

TEST(Plot, LeavesOutPointsWithoutAPlace) {
  const double infinity = std::numeric_limits<double>::infinity();
  const Spot alone = spot(drawn(log_chart({{"", {4}, {1e-2}}})), 0);
  const Spot among =
      spot(drawn(log_chart({{"", {1, 2, 4, 5, 6, 7}, {0, -1, 1e-2, std::nan(""), infinity, -infinity}}})), 0);
  EXPECT_EQ(among.pixels, alone.pixels);
  EXPECT_EQ(among.x, alone.x);
  EXPECT_EQ(among.y, alone.y);
  EXPECT_EQ(spot(drawn(log_chart({{"", {1, 2}, {0, 0}}})), 0).pixels, 0);
  EXPECT_EQ(spot(drawn(log_chart({{"", {std::nan("")}, {0.1}}})), 0).pixels, 0);
}

TEST(Plot, InterruptsALineAtAPointWithoutAPlace) {
  const auto middle = [](double y) {
    const io::Image image = drawn(log_chart({{"", {0, 4, 8}, {1e-2, y, 1e-2}}}));
    return spot(image, 0).pixels;
  };
  EXPECT_GT(middle(1e-2), 3 * middle(0));
}

TEST(Plot, DrawsNothingOutsideItsRange) {
  EXPECT_EQ(spot(drawn(log_chart({{"", {-1, -2, std::nan(""), 9, 10}, {0.1, 0.1, 0.1, 0.1, 0.1}}})), 0).pixels, 0);
  EXPECT_EQ(spot(drawn(log_chart({{"", {1, 5}, {1e-6, 1e-7}}})), 0).pixels, 0);
}

TEST(Plot, NamesSeriesInALegend) {
  const Chart without = log_chart({{"", {9}, {0.1}}, {"", {9}, {0.1}}});
  const Chart with = log_chart({{"one", {9}, {0.1}}, {"two", {9}, {0.1}}});
  EXPECT_EQ(spot(drawn(without), 0).pixels, 0);
  for (int series = 0; series < 2; ++series) EXPECT_GT(spot(drawn(with), series).pixels, 100);
}

TEST(Plot, PutsTheLegendWhereTheCurvesAreNot) {
  const auto legend = [](std::vector<double> x, std::vector<double> y) {
    return spot(drawn(log_chart({{"", x, y}, {"legend", {9}, {0.1}}})), 1);
  };
  const Spot top_right = legend({0, 0, 8}, {1, 2e-4, 2e-4});
  EXPECT_GT(top_right.x, 1560 / 2);
  EXPECT_LT(top_right.y, 1140 / 2);
  const Spot bottom_left = legend({0, 8, 8}, {0.5, 0.5, 1e-4});
  EXPECT_LT(bottom_left.x, 1560 / 2);
  EXPECT_GT(bottom_left.y, 1140 / 2);
}

TEST(Plot, DrawsWithoutData) {
  for (const Scale scale : {Scale::kLinear, Scale::kLog10}) {
    EXPECT_EQ(spot(drawn({"", "", "", Scale::kLinear, scale, {}}), 0).pixels, 0);
    drawn({"_{", "a_{b", "}_{}", Scale::kLinear, scale, {{"_{x}", {}, {}}}});
  }
}

TEST(Plot, DrawsLongSeriesWithoutMarkersAndMoreSeriesThanColours) {
  Chart chart{"", "", "", Scale::kLinear, Scale::kLinear, {}};
  for (int i = 0; i < 20; ++i) chart.series.push_back({std::to_string(i), {0, 1}, {1.0 * i, 2.0 * i}});
  for (int i = 0; i < 5000; ++i) {
    chart.series[0].x.push_back(i / 5000.0);
    chart.series[0].y.push_back(std::sin(i / 100.0));
  }
  EXPECT_GT(spot(drawn(chart), 0).pixels, 1000);
}

TEST(Plot, WritesSvgByName) {
  const TempFolder folder;
  draw_chart(folder / "a.svg", log_chart({{"a", {0, 8}, {1e-3, 1e-2}}}));
  const std::string bytes = file_bytes(folder / "a.svg");
  EXPECT_THAT(bytes.substr(0, 200), HasSubstr("<svg"));
  EXPECT_TRUE(bytes.ends_with("</svg>\n"));
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(Plot, RefusesWhatItCannotDraw) {
  const TempFolder folder;
  const Chart chart = log_chart({});
  EXPECT_EQ(message_of<ValueError>([&] { draw_chart(folder / "a.pdf", chart); }),
            "draw_chart: need a name ending in .png or .svg, got " + (folder / "a.pdf"));
  EXPECT_EQ(message_of<ValueError>([&] {
              draw_chart(folder / "a.png", log_chart({{"s", {1, 2}, {1}}}));
            }),
            "draw_chart: need as many x as y, got 2 and 1 in series \"s\"");
  EXPECT_THROW(draw_chart(folder / "none/a.png", chart), IoError);
  EXPECT_EQ(folder.entries(), 0U);
}

}  // namespace
}  // namespace gradus::cli
