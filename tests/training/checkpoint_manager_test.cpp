// When checkpoints are saved, which stay, and what happens when saving fails.
#include <gmock/gmock.h>
#include <gradus/gradus.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <set>
#include <thread>

#include "support/file_limit.h"
#include "support/message.h"
#include "support/temp_folder.h"

namespace gradus::training {
namespace {

using test::file_bytes;
using test::FileLimit;
using test::message_of;
using test::put_file;
using test::TempFolder;
using testing::ElementsAre;
using testing::HasSubstr;

std::set<std::string> names(const std::string& folder) {
  std::set<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) found.insert(entry.path().filename());
  return found;
}

// A state of one tensor and a counter.
struct Training {
  Tensor weights = zeros({1000});
  std::int64_t step = 0;
  Checkpoint state;
  Training() {
    state.add("weights", weights);
    state.add("step", step);
  }
  void train() {
    weights.add_(1);
    ++step;
  }
};

TEST(CheckpointManager, SavesEveryNStepsAndKeepsTheLast) {
  const TempFolder folder;
  Training run;
  CheckpointManager manager(folder / "a/b", run.state, {.every_steps = 10, .keep = 2});
  std::vector<std::int64_t> saved;
  while (run.step < 45) {
    run.train();
    if (manager.step(run.step)) saved.push_back(run.step);
  }
  manager.wait();
  EXPECT_THAT(saved, ElementsAre(10, 20, 30, 40));
  EXPECT_THAT(names(folder / "a/b"), ElementsAre("checkpoint-00000030.pth", "checkpoint-00000040.pth"));
  const auto all = list_checkpoints(folder / "a/b");
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[1].step, 40);
  EXPECT_EQ(read_info(all[1].path).step, 40);

  Training other;
  CheckpointManager again(folder / "a/b", other.state, {.every_steps = 10});
  const auto loaded = again.load_latest();
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->step, 40);
  EXPECT_EQ(other.step, 40);
  EXPECT_EQ(other.weights[0].item(), 40);
  EXPECT_FALSE(again.step(41));
  EXPECT_TRUE(again.step(50));
}

TEST(CheckpointManager, SavesByTheClock) {
  const TempFolder folder;
  Training run;
  CheckpointManager manager(folder.path(), run.state, {.every_minutes = 0.05 / 60});
  EXPECT_FALSE(manager.step(1));
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  EXPECT_TRUE(manager.step(2));
  EXPECT_FALSE(manager.step(3));
  manager.wait();
  EXPECT_THAT(names(folder.path()), ElementsAre("checkpoint-00000002.pth"));
}

TEST(CheckpointManager, KeepsTheBest) {
  for (const std::string mode : {"min", "max"}) {
    const TempFolder folder;
    const double sign = mode == "min" ? 1 : -1;
    Training run;
    {
      CheckpointManager manager(folder.path(), run.state, {.keep = 1, .mode = mode});
      for (const double metric : {3.0, 1.0, 2.0, 5.0}) {
        run.train();
        EXPECT_EQ(manager.step(run.step, sign * metric), run.step <= 2);
      }
      EXPECT_FALSE(manager.step(5, std::nan("")));
      manager.save(6, sign * 4.0);
      manager.wait();
      EXPECT_EQ(manager.best_metric(), sign * 1.0);
    }
    EXPECT_THAT(names(folder.path()), ElementsAre("best.pth", "checkpoint-00000006.pth"));
    EXPECT_EQ(read_info(folder / "best.pth").metric, sign * 1.0);
    Training best;
    best.state.load(folder / "best.pth");
    EXPECT_EQ(best.weights[7].item(), 2);
    // A manager of another process knows it.
    CheckpointManager later(folder.path(), run.state, {.mode = mode});
    EXPECT_FALSE(later.step(7, sign * 1.5));
    EXPECT_TRUE(later.step(8, sign * 0.5));
    later.wait();
    EXPECT_EQ(read_info(folder / "best.pth").step, 8);
  }
}

