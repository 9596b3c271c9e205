// Saving under every fault there is: each call to the system fails, is cut short, or is the last one; the power goes
// after each, and the disk keeps what was synced. Afterwards there is always a whole old or a whole new checkpoint.
#include <gmock/gmock.h>
#include <gradus/gradus.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <iostream>

#include "crash/calls.h"
#include "crash/disk.h"
#include "support/message.h"
#include "support/temp_folder.h"

namespace gradus::training {
namespace {

using test::Call;
using test::CallScope;
using test::Contents;
using test::Fault;
using test::TempFolder;

// A run whose every number is that of its step. Large enough for several sectors, small enough for many cases.
struct Training {
  Tensor weights = zeros({700}), bias = zeros({3}, {.dtype = kFloat64});
  std::int64_t step = 0;
  Checkpoint state;
  explicit Training(std::int64_t s = 0) {
    state.add("weights", weights);
    state.add("bias", bias);
    state.add("step", step);
    go_to(s);
  }
  void go_to(std::int64_t s) {
    step = s;
    weights.fill_(static_cast<double>(s));
    bias.fill_(static_cast<double>(s));
  }
  // Whether it is the state of some step, whole.
  bool whole() const {
    const auto is_step = [this](double x) { return x == static_cast<double>(step); };
    const auto w = weights.to_vector<float>();
    const auto b = bias.to_vector<double>();
    return w.size() == 700 && b.size() == 3 && std::all_of(w.begin(), w.end(), is_step) &&
           std::all_of(b.begin(), b.end(), is_step);
  }
};

// The step of the checkpoint in a file, or what is wrong.
testing::AssertionResult file_holds(const std::string& path, std::initializer_list<std::int64_t> allowed) {
  Training run(-1);
  try {
    run.state.load(path);
  } catch (const Error& e) {
    return testing::AssertionFailure() << "lost: " << e.what();
  }
  if (!run.whole()) return testing::AssertionFailure() << "torn";
  if (std::find(allowed.begin(), allowed.end(), run.step) == allowed.end())
    return testing::AssertionFailure() << "the checkpoint of step " << run.step;
  return testing::AssertionSuccess();
}

// The latest of a folder must be at least that of `least`.
testing::AssertionResult folder_holds(const std::string& folder, std::int64_t least) {
  Training run(-1);
  try {
    CheckpointManager manager(folder, run.state);
    const auto loaded = manager.load_latest();
    if (!loaded) return least == 0 ? testing::AssertionSuccess() : testing::AssertionFailure() << "lost: no checkpoint";
    // A file that has its place is whole: to fall back on an older one is for disks that fail.
    if (!loaded->damaged.empty()) return testing::AssertionFailure() << "damaged: " << loaded->damaged.front();
  } catch (const Error& e) {
    return testing::AssertionFailure() << "lost: " << e.what();
  }
  if (!run.whole()) return testing::AssertionFailure() << "torn";
  if (run.step < least) return testing::AssertionFailure() << "went back from " << least << " to " << run.step;
  const std::string best = folder + "/best.pth";
  if (least > 0 && std::filesystem::exists(best)) return file_holds(best, {1, 2, 3, 4, 5, 6});
  return testing::AssertionSuccess();
}

// A run of five saves with a metric; the best is that of step 3, and two stay.
void five_saves(const std::string& folder, bool background = true) {
  Training run;
  CheckpointManager manager(folder, run.state, {.keep = 2, .background = background});
  for (const auto& [step, metric] : {std::pair(1, 5.0), {2, 4.0}, {3, 1.0}, {4, 2.0}, {5, 3.0}}) {
    run.go_to(step);
    manager.save(step, metric);
    manager.wait();
    CallScope::note(step);
  }
}

std::vector<Call> recorded(const std::string& folder, const std::function<void()>& act) {
  const CallScope scope(folder);
  act();
  return scope.calls();
}

void report(const std::string& what, std::size_t calls, std::size_t cases, std::size_t lost) {
  std::cout << "crash test, " << what << ": " << calls << " calls, " << cases << " cases, " << lost << " lost\n";
}

TEST(Crash, TheCallsOfASaveAreSeen) {
  const TempFolder folder;
  Training old(1), run(2);
  old.state.save(folder / "run.pth");
  const auto calls = recorded(folder.path(), [&] { run.state.save(folder / "run.pth"); });
  std::vector<Call::Kind> kinds;
  for (const Call& call : calls)
    if (call.kind != Call::Kind::Write || kinds.back() != Call::Kind::Write) kinds.push_back(call.kind);
  using K = Call::Kind;
  EXPECT_THAT(kinds, testing::ElementsAre(K::Open, K::Create, K::Chmod, K::Write, K::Sync, K::Close, K::Rename,
                                          K::SyncFolder, K::Close));
  // What was written is the file.
  std::string bytes;
  for (const Call& call : calls)
    if (call.kind == K::Write) bytes += call.bytes;
  EXPECT_EQ(bytes, test::file_bytes(folder / "run.pth"));
}

TEST(Crash, EveryCallFails) {
  const TempFolder folder;
  const std::string path = folder / "run.pth";
  const auto reset = [&] {
    test::write_folder(folder.path(), {});
    Training(1).state.save(path);
  };
  reset();
  const auto calls = recorded(folder.path(), [&] { Training(2).state.save(path); });
  const std::size_t count = calls.size();
  struct Case {
    Fault fault;
    int error;
  };
  std::size_t cases = 0;
  for (std::size_t at = 0; at < count; ++at) {
    for (const auto& [fault, error] : {Case{Fault::Fail, EIO},
                                       {Fault::Fail, ENOSPC},
                                       {Fault::Fail, EINTR},
                                       {Fault::Fail, EDQUOT},
                                       {Fault::Short, 0},
                                       {Fault::FailFromHere, ENOSPC}}) {
      reset();
      std::string message;
      bool met = false;
      {
        const CallScope scope(folder.path(), at, fault, error);
        message = test::message_of<IoError>([&] { Training(2).state.save(path); });
        met = scope.met();
      }
      if (!met) continue;
      ++cases;
      const std::string place = "call " + std::to_string(at) + ", error " + std::to_string(error) + ": " + message;
      if (message == "no exception") {
        EXPECT_TRUE(file_holds(path, {2})) << place;
      } else {
        EXPECT_THAT(message, testing::HasSubstr("run.pth")) << place;
        EXPECT_TRUE(file_holds(path, {1, 2})) << place;
        // Short writes are no errors, and neither are interruptions where the system has them.
        const Call::Kind kind = calls[at].kind;
        const bool waits = kind != Call::Kind::Rename && kind != Call::Kind::Chmod;
        EXPECT_TRUE(fault != Fault::Short && !(error == EINTR && waits)) << place;
      }
      // Nothing is left behind where the process lives; and the next save works.
      EXPECT_EQ(folder.entries(), 1U) << place;
      Training(3).state.save(path);
      EXPECT_TRUE(file_holds(path, {3})) << place;
    }
  }
  EXPECT_GT(cases, 5 * count / 2);
  report("failing calls", count, cases, 0);
}

TEST(Crash, KilledAtEveryCall) {
  const TempFolder folder;
  const std::string path = folder / "run.pth";
  Training(1).state.save(path);
  const std::size_t count = recorded(folder.path(), [&] { Training(2).state.save(path); }).size();
  std::size_t cases = 0;
  for (std::size_t at = 0; at < count; ++at) {
    for (const Fault fault : {Fault::KillBefore, Fault::KillHalfway, Fault::KillAfter}) {
      test::write_folder(folder.path(), {});
      Training(1).state.save(path);
      const pid_t child = ::fork();
      ASSERT_GE(child, 0);
      if (child == 0) {
        const CallScope scope(folder.path(), at, fault);
        Training(2).state.save(path);
        ::_exit(0);
      }
      int status = 0;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << at;
      ++cases;
      EXPECT_TRUE(file_holds(path, {1, 2})) << "killed at call " << at;
      Training(3).state.save(path);
      EXPECT_TRUE(file_holds(path, {3})) << "killed at call " << at;
    }
  }
  report("killed", count, cases, 0);
}

// Cuts the power after each call, and counts what is lost.
struct Losses {
  std::size_t cases = 0, lost = 0;
  std::string first;
};
Losses cut_power(const Contents& before, const std::vector<Call>& calls, const test::DiskRules& rules,
                 const std::function<testing::AssertionResult(const std::string&, std::int64_t)>& holds,
                 bool to_the_end = true) {
  const TempFolder disk;
  Losses losses;
  std::int64_t least = 0;
  for (std::size_t count = 0; count <= calls.size(); ++count) {
    // What a save that returned has promised.
    if (count > 0 && calls[count - 1].kind == Call::Kind::Note) least = calls[count - 1].note;
    for (const Contents& contents : test::states_after(before, calls, count, rules)) {
      test::write_folder(disk / "d", contents);
      const testing::AssertionResult result = holds(disk / "d", least);
      ++losses.cases;
      if (result) continue;
      if (losses.lost++ == 0) losses.first = "after call " + std::to_string(count) + ": " + result.message();
      if (!to_the_end) return losses;
    }
  }
  return losses;
}

TEST(Crash, ThePowerGoesAtAnyMomentOfASave) {
  const TempFolder folder;
  const std::string path = folder / "run.pth";
  Training(1).state.save(path);
  const Contents before = test::read_folder(folder.path());
  const auto calls = recorded(folder.path(), [&] {
    Training(2).state.save(path);
    CallScope::note(2);
  });
  const auto holds = [](const std::string& disk, std::int64_t least) {
    return least == 2 ? file_holds(disk + "/run.pth", {2}) : file_holds(disk + "/run.pth", {1, 2});
  };
  const Losses losses = cut_power(before, calls, {}, holds);
  EXPECT_EQ(losses.lost, 0U) << losses.first;
  EXPECT_GT(losses.cases, 100U);
  report("power cut in one save", calls.size() - 1, losses.cases, losses.lost);
  // The test can tell: without one of the two syncs something is lost.
  EXPECT_GT(cut_power(before, calls, {.files_sync = false}, holds, false).lost, 0U);
  EXPECT_GT(cut_power(before, calls, {.folders_sync = false}, holds, false).lost, 0U);
}

TEST(Crash, ThePowerGoesAtAnyMomentOfARun) {
  const TempFolder folder;
  const auto calls = recorded(folder.path(), [&] { five_saves(folder.path()); });
  EXPECT_TRUE(folder_holds(folder.path(), 5));
  EXPECT_TRUE(file_holds(folder / "best.pth", {3}));
  const Losses losses = cut_power({}, calls, {}, folder_holds);
  EXPECT_EQ(losses.lost, 0U) << losses.first;
  EXPECT_GT(losses.cases, 300U);
  report("power cut in a run of five saves", calls.size() - 5, losses.cases, losses.lost);
  EXPECT_GT(cut_power({}, calls, {.files_sync = false}, folder_holds, false).lost, 0U);
  EXPECT_GT(cut_power({}, calls, {.folders_sync = false}, folder_holds, false).lost, 0U);
}

TEST(Crash, EveryCallOfARunFailsOrKills) {
  const TempFolder folder;
  const std::string run = folder / "run";
  std::filesystem::create_directories(run);
  const std::size_t count = recorded(run, [&] { five_saves(run); }).size();
  std::size_t cases = 0;
  // The three faults in turn: each meets a third of the calls.
  for (std::size_t at = 0; at < count; ++at) {
    const Fault fault = std::array{Fault::Fail, Fault::FailFromHere, Fault::KillAfter}[at % 3];
    test::write_folder(run, {});
    // A child makes the five saves, and goes on where one fails.
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      const CallScope scope(run, at, fault, ENOSPC);
      Training state;
      CheckpointManager manager(run, state.state, {.keep = 2});
      std::int64_t saved = 0;
      for (std::int64_t step = 1; step <= 5; ++step) {
        state.go_to(step);
        try {
          manager.save(step, 10.0 - static_cast<double>(step));
          manager.wait();
          saved = step;
        } catch (const IoError&) {
        }
        if (::write(pipe[1], &saved, sizeof saved) != sizeof saved) ::_exit(1);
      }
      ::_exit(0);
    }
    ::close(pipe[1]);
    std::int64_t saved = 0;
    while (::read(pipe[0], &saved, sizeof saved) == sizeof saved) {
    }
    ::close(pipe[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ++cases;
    EXPECT_TRUE(folder_holds(run, saved)) << "call " << at;
  }
  report("failing or killed in a run of five saves", count, cases, 0);
}

}  // namespace
}  // namespace gradus::training
