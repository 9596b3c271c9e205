// Several processes at once. What each one does is in tests/workers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <regex>
#include <set>
#include <utility>

#include "distributed/launch.h"

namespace gradus::test {
namespace {

int count(const std::string& text, const std::string& part) {
  int n = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

std::string last_line(const std::string& text) {
  const auto end = text.rfind('\n', text.size() - 2);
  return end == std::string::npos ? text : text.substr(end + 1);
}

TEST(Processes, CollectivesHaveTheValuesOfTheFixedTree) {
  for (const std::string& backend : backends()) {
    for (const int ranks : {2, 3, 5}) {
      const CommandResult result = launch(backend, ranks, "collectives");
      EXPECT_EQ(result.status, 0) << backend << ranks << result.err;
      EXPECT_EQ(count(result.out, "collectives of " + std::to_string(ranks) + " with " + backend + ": ok"), ranks)
          << result.out;
    }
  }
}

TEST(Processes, DataParallelTrainingFollowsOneProcess) {
  for (const std::string& backend : backends()) {
    for (const int ranks : {2, 3}) {
      const CommandResult result = launch(backend, ranks, "parallel");
      EXPECT_EQ(result.status, 0) << backend << ranks << result.err;
      EXPECT_EQ(count(result.out, "parallel of " + std::to_string(ranks) + " with " + backend + ": ok"), ranks)
          << result.out;
    }
  }
}

TEST(Processes, GradientsThatOneRankKeepsHaveTheBitsOfWholeOnes) {
  for (const std::string& backend : backends()) {
    for (const int ranks : {1, 2, 3}) {
      const CommandResult result = launch(backend, ranks, "gradients");
      EXPECT_EQ(result.status, 0) << backend << ranks << result.err;
      EXPECT_EQ(count(result.out, "gradients of " + std::to_string(ranks) + " with "), ranks) << result.out;
    }
  }
}

// A hundred steps, for any number of processes and by whatever connects them.
TEST(Processes, ChunksGiveTheSameBitsForAnyNumberOfProcesses) {
  for (const std::string task : {"pictures 100 8 24", "messages 100 8 64"}) {
    const CommandResult alone = run_shell("'" + worker_path() + "' train chunks " + task);
    ASSERT_EQ(alone.status, 0) << alone.err;
    ASSERT_TRUE(std::regex_search(alone.out, std::regex("^[0-9a-f]{16} loss [0-9.]+ sum [0-9.]+\n$"))) << alone.out;
    for (const std::string& backend : backends()) {
      // All of 1, 2, 3, 4, 8 once; what differs between backends is the transport alone.
      const std::vector<int> sizes = backend == "openmpi" ? std::vector{2, 3, 4, 8} : std::vector{2, 8};
      for (const int ranks : sizes) {
        const CommandResult result = launch(backend, ranks, "train chunks " + task);
        EXPECT_EQ(result.out, alone.out) << backend << ranks << result.err;
      }
    }
  }
}

TEST(Processes, PlainAveragingIsOneProcessUpToRounding) {
  const CommandResult alone = run_shell("'" + worker_path() + "' train plain pictures 20 0 24");
  ASSERT_EQ(alone.status, 0) << alone.err;
  const auto sum_of = [](const std::string& line) { return std::stod(line.substr(line.find("sum ") + 4)); };
  for (const std::string& backend : backends()) {
    const CommandResult result = launch(backend, 3, "train plain pictures 20 0 24");
    ASSERT_EQ(result.status, 0) << backend << result.err;
    EXPECT_NEAR(sum_of(result.out), sum_of(alone.out), 1e-5 * sum_of(alone.out));
  }
}

// Written once, by rank 0, and read by any number.
TEST(Processes, CheckpointsGoOnWithAnotherNumberOfProcesses) {
  const TempFolder whole;
  const CommandResult alone = run_shell("'" + worker_path() + "' resume '" + whole.path() + "' 6");
  ASSERT_EQ(alone.status, 0) << alone.err;
  for (const std::string& backend : backends()) {
    const TempFolder folder;
    for (const auto& [ranks, steps] : {std::pair(4, 2), std::pair(3, 4), std::pair(8, 6)}) {
      const CommandResult result = launch(backend, ranks, "resume '" + folder.path() + "' " + std::to_string(steps));
      ASSERT_EQ(result.status, 0) << backend << ranks << result.err;
      if (steps == 6) {
        EXPECT_EQ(last_line(result.out), last_line(alone.out)) << backend;
      }
    }
    EXPECT_EQ(folder.entries(), 3U);
  }
}

// Killed with four processes and again with three, in whatever phase: eight end where one that was left alone ends.
TEST(Processes, AKilledRunGoesOnWithAnotherNumberOfProcesses) {
  const TempFolder whole;
  const CommandResult alone = run_shell("'" + worker_path() + "' resume '" + whole.path() + "' 8");
  ASSERT_EQ(alone.status, 0) << alone.err;
  for (const std::string& backend : backends()) {
    for (const std::string phase : {"pass", "between", "saving"}) {
      if (backend != "gloo" && phase != "saving") continue;
      const std::string where = backend + " " + phase;
      const TempFolder folder;
      const std::string resume = "resume '" + folder.path() + "' 8 ";
      const CommandResult four = launch(backend, 4, resume + phase + " 4");
      const CommandResult three = launch(backend, 3, resume + phase + " 6");
      const CommandResult eight = launch(backend, 8, resume);
      EXPECT_NE(four.status, 0) << where;
      EXPECT_NE(three.status, 0) << where;
      EXPECT_EQ(eight.status, 0) << where << eight.err;
      EXPECT_THAT(three.out, testing::StartsWith("from step 2\n")) << where << three.err;  // MPI's launchers say more
      EXPECT_EQ(eight.out, "from step 4\n" + last_line(alone.out)) << where;
      if (backend == "gloo") {
        EXPECT_EQ(count(four.err, " is gone ("), 3) << where << four.err;
      }
    }
  }
}

// What the ranks other than 1 say, which does what `fault` is, and what rank 1 says; and within which time all are
// gone.
struct Fault {
  const char* what;
  const char* message;
  const char* own = "";  // the same
};

// By rank.
std::map<int, std::string> said_by_ranks(const std::string& text) {
  std::map<int, std::string> said;
  const std::regex line("rank ([0-9]+) says: ([^\n]*)\n");
  for (std::sregex_iterator it(text.begin(), text.end(), line), end; it != end; ++it)
    said[std::stoi((*it)[1])] = (*it)[2];
  return said;
}

void expect_ends(const std::string& backend, const Fault& fault) {
  const auto begin = std::chrono::steady_clock::now();
  const CommandResult result = launch(backend, 3, std::string("fault ") + fault.what);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const std::string where = backend + " " + fault.what + ":\n" + result.err;
  // MPICH's launcher (4.2.1) sometimes answers 0 although every rank has left with an error.
  if (backend != "mpich") {
    EXPECT_NE(result.status, 0) << where;
  }
  EXPECT_LT(seconds, 40) << where;  // the deadline is 4 s
  const auto said = said_by_ranks(result.err);
  // Whoever speaks says what it is.
  for (const auto& [rank, text] : said) {
    const std::string expected = rank == 1 && *fault.own != '\0' ? fault.own : fault.message;
    EXPECT_TRUE(std::regex_search(text, std::regex(expected))) << "rank " << rank << ", " << where;
  }
  // An MPI's launcher may end ranks before they have spoken, once one has left with an error: then that one has.
  if (backend == "gloo") {
    EXPECT_TRUE(said.contains(0) && said.contains(2)) << where;
  } else {
    EXPECT_FALSE(said.empty()) << where;
  }
}

TEST(Processes, WhatDiffersBetweenRanksIsAMessageOnEachOfThem) {
  const Fault faults[] = {
      {"size", R"(.*ranks 0 and 2: all_reduce \(sum\) of float32 \[3\]; rank 1: all_reduce \(sum\) of float32 \[4\])"},
      {"network",
       R"(.*networks differ: rank 1 has 'b.weight' float32 \[63, 64\] where rank 0 has 'b.weight' float32 )"},
      {"chunks", R"(.*networks differ: rank 1 has 8 chunks.* where rank 0 has 4 chunks)"},
      {"seed", R"(.*ranks 0 and 2: backward pass 1 of Net.* random numbers from 1:.*; rank 1: .* from 2:)"},
      {"freeze", R"(backward pass 3 of Net: rank 1 froze 'a.weight' and 1 more, and ranks 0 and 2 did not)"},
      {"other",
       R"(backward pass 3 of Net: rank 1 computed no gradient of 'b.weight' and 1 more, and ranks 0 and 2 did)"},
      {"barrier", R"(.*ranks 0 and 2: backward pass 3 of Net; rank 1: barrier)"},
      {"skip",
       R"(.*rank 1: the end of the program.*ranks 0 and 2: backward pass 4|.*ranks 0 and 2: backward pass 4 of Net; rank 1: the end of the program|.*ranks 0 and 2: the end of the program; rank 1: backward)"},
      {"exit", R"(.*ranks 0 and 2: backward pass 3 of Net; rank 1: the end of the program)"},
      {"throw", R"(.*ranks 0 and 2: backward pass 3 of Net; rank 1: the end of the program)", "^the disk is full$"},
      {"abort", R"(distributed: rank 1 gave up: the disk is full)", "^the disk is full$"},
      {"backward", R"(distributed: rank 1 gave up: broken: no derivative today)", "^broken: no derivative today$"},
      {"shard",
       R"(.*ranks 0 and 2: backward pass 1 of Net; rank 1: backward pass 1 of Net, single ranks keep 4 of 4 gradients)"},
      {"aside", R"(backward pass 3 of Net: no_sync after a pass whose gradients are kept by single ranks)"},
      {"unsent", R"(backward_chunks: the gradient of '.*' has what no_sync added on rank . alone)"},
      {"stop", R"(backward pass 3 of Net: rank 1 did not come within 4 s)"},
  };
  for (const std::string& backend : backends()) {
    for (const Fault& fault : faults) expect_ends(backend, fault);
  }
}

// An MPI's launcher ends the others itself, and says so in its own words.
TEST(Processes, AKilledRankEndsTheOthers) {
  for (const std::string& backend : backends()) {
    for (const char* how : {"kill", "_exit"}) {
      const auto begin = std::chrono::steady_clock::now();
      const CommandResult result = launch(backend, 3, std::string("fault ") + how);
      EXPECT_NE(result.status, 0);
      EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(), 40);
      if (backend == "gloo") {
        EXPECT_EQ(count(result.err, "says: distributed: rank 1 is gone"), 2) << result.err;
      }
    }
  }
}

// Gloo's own writes raise it; a process that died of it could not say who is gone.
TEST(Processes, AClosedConnectionIsNoSignal) {
  for (const std::string& backend : backends()) {
    if (backend != "gloo") continue;
    const CommandResult result = launch(backend, 2, "fault pipe");
    EXPECT_EQ(result.status, 0) << result.err;
  }
}

TEST(Processes, AWrongEnvironmentIsOneLineThatSaysWhatToSet) {
  const auto said = [](const std::string& environment) {
    const CommandResult result = run_shell(environment + " '" + worker_path() + "' collectives");
    EXPECT_EQ(result.status, 2) << result.out;
    EXPECT_EQ(count(result.err, "\n"), 1) << result.err;
    return result.err;
  };
  EXPECT_THAT(said("RANK=0 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1"), testing::HasSubstr("but not MASTER_PORT: set it"));
  EXPECT_THAT(said("RANK=2 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=5"),
              testing::HasSubstr("RANK must be a number from 0 to 1, got '2'"));
  for (const std::string& backend : backends()) {
    if (backend != "gloo") continue;
    EXPECT_THAT(said("GRADUS_TEST_TIMEOUT=2 RANK=1 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=" +
                     std::to_string(free_port())),
                testing::HasSubstr("(Connection refused): set MASTER_ADDR and MASTER_PORT to where rank 0 runs"));
    EXPECT_THAT(said("GRADUS_TEST_TIMEOUT=2 RANK=1 WORLD_SIZE=2 MASTER_ADDR=no.such.machine. MASTER_PORT=5000"),
                testing::HasSubstr("MASTER_ADDR 'no.such.machine.' is not the name of a machine"));
    // More ranks than chunks.
    const CommandResult result = launch(backend, 3, "train chunks messages 1 2 8");
    EXPECT_EQ(count(result.err, "3 ranks need at least as many chunks, got 2: set chunks higher, or start fewer"), 3);
  }
}

TEST(Processes, AFolderServesInsteadOfAnAddress) {
  for (const std::string& backend : backends()) {
    if (backend != "gloo") continue;
    const TempFolder folder;
    const CommandResult result = launch(backend, 2, "collectives", "GRADUS_FILE_STORE='" + folder.path() + "'");
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_GT(folder.entries(), 0);
  }
}

// Gloo looks up the machine's name, and crashes if nobody knows it.
TEST(Processes, AMachineMayHaveANameThatNobodyKnows) {
  for (const std::string& backend : backends()) {
    if (backend != "gloo") continue;
    const TempFolder folder;
    const CommandResult result = launch(
        backend, 2, "collectives", "GRADUS_TEST_HOSTNAME=no.such.machine. GRADUS_FILE_STORE='" + folder.path() + "'");
    if (result.status == 77) GTEST_SKIP() << "only root may rename a machine";
    EXPECT_EQ(result.status, 0) << result.err;
  }
}

}  // namespace
}  // namespace gradus::test