TEST(CheckpointManager, WritesWhileTrainingGoesOn) {
  const TempFolder folder;
  Training run;
  std::atomic<bool> go{false}, started{false};
  CheckpointManager manager(folder.path(), run.state, {.every_steps = 1, .before_commit = [&] {
                                                         started = true;
                                                         while (!go) std::this_thread::yield();
                                                       }});
  run.train();
  EXPECT_TRUE(manager.step(1));
  while (!started) std::this_thread::yield();
  run.weights.add_(100);  // the writer has a copy
  go = true;
  manager.wait();
  Training loaded;
  loaded.state.load(folder / "checkpoint-00000001.pth");
  EXPECT_EQ(loaded.weights[0].item(), 1);
}

// What the parent was writing is not the child's: it neither waits for it for ever nor ends the process.
TEST(CheckpointManager, AForkedChildGoesOnWithoutTheParentsWrite) {
  const auto status_of = [](auto&& child) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::alarm(20);
      child();
      ::_exit(7);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    return status;
  };
  const TempFolder folder;
  Training run;
  std::atomic<bool> may_go_on = false;
  const auto hold = [&] {
    while (!may_go_on) std::this_thread::yield();
  };
  auto manager = std::make_unique<CheckpointManager>(folder / "run", run.state,
                                                     CheckpointManagerOptions{.every_steps = 1, .before_commit = hold});
  manager->step(1);
  const int waits = status_of([&] { manager->wait(); });
  const int destroys = status_of([&] { manager.reset(); });
  const int saves = status_of([&] {
    may_go_on = true;
    manager->save(5);
    manager->wait();
    manager.reset();
  });
  may_go_on = true;
  manager->wait();
  for (const int status : {waits, destroys, saves})
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << status;
  EXPECT_THAT(names(folder / "run"), ElementsAre("checkpoint-00000001.pth", "checkpoint-00000005.pth"));
}

TEST(CheckpointManager, AFullDiskIsAnErrorAndTrainingGoesOn) {
  for (const bool background : {true, false}) {
    const TempFolder folder;
    Training run;
    CheckpointManager manager(folder.path(), run.state, {.every_steps = 1, .background = background});
    run.train();
    manager.step(run.step, 5.0);
    manager.wait();
    const std::string first = file_bytes(folder / "checkpoint-00000001.pth");
    {
      const FileLimit limit(1000);
      run.train();
      const std::string error = message_of<IoError>([&] {
        manager.step(run.step, 4.0);
        while (true) manager.step(run.step);  // the error of the background comes with a later call
      });
      EXPECT_EQ(error, "write: cannot write " + (folder / "checkpoint-00000002.pth") + ": File too large");
    }
    EXPECT_THAT(names(folder.path()), ElementsAre("best.pth", "checkpoint-00000001.pth"));
    EXPECT_EQ(file_bytes(folder / "checkpoint-00000001.pth"), first);
    EXPECT_EQ(manager.best_metric(), 5.0);
    // With space again, saving works again.
    run.train();
    EXPECT_TRUE(manager.step(run.step, 4.5));
    manager.wait();
    EXPECT_EQ(manager.best_metric(), 4.5);
    Training loaded;
    CheckpointManager again(folder.path(), loaded.state);
    EXPECT_EQ(again.load_latest()->step, 3);
    EXPECT_EQ(loaded.weights[0].item(), 3);
  }
}

