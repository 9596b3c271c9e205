// The curves of runs: reading them, drawing them with `gradus plot`, showing them with `gradus watch`.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <regex>

#include "cli/chart/terminal_chart.h"
#include "cli/commands/watch.h"
#include "cli/run/metrics.h"
#include "io/file/posix.h"
#include "io/image/png.h"
#include "support/command.h"
#include "support/picture.h"
#include "text/table.h"

namespace gradus::cli {
namespace {

using test::put_file;
using test::run_gradus;
using test::TempFolder;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Metrics metrics_of(const TempFolder& folder, const std::string& text, const std::string& x = "step") {
  put_file(folder / "metrics.jsonl", text);
  Metrics metrics(folder / "metrics.jsonl", x);
  metrics.read();
  return metrics;
}

TEST(Metrics, AreReadLineByLineAsTheFileGrows) {
  const TempFolder folder;
  Metrics metrics(folder / "metrics.jsonl");
  EXPECT_FALSE(metrics.read());  // no file yet
  put_file(folder / "metrics.jsonl", "{\"step\":1,\"loss\":4,\"note\":\"x\",\"epoch\":1}\n{\"step\":2,\"lo");
  EXPECT_TRUE(metrics.read());
  EXPECT_FALSE(metrics.read());
  EXPECT_THAT(metrics.keys(), ElementsAre("loss"));
  std::ofstream(folder / "metrics.jsonl", std::ios::app) << "ss\":3,\"acc\":0.5}\nno json\n[1]\n{\"loss\":9}\n";
  EXPECT_TRUE(metrics.read());
  EXPECT_THAT(metrics.curves().at("loss").x, ElementsAre(1, 2));
  EXPECT_THAT(metrics.curves().at("loss").y, ElementsAre(4, 3));
  EXPECT_THAT(metrics.keys(), ElementsAre("loss", "acc"));
  EXPECT_EQ(metrics.lines(), 3);
  put_file(folder / "metrics.jsonl", "{\"step\":1,\"loss\":7}\n");  // started anew
  EXPECT_TRUE(metrics.read());
  EXPECT_THAT(metrics.curves().at("loss").y, ElementsAre(7));
}

TEST(Metrics, PutPhasesOneBehindTheOtherAndDropWhatAResumedRunRepeats) {
  const TempFolder folder;
  const Metrics phases =
      metrics_of(folder,
                 "{\"phase\":\"a\",\"step\":10,\"loss\":3}\n{\"phase\":\"a\",\"step\":20,\"loss\":2}\n"
                 "{\"phase\":\"b\",\"step\":10,\"loss\":1}\n");
  EXPECT_THAT(phases.curves().at("loss").x, ElementsAre(10, 20, 30));
  EXPECT_EQ(phases.phase(), "b");
  const Metrics resumed = metrics_of(folder,
                                     "{\"step\":1,\"loss\":3}\n{\"step\":2,\"loss\":2}\n{\"step\":3,\"loss\":1}\n"
                                     "{\"step\":2,\"loss\":5}\n{\"step\":3,\"loss\":null}\n");
  EXPECT_THAT(resumed.curves().at("loss").x, ElementsAre(1, 2, 3));
  EXPECT_EQ(resumed.curves().at("loss").y[1], 5);
  EXPECT_TRUE(std::isnan(resumed.curves().at("loss").y[2]));
}

// Losses and test results of one step are lines of their own.
TEST(Metrics, LinesOfOneStepAddUp) {
  const TempFolder folder;
  const Metrics metrics = metrics_of(folder,
                                     "{\"step\":10,\"loss\":3}\n{\"step\":20,\"loss\":2}\n"
                                     "{\"step\":20,\"test.loss\":5}\n{\"step\":20,\"loss\":1}\n");
  EXPECT_THAT(metrics.curves().at("loss").x, ElementsAre(10, 20));
  EXPECT_THAT(metrics.curves().at("loss").y, ElementsAre(3, 1));
  EXPECT_THAT(metrics.curves().at("test.loss").x, ElementsAre(20));
}

TEST(Metrics, SmoothingStartsWithoutBiasAndKeepsGaps) {
  const double nan = std::nan("");
  const auto level = smoothed({{1, 2, 3}, {2, 2, 2}}, 0.9, 1);
  for (const double y : level) EXPECT_DOUBLE_EQ(y, 2);
  const auto y = smoothed({{1, 2, 3}, {1, nan, 3}}, 0.5, 1);  // the third point is two steps after the first
  EXPECT_EQ(y[0], 1);
  EXPECT_TRUE(std::isnan(y[1]));
  EXPECT_NEAR(y[2], (0.5 * 0.25 * 1 + 0.75 * 3) / (0.5 * 0.25 + 0.75), 1e-12);
  EXPECT_THAT(smoothed({{1, 2}, {1, 5}}, 0, 1), ElementsAre(1, 5));
  // Points ten times as far apart are smoothed as much per step.
  EXPECT_NEAR(smoothed({{0, 10}, {0, 1}}, 0.9, 1)[1],
              (1 - std::pow(0.9, 10)) / (0.1 * std::pow(0.9, 10) + 1 - std::pow(0.9, 10)), 1e-12);
}

TEST(Metrics, KnowHowFarPointsAreApart) {
  const TempFolder folder;
  EXPECT_EQ(metrics_of(folder, "{\"step\":1,\"loss\":3}\n").spacing(), 1);
  EXPECT_EQ(metrics_of(folder, "{\"step\":10,\"a\":3,\"b\":1}\n{\"step\":20,\"a\":3}\n{\"step\":30,\"a\":3,\"b\":1}\n")
                .spacing(),
            10);
}

TEST(Metrics, ThinningKeepsExtremes) {
  Curve curve;
  for (int i = 0; i < 10000; ++i) {
    curve.x.push_back(i);
    curve.y.push_back(i == 7777 ? 100 : i == 3333 ? -100 : std::sin(i));
  }
  const Curve thin = thinned(curve, 200);
  EXPECT_LE(thin.x.size(), 200U);
  EXPECT_EQ(*std::max_element(thin.y.begin(), thin.y.end()), 100);
  EXPECT_EQ(*std::min_element(thin.y.begin(), thin.y.end()), -100);
  EXPECT_TRUE(std::is_sorted(thin.x.begin(), thin.x.end()));
  EXPECT_EQ(thinned(curve, 20000).x.size(), 10000U);
}

TEST(Metrics, FamiliesAndNames) {
  EXPECT_THAT(families({"lr", "d_loss", "accuracy", "g_loss", "loss/train", "loss/val"}),
              ElementsAre(ElementsAre("d_loss", "g_loss", "loss/train", "loss/val"), ElementsAre("accuracy"),
                          ElementsAre("lr")));
  EXPECT_THAT(short_names({"runs/a", "runs/b/"}), ElementsAre("a", "b"));
  EXPECT_THAT(short_names({"x/run", "y/run"}), ElementsAre("x/run", "y/run"));
  EXPECT_THAT(short_names({"x/run", "x/run"}), testing::SizeIs(2));
}

// --- gradus plot ---

std::string run_of(const TempFolder& folder, const std::string& name, double scale) {
  std::filesystem::create_directories(folder / name);
  std::string text;
  for (int i = 1; i <= 60; ++i) {
    text += "{\"step\":" + std::to_string(i) + ",\"d_loss\":" + std::to_string(scale / i) +
            ",\"g_loss\":" + std::to_string(scale * i) + ",\"lr\":0.001}\n";
  }
  put_file(folder / (name + "/metrics.jsonl"), text);
  return folder / name;
}

TEST(Plot, DrawsPanelsOfOneRunIntoItsFolder) {
  const TempFolder folder;
  const std::string run = run_of(folder, "gan", 1);
  const auto plot = run_gradus("plot " + run);
  ASSERT_EQ(plot.status, 0) << plot.err;
  EXPECT_EQ(plot.out, "plot: " + run + "/curves.png\n");
  const io::Image image = test::read_picture(run + "/curves.png");
  EXPECT_EQ(image.width, 2 * 1560);  // losses and rate, side by side
  EXPECT_EQ(image.height, 1140);
}

TEST(Plot, DrawsRunsOverEachOtherAsSvg) {
  const TempFolder folder;
  const std::string runs = run_of(folder, "a", 1) + " " + run_of(folder, "b", 2);
  const auto plot =
      run_gradus("plot " + runs + " --key d_loss --log-y --log-x --smooth 0.8 --out " + folder / "two.svg");
  ASSERT_EQ(plot.status, 0) << plot.err;
  const std::string svg = test::file_bytes(folder / "two.svg");
  EXPECT_THAT(svg, HasSubstr("<svg"));
  // Two smooth lines of one width, two faint ones of another.
  const auto count = [&](const std::string& part) {
    std::size_t n = 0;
    for (std::size_t at = svg.find(part); at != svg.npos; at = svg.find(part, at + 1)) ++n;
    return n;
  };
  EXPECT_EQ(count("stroke-width=\"0.7\"") + count("stroke-width:0.7;"), 2U);
}

TEST(Plot, ListsKeysAndNamesMistakes) {
  const TempFolder folder;
  const std::string run = run_of(folder, "gan", 1);
  const auto list = run_gradus("plot --list " + run);
  EXPECT_EQ(list.status, 0);
  EXPECT_THAT(list.out, HasSubstr("g_loss"));
  const auto error_of = [](const std::string& arguments) {
    const auto result = run_gradus("plot " + arguments);
    EXPECT_EQ(result.status, 2) << arguments;
    return result.err;
  };
  EXPECT_THAT(error_of(run + " --key dloss"), HasSubstr("did you mean 'd_loss'?"));
  EXPECT_THAT(error_of(run + " --x nothing"), HasSubstr("nothing"));
  EXPECT_THAT(error_of(run + " --out a.gif"), HasSubstr(".png or .svg"));
  EXPECT_THAT(error_of(run + " --label a --label b"), HasSubstr("--label"));
  EXPECT_THAT(error_of(run + " --y-range 2 1"), HasSubstr("--y-range"));
  EXPECT_THAT(error_of(folder / "nowhere"), HasSubstr("no metrics"));
  EXPECT_THAT(error_of(""), HasSubstr("DIR"));
}

// --- charts of characters ---

std::string without_colors(const std::string& text) {
  return std::regex_replace(text, std::regex("\x1b\\[[0-9;]*m"), "");
}

TEST(TerminalChart, HasTheSizeThatIsAskedFor) {
  TerminalSeries falling{"loss", {}, {}}, rising{"accuracy", {}, {}};
  for (int i = 0; i < 100; ++i) {
    falling.x.push_back(i);
    falling.y.push_back(1.0 / (1 + i));
    rising.x.push_back(i);
    rising.y.push_back(i == 50 ? std::nan("") : i * 0.01);
  }
  for (const bool braille : {true, false}) {
    for (int columns = 24; columns < 130; columns += 7) {
      for (int rows = 4; rows < 30; rows += 5) {
        for (const Scale scale : {Scale::kLinear, Scale::kLog10}) {
          const auto lines = terminal_chart("", {falling, rising},
                                            {.columns = columns, .rows = rows, .braille = braille, .y_scale = scale});
          ASSERT_EQ(static_cast<int>(lines.size()), rows);
          for (const std::string& line : lines)
            EXPECT_LE(static_cast<int>(display_width(without_colors(line))), columns);
        }
      }
    }
  }
}

TEST(TerminalChart, DrawsALineFromCornerToCorner) {
  const auto lines =
      terminal_chart("", {{"y", {0, 1}, {0, 1}}}, {.columns = 30, .rows = 6, .braille = false, .color = false});
  EXPECT_THAT(lines, ElementsAre(HasSubstr("y 1"), Not(testing::EndsWith("|")), testing::_, testing::_, HasSubstr("|*"),
                                 HasSubstr("0")));
  EXPECT_EQ(lines[1].back(), '*');
  EXPECT_EQ(lines[4].find('*'), lines[4].find('|') + 1);
}

TEST(TerminalChart, GivesTheLastValuesWhereThereIsNoRoom) {
  const auto lines = terminal_chart("", {{"loss", {0, 1}, {3, 0.5}}}, {.columns = 20, .rows = 3});
  EXPECT_THAT(lines, ElementsAre("loss 0.5"));
  EXPECT_EQ(terminal_chart("", {{"loss", {}, {}}}, {.columns = 40, .rows = 8}).size(), 8U);
}

// --- gradus watch ---

TEST(Watch, ShowsFamiliesAsThereIsRoom) {
  const TempFolder folder;
  run_of(folder, "gan", 1);
  Metrics metrics(folder / "gan/metrics.jsonl");
  metrics.read();
  for (const int rows : {1, 5, 10, 24, 60}) {
    const auto lines = watch_screen(metrics, {.folder = "runs/gan"}, "running", 80, rows, false);
    EXPECT_LE(static_cast<int>(lines.size()), rows) << rows;
    EXPECT_EQ(lines[0], "runs/gan  running  step 60");
    for (const std::string& line : lines) EXPECT_LE(display_width(line), 80U);
  }
  const auto all = testing::PrintToString(watch_screen(metrics, {.folder = "x"}, "running", 80, 40, false));
  EXPECT_THAT(all, testing::AllOf(HasSubstr("d_loss"), HasSubstr("lr 0.001")));
  EXPECT_EQ(watch_line(metrics, {.folder = "x", .keys = {"*_loss"}}), "step 60  d_loss 0.01667  g_loss 60");
}

TEST(Watch, EndsWithTheRunAndIsPlainOnAPipe) {
  const TempFolder folder;
  const std::string run = run_of(folder, "gan", 1);
  const auto ended = run_gradus("watch " + run);
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_EQ(ended.out, "step 60  d_loss 0.01667  g_loss 60  lr 0.001\n");
  EXPECT_FALSE(is_in_use(run));
  EXPECT_EQ(run_gradus("watch " + folder / "nowhere").status, 2);
  EXPECT_EQ(run_gradus("watch " + run + "/metrics.jsonl").status, 2);
}

TEST(Watch, FollowsARunThatGoesOn) {
  const TempFolder folder;
  const std::string run = run_of(folder, "gan", 1);
  {
    const io::Fd lock(io::open_file(run, O_RDONLY | O_DIRECTORY));
    ASSERT_EQ(::flock(lock.get(), LOCK_EX), 0);
    if (!is_in_use(run)) GTEST_SKIP() << "/proc/locks does not show the lock";
  }
  // A run that holds the folder and, once somebody watches, writes a line.
  const std::string shown = folder / "shown";
  const auto result = test::run_shell(
      "exec 9<'" + run + "'; flock 9; (n=0; while [ ! -s '" + shown +
      "' ] && [ $n -lt 1200 ]; do sleep 0.05; n=$((n + 1)); done; echo '{\"step\":61,\"lr\":0.5}' >> '" + run +
      "/metrics.jsonl'; sleep 0.5) & exec 9<&-; '" + test::command_path() + "' watch --interval 0.1 '" + run + "' > '" +
      shown + "'; status=$?; wait; cat '" + shown + "'; exit $status");
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 2) << result.out;
  EXPECT_THAT(result.out, HasSubstr("step 61"));
}

}  // namespace
}  // namespace gradus::cli
