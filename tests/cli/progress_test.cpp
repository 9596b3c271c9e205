#include "cli/run/progress.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "io/file/posix.h"
#include "support/temp_folder.h"

namespace gradus::cli {
namespace {

using io::Fd;
using test::file_bytes;
using test::TempFolder;
using testing::HasSubstr;

const ProgressState kState{"joint", 7000, 20000, 2.0, 0.02134, ""};

TEST(FormatProgress, ShowsBarRateLossAndTimeLeft) {
  EXPECT_EQ(format_progress(kState, 120),
            "joint  [##########--------------------]  7000/20000  3500 steps/s  loss 0.02134  0:04 left");
  ProgressState done = kState;
  done.step = 20000;
  done.extra = "loss_d 1.2";
  EXPECT_EQ(format_progress(done, 120),
            "joint  [##############################]  20000/20000  10000 steps/s  loss 0.02134  0:00 left  loss_d 1.2");
}

TEST(FormatProgress, FitsAnyWidth) {
  ProgressState state = kState;
  state.extra = "extra";
  EXPECT_EQ(format_progress(state, 80),
            "joint  [####--------]  7000/20000  3500 steps/s  loss 0.02134  0:04 left  extra");
  for (int columns = 0; columns < 200; ++columns) {
    const std::string line = format_progress(state, columns);
    EXPECT_LT(static_cast<int>(line.size()), std::max(columns, 1));
    EXPECT_EQ(line.find('[') != line.npos, columns >= 76) << columns;
    EXPECT_EQ(line.find("extra") != line.npos, columns >= 64) << columns;
    EXPECT_EQ(line.find("0:04 left") != line.npos, columns >= 57) << columns;
  }
}

TEST(FormatProgress, SaysNothingThatItDoesNotKnow) {
  EXPECT_EQ(format_progress({"a", 0, 10, 0, 0.5, ""}, 52), "a  [--------]  0/10  - steps/s  loss 0.5  -:-- left");
  EXPECT_EQ(format_progress({"a", 30, 0, 10, 0.5, ""}, 80), "a  30  3 steps/s  loss 0.5");
  EXPECT_EQ(format_progress_plain({"a", 30, 0, 10, 0.5, ""}), "a  30  3 steps/s  loss 0.5");
  EXPECT_THAT(format_progress({"a", 1, 2, 1, std::nan(""), ""}, 80), HasSubstr("loss nan"));
}

TEST(FormatProgress, GivesRatesAndTimesInFitForm) {
  const auto plain = [](int64_t step, int64_t total, double seconds) {
    return format_progress_plain({"", step, total, seconds, 1, ""});
  };
  EXPECT_EQ(plain(1, 2, 30), "1/2  50%  0.0333 steps/s  loss 1  0:30 left");
  EXPECT_EQ(plain(10, 11, 6.5), "10/11  90%  1.54 steps/s  loss 1  0:01 left");
  EXPECT_EQ(plain(99, 9999, 1), "99/9999  0%  99 steps/s  loss 1  1:40 left");
  EXPECT_EQ(plain(1, 3724, 1), "1/3724  0%  1 steps/s  loss 1  1:02:03 left");
  EXPECT_EQ(plain(9999, 10000, 10), "9999/10000  99%  1000 steps/s  loss 1  0:01 left");
  EXPECT_EQ(plain(3, 2, 1), "3/2  100%  3 steps/s  loss 1  0:00 left");
}

TEST(FormatProgress, ShowsTheLearningRateWhereThereIsRoom) {
  ProgressState state = kState;
  state.lr = 0.0005;
  EXPECT_EQ(format_progress_plain(state), "joint  7000/20000  35%  3500 steps/s  loss 0.02134  lr 0.0005  0:04 left");
  EXPECT_EQ(format_progress(state, 80),
            "joint  [##------]  7000/20000  3500 steps/s  loss 0.02134  lr 0.0005  0:04 left");
  EXPECT_EQ(format_progress(state, 60), "joint  7000/20000  3500 steps/s  loss 0.02134  0:04 left");
}

TEST(FormatProgress, EndsWithTheTimeTaken) {
  ProgressState state = kState;
  state.extra = "more";
  EXPECT_EQ(format_progress_end(state), "joint  7000/20000  3500 steps/s  loss 0.02134  in 2.0 s  more");
}

double fake_time = 0;
double fake_now() { return fake_time; }

TEST(Progress, PrintsPlainLinesWhereThereIsNoTerminal) {
  const TempFolder folder;
  const Fd file(io::open_file(folder / "log", O_WRONLY | O_CREAT));
  fake_time = 100;
  {
    Progress progress("train", 400, {file.get(), 5.0, fake_now});
    for (int64_t step = 1; step <= 400; ++step) {
      fake_time = 100 + 0.03125 * static_cast<double>(step);
      progress.update(step, 0.25, "x");
    }
    progress.finish();
    progress.finish();
    fake_time += 100;
    progress.update(400, 0.25);
  }
  EXPECT_EQ(file_bytes(folder / "log"),
            "train  160/400  40%  32 steps/s  loss 0.25  0:08 left  x\n"
            "train  320/400  80%  32 steps/s  loss 0.25  0:03 left  x\n"
            "train  400/400  32 steps/s  loss 0.25  in 12.5 s  x\n");
}

// False in a container without /dev/pts.
bool terminals_exist() {
  const Fd screen(::posix_openpt(O_RDWR | O_NOCTTY));
  char name[128];
  return screen.get() >= 0 && ::unlockpt(screen.get()) == 0 && ::ptsname_r(screen.get(), name, sizeof name) == 0 &&
         ::access(name, R_OK | W_OK) == 0;
}

// A terminal that nobody looks at.
struct Terminal {
  Fd screen;
  Fd line;
  explicit Terminal(unsigned short columns) {
    screen.reset(::posix_openpt(O_RDWR | O_NOCTTY));
    if (::grantpt(screen.get()) != 0 || ::unlockpt(screen.get()) != 0) throw std::runtime_error("no terminal");
    char name[128];
    if (::ptsname_r(screen.get(), name, sizeof name) != 0) throw std::runtime_error("no terminal");
    line.reset(io::open_file(name, O_RDWR | O_NOCTTY));
    winsize size{};
    size.ws_row = 24;
    size.ws_col = columns;
    ::ioctl(line.get(), TIOCSWINSZ, &size);
  }
  // What has been written. The system passes it on in its own time: a mark at the end tells when all has come.
  std::string shown() {
    constexpr char mark = '\x1f';
    if (::write(line.get(), &mark, 1) != 1) throw std::runtime_error("cannot write to the terminal");
    std::string text;
    for (char byte = 0; ::read(screen.get(), &byte, 1) == 1 && byte != mark;) text += byte;
    return text;
  }
};

TEST(Progress, RedrawsALineInPlaceOnATerminal) {
  if (!terminals_exist()) GTEST_SKIP() << "no pseudo-terminals here";
  Terminal terminal(70);
  fake_time = 0;
  Progress progress("t", 2048, {terminal.line.get(), 5.0, fake_now});
  for (int64_t step = 1; step <= 1024; ++step) {
    fake_time = static_cast<double>(step) / 1024;
    progress.update(step, 0.5, step < 1000 ? "extra" : "");
  }
  const std::string drawn = terminal.shown();
  EXPECT_EQ(std::count(drawn.begin(), drawn.end(), '\n'), 0);
  const auto redraws = std::count(drawn.begin(), drawn.end(), '\r');
  EXPECT_GE(redraws, 9);
  EXPECT_LE(redraws, 11);  // one at the start, then ten in a second
  for (std::size_t at = 0; at < drawn.size();) {
    const std::size_t next = std::min(drawn.find('\r', at + 1), drawn.size());
    EXPECT_LE(next - at, 70U);
    at = next;
  }
  progress.finish();
  EXPECT_EQ(terminal.shown().substr(0, 47), "\rt  1024/2048  1024 steps/s  loss 0.5  in 1.0 s");
}

TEST(Progress, CoversALongerLineAndEndsAnOpenOne) {
  if (!terminals_exist()) GTEST_SKIP() << "no pseudo-terminals here";
  Terminal terminal(80);
  fake_time = 0;
  {
    Progress progress("t", 0, {terminal.line.get(), 5.0, fake_now});
    fake_time = 1;
    progress.update(1, 0.5, "long extra");
    fake_time = 2;
    progress.update(2, 0.5, "s");
    EXPECT_EQ(terminal.shown(), "\rt  1  1 steps/s  loss 0.5  long extra\rt  2  1 steps/s  loss 0.5  s         ");
  }
  EXPECT_EQ(terminal.shown(), "\r\n");
}

TEST(Progress, OutlivesALostOutput) {
  Progress progress("t", 10, {-1, 0.0, nullptr});
  progress.update(5, 0.5);
  progress.finish();
}

}  // namespace
}  // namespace gradus::cli