TEST(CheckpointManager, GoesBackToAWholeOneWhereTheLatestIsDamaged) {
  const TempFolder folder;
  Training run;
  {
    CheckpointManager manager(folder.path(), run.state, {.every_steps = 1});
    for (int i = 0; i < 3; ++i) {
      run.train();
      manager.step(run.step);
    }
    manager.wait();
  }
  put_file(folder / "checkpoint-00000003.pth", file_bytes(folder / "checkpoint-00000003.pth").substr(0, 1500));
  std::string bytes = file_bytes(folder / "checkpoint-00000002.pth");
  bytes[bytes.size() / 2] ^= 1;
  put_file(folder / "checkpoint-00000002.pth", bytes);
  Training other;
  CheckpointManager manager(folder.path(), other.state, {.keep = 3});
  const auto loaded = manager.load_latest();
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->step, 1);
  EXPECT_EQ(other.weights[0].item(), 1);
  ASSERT_EQ(loaded->damaged.size(), 2U);
  EXPECT_THAT(loaded->damaged[0], HasSubstr("checkpoint-00000003.pth: "));
  EXPECT_THAT(loaded->damaged[1], HasSubstr("checkpoint-00000002.pth: tensor parts.weights.state is damaged"));
  EXPECT_THAT(names(folder.path()), ElementsAre("checkpoint-00000001.pth", "checkpoint-00000002.pth.damaged",
                                                "checkpoint-00000003.pth.damaged"));
  EXPECT_EQ(manager.load_latest()->damaged.size(), 0U);

  put_file(folder / "checkpoint-00000001.pth", "x");
  EXPECT_THAT(message_of<IoError>([&] { manager.load_latest(); }), HasSubstr("no checkpoint is whole"));
  EXPECT_TRUE(names(folder.path()).count("checkpoint-00000001.pth"));
}

// Saves steps 1 to 3.
void save_three(const std::string& folder) {
  Training run;
  CheckpointManager manager(folder, run.state, {.every_steps = 1});
  for (int i = 0; i < 3; ++i) {
    run.train();
    manager.step(run.step);
  }
  manager.wait();
}

// Loading says `part` of the error, loads nothing, and leaves all files as they are.
void expect_not_taken_for_damage(const std::string& folder, const std::string& part) {
  const auto before = names(folder);
  Training other;
  CheckpointManager manager(folder, other.state);
  EXPECT_THAT(message_of<IoError>([&] { manager.load_latest(); }), HasSubstr(part));
  EXPECT_EQ(other.step, 0);
  EXPECT_EQ(names(folder), before);
}

TEST(CheckpointManager, WhatCannotBeReadIsNoDamage) {
  namespace fs = std::filesystem;
  const TempFolder folder;
  const std::string newest = folder / "checkpoint-00000003.pth";
  save_three(folder.path());
  fs::rename(newest, folder / "kept");
  fs::create_directory(newest);
  expect_not_taken_for_damage(folder.path(), newest + ": Is a directory");
  fs::remove(newest);
  fs::create_symlink("nowhere", newest);
  expect_not_taken_for_damage(folder.path(), newest + ": No such file");
  fs::remove(newest);
  // After a torn one, too, which keeps its name.
  fs::create_symlink("checkpoint-00000003.pth", newest);  // a link to itself
  put_file(folder / "checkpoint-00000004.pth", file_bytes(folder / "kept").substr(0, 1500));
  expect_not_taken_for_damage(folder.path(), newest + ": Too many levels");
  fs::remove(newest);
  fs::remove(folder / "checkpoint-00000004.pth");
  // A link to a whole one is as good as that.
  fs::create_symlink("kept", newest);
  Training other;
  EXPECT_EQ(CheckpointManager(folder.path(), other.state).load_latest()->step, 3);
}

TEST(CheckpointManager, AFileWithoutPermissionIsNoDamage) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may read everything";
  const TempFolder folder;
  save_three(folder.path());
  std::filesystem::permissions(folder / "checkpoint-00000003.pth", std::filesystem::perms::none);
  expect_not_taken_for_damage(folder.path(), "checkpoint-00000003.pth: Permission denied");
}

