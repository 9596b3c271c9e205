// Threads in the surroundings of a program: forks, few processors, signals, OpenMP.
#include "core/threads/pool.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(_OPENMP) && !defined(__SANITIZE_THREAD__)
#include <omp.h>
#endif

#include "core/threads/cpu_count.h"
#include "core/threads/parallel.h"

namespace gradus {
namespace {

using core::parallel_for;

class Pool : public testing::Test {
 protected:
  Pool() { set_num_threads(2); }
  ~Pool() override { set_num_threads(before_); }

 private:
  int before_ = get_num_threads();
};

// Whether `count` pieces run, and two threads share them.
bool works(std::int64_t count = 2) {
  std::atomic<std::int64_t> done{0};
  parallel_for(count, 1, [&](std::int64_t begin, std::int64_t end) {
    done += end - begin;
    while (count == 2 && done < 2) std::this_thread::yield();
  });
  return done == count;
}

// A child of fork that computes. ThreadSanitizer ends those that start threads.
#if !defined(__SANITIZE_THREAD__)

// How the child that runs `body` ends: its exit status, or the negative of the signal.
template <class F>
int child(F&& body) {
  const pid_t pid = fork();
  if (pid == 0) {
    alarm(60);
    _exit(body() ? 0 : 1);
  }
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST_F(Pool, TheChildOfAForkHasThreadsOfItsOwn) {
  EXPECT_TRUE(works());
  EXPECT_EQ(child([] { return works() && works(1000); }), 0);
  EXPECT_EQ(child([] { return child([] { return works(); }) == 0 && works(); }), 0);
  EXPECT_TRUE(works());
}

TEST_F(Pool, TheChildWorksThoughAnotherThreadWasAtWork) {
  std::atomic<bool> stop{false};
  std::thread other([&] {
    while (!stop) works(100);
  });
  for (int i = 0; i < 20; ++i) EXPECT_EQ(child([] { return works() && works(100); }), 0);
  stop = true;
  other.join();
}

TEST_F(Pool, SignalsGoToTheProgramsOwnThreads) {
  EXPECT_EQ(child([] {
              if (!works()) return false;
              // Blocked here, only a helper could take it, and it would end the process.
              sigset_t usr1, waiting;
              sigemptyset(&usr1);
              sigaddset(&usr1, SIGUSR1);
              int taken = 0;
              return pthread_sigmask(SIG_BLOCK, &usr1, nullptr) == 0 && kill(getpid(), SIGUSR1) == 0 &&
                     sigpending(&waiting) == 0 && sigismember(&waiting, SIGUSR1) == 1 && sigwait(&usr1, &taken) == 0 &&
                     taken == SIGUSR1;
            }),
            0);
}

TEST_F(Pool, ADaemonWorks) {
  ASSERT_TRUE(works());
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_EQ(child([&] {
              if (!works() || daemon(1, 1) != 0) return false;
              alarm(60);
              const char answer = works() ? 'y' : 'n';
              return write(ends[1], &answer, 1) == 1;
            }),
            0);
  close(ends[1]);
  char answer = '-';
  EXPECT_EQ(read(ends[0], &answer, 1), 1);
  EXPECT_EQ(answer, 'y');
  close(ends[0]);
}

#endif

#if defined(__linux__)
TEST_F(Pool, OneProcessorIsEnough) {
  std::thread([] {
    cpu_set_t all, one;
    ASSERT_EQ(sched_getaffinity(0, sizeof all, &all), 0);
    EXPECT_GE(core::cpu_count(), 1);
    EXPECT_LE(core::cpu_count(), CPU_COUNT(&all));
    int first = 0;
    while (!CPU_ISSET(first, &all)) ++first;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    EXPECT_EQ(core::cpu_count(), 1);
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(works());
  }).join();
}
#endif

#if defined(__linux__) && !defined(__SANITIZE_THREAD__)
// A control group with half a processor, where this process may make one: within the group at the root.
class HalfAProcessor {
 public:
  HalfAProcessor() {
    const std::string name = "/gradus_test_" + std::to_string(getpid());
    if (make("/sys/fs/cgroup/cpu" + name) && write("cpu.cfs_period_us", "100000") && write("cpu.cfs_quota_us", "50000"))
      return;
    if (path_.empty() && make("/sys/fs/cgroup" + name) && write("cpu.max", "50000 100000")) return;
    remove();
  }
  ~HalfAProcessor() { remove(); }
  bool is_there() const { return !path_.empty(); }
  bool enter() const { return write("cgroup.procs", std::to_string(getpid())); }

 private:
  bool make(const std::string& path) {
    std::error_code error;
    if (!std::filesystem::create_directory(path, error)) return false;
    path_ = path;
    return true;
  }
  bool write(const char* file, const std::string& text) const {
    const std::string path = path_ + "/" + file;
    if (!std::filesystem::exists(path)) return false;
    std::ofstream out(path);
    return static_cast<bool>(out << text << std::flush);
  }
  void remove() {
    std::error_code error;
    if (!path_.empty()) std::filesystem::remove(path_, error);
    path_.clear();
  }

  std::string path_;
};

TEST_F(Pool, HalfAProcessorIsEnough) {
  const HalfAProcessor group;
  if (!group.is_there()) GTEST_SKIP() << "no control group can be made here";
  EXPECT_EQ(child([&] {
              if (!group.enter() || core::cpu_count() != 1) return false;
              // Two threads in spite of the quota, and one, as a program gets that asks for nothing.
              for (const int threads : {2, core::cpu_count()}) {
                set_num_threads(threads);
                for (int i = 0; i < 200; ++i)
                  if (!works(100)) return false;
              }
              return true;
            }),
            0);
}
#endif

TEST_F(Pool, ManyThreadsCallAtOnce) {
  set_num_threads(4);
  std::atomic<std::int64_t> total{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 16; ++i) {
    callers.emplace_back([&] {
      for (int round = 0; round < 200; ++round)
        parallel_for(64, 1, [&](std::int64_t begin, std::int64_t end) { total += end - begin; });
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(total, 16 * 200 * 64);
}

TEST_F(Pool, MoreThreadsThanPiecesAndThanProcessors) {
  set_num_threads(600);
  EXPECT_TRUE(works(100000));
  EXPECT_TRUE(works(2));
}

// ThreadSanitizer sees neither the fork nor the join of an OpenMP region.
#if defined(_OPENMP) && !defined(__SANITIZE_THREAD__)
TEST_F(Pool, WithinAnOpenMPRegionOfTheProgramNothingIsSpread) {
  std::atomic<int> ranges{0};
#pragma omp parallel num_threads(2)
  parallel_for(1000, 1, [&](std::int64_t begin, std::int64_t end) {
    ++ranges;
    EXPECT_EQ(end - begin, 1000);
  });
  EXPECT_EQ(ranges, 2);
}

TEST_F(Pool, AProgramsOwnOpenMPKeepsItsThreads) {
  const int before = omp_get_max_threads();
  omp_set_num_threads(3);
  {
    const core::SerialScope serial;
    EXPECT_EQ(omp_get_max_threads(), 1);
  }
  EXPECT_TRUE(works());
  EXPECT_EQ(omp_get_max_threads(), 3);
  int threads = 0;
#pragma omp parallel
#pragma omp single
  threads = omp_get_num_threads();
  EXPECT_EQ(threads, 3);
  omp_set_num_threads(before);
}
#endif

}  // namespace
}  // namespace gradus