// What a run keeps takes more memory than its file, by whatever factor.
TEST(CheckpointManager, ALongHistoryComesBack) {
  const TempFolder folder;
  io::Value history = io::Value::list();
  for (int i = 0; i < 300'000; ++i) history.push_back(io::Value::list());
  Checkpoint state;
  state.add("history", history);
  CheckpointManager manager(folder.path(), state);
  manager.save(1);
  history = io::Value::list();
  EXPECT_EQ(manager.load_latest()->damaged.size(), 0U);
  EXPECT_EQ(history.size(), 300'000U);
  EXPECT_EQ(read_info(folder / "checkpoint-00000001.pth").step, 1);
}

TEST(CheckpointManager, ABestOneThatCannotBeReadIsNotReplaced) {
  const TempFolder folder;
  Training run;
  std::filesystem::create_directory(folder / "best.pth");
  EXPECT_THAT(message_of<IoError>([&] { CheckpointManager(folder.path(), run.state); }), HasSubstr("best.pth"));
  std::filesystem::remove(folder / "best.pth");
  put_file(folder / "best.pth", "torn");
  CheckpointManager manager(folder.path(), run.state);
  EXPECT_TRUE(manager.step(1, 2.0));
  manager.wait();
  EXPECT_EQ(read_info(folder / "best.pth").metric, 2.0);
}

// A folder with the name of a checkpoint is none of ours: it stays, and saving goes on.
TEST(CheckpointManager, LeavesFoldersAlone) {
  const TempFolder folder;
  std::filesystem::create_directories(folder / "checkpoint-00000001.pth/inner");
  Training run;
  CheckpointManager manager(folder.path(), run.state, {.keep = 1});
  manager.save(2);
  manager.save(3);
  manager.wait();
  EXPECT_THAT(names(folder.path()), ElementsAre("checkpoint-00000001.pth", "checkpoint-00000003.pth"));
}

TEST(CheckpointManager, OneThatDoesNotFitIsNoDamage) {
  const TempFolder folder;
  Training run;
  CheckpointManager(folder.path(), run.state).save(1);
  Checkpoint other;
  CheckpointManager manager(folder.path(), other);
  EXPECT_THAT(message_of<ValueError>([&] { manager.load_latest(); }), HasSubstr("unexpected: weights, step"));
  EXPECT_THAT(names(folder.path()), ElementsAre("checkpoint-00000001.pth"));
}

TEST(CheckpointManager, LeavesOtherFilesAndRemovesWhatAKilledProcessLeft) {
  const TempFolder folder;
  for (const char* name :
       {"notes.txt", "checkpoint-.pth", "checkpoint-12x.pth", "checkpoint--1.pth", ".gradus-1-2-3.tmp"})
    put_file(folder / name, "x");
  Training run;
  CheckpointManager manager(folder.path(), run.state, {.keep = 1});
  EXPECT_FALSE(manager.load_latest());
  manager.save(1);
  manager.save(2);
  manager.wait();
  EXPECT_THAT(names(folder.path()), ElementsAre("checkpoint--1.pth", "checkpoint-.pth", "checkpoint-00000002.pth",
                                                "checkpoint-12x.pth", "notes.txt"));
  EXPECT_TRUE(list_checkpoints(folder / "none").empty());
}

TEST(CheckpointManager, RefusesBadOptions) {
  const TempFolder folder;
  Checkpoint state;
  const auto error = [&](const CheckpointManagerOptions& options) {
    return message_of<ValueError>([&] { CheckpointManager(folder / "new", state, options); });
  };
  EXPECT_EQ(error({.every_steps = -1}), "CheckpointManager: every_steps must be at least 0, got -1");
  EXPECT_THAT(error({.every_minutes = std::nan("")}),
              HasSubstr("every_minutes must be finite and at least 0, got nan"));
  EXPECT_THAT(error({.keep = -2}), HasSubstr("keep must be at least 0, got -2"));
  EXPECT_THAT(error({.mode = "best"}), HasSubstr("mode must be min or max, got best"));
  EXPECT_FALSE(std::filesystem::exists(folder / "new"));
  put_file(folder / "file", "x");
  EXPECT_THAT(message_of<IoError>([&] { CheckpointManager(folder / "file", state); }), HasSubstr("file"));
  CheckpointManager manager(folder.path(), state);
  EXPECT_THAT(message_of<ValueError>([&] { manager.save(-1); }), HasSubstr("step must be at least 0"));
}

}  // namespace
}  // namespace gradus::training
