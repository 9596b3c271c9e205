#include "core/threads/cpu_count.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "support/temp_folder.h"

namespace gradus {
namespace {

using core::cgroup_cpu_count;
using core::openmp_thread_count;

TEST(CpuCount, ReadsTheNumberOfOpenMPThreads) {
  EXPECT_EQ(openmp_thread_count("4"), 4);
  EXPECT_EQ(openmp_thread_count(" 3 "), 3);
  EXPECT_EQ(openmp_thread_count("4,2"), 4);
  EXPECT_EQ(openmp_thread_count("2 , 1"), 2);
  for (const char* none : {"", "0", "-1", "four", "4x", "4 2", ",4", "99999999999999999999"})
    EXPECT_EQ(openmp_thread_count(none), 0) << none;
  EXPECT_EQ(openmp_thread_count(nullptr), 0);
}

class Groups : public testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) {
    const std::string file = root_ / path;
    std::filesystem::create_directories(std::filesystem::path(file).parent_path());
    test::put_file(file, text + "\n");
  }
  int count(const std::string& membership) { return cgroup_cpu_count(membership, root_.path()); }

 private:
  test::TempFolder root_;
};

TEST_F(Groups, HaveNoQuotaUnlessTheyNameOne) {
  EXPECT_EQ(count(""), 0);
  EXPECT_EQ(count("0::/\n"), 0);
  EXPECT_EQ(count("nonsense\n::\n1:cpu\n"), 0);
  write("cpu.max", "max 100000");
  write("cpu/cpu.cfs_quota_us", "-1");
  write("cpu/cpu.cfs_period_us", "100000");
  EXPECT_EQ(count("0::/\n1:cpu:/\n"), 0);
  for (const char* strange :
       {"", "x y", "100000", "100000 0", "0 100000", "-5 100000", "99999999999999999999 100000"}) {
    write("cpu.max", strange);
    EXPECT_EQ(count("0::/\n"), 0) << strange;
  }
}

TEST_F(Groups, Version2) {
  write("cpu.max", "50000 100000");  // half a processor
  EXPECT_EQ(count("0::/\n"), 1);
  write("cpu.max", "150000 100000");
  EXPECT_EQ(count("0::/\n"), 2);
  write("cpu.max", "400000 100000");
  write("jobs/a/cpu.max", "max 100000");
  EXPECT_EQ(count("0::/jobs/a\n"), 4);
  write("jobs/cpu.max", "300000 100000");
  EXPECT_EQ(count("0::/jobs/a\n"), 3);
  EXPECT_EQ(count("0::/jobs/a/\n"), 3);
  EXPECT_EQ(count("0::/another\n"), 4);
  EXPECT_EQ(count("0::/../outside\n"), 4);
}

TEST_F(Groups, Version1) {
  write("cpu,cpuacct/build/cpu.cfs_quota_us", "250000");
  write("cpu,cpuacct/build/cpu.cfs_period_us", "100000");
  EXPECT_EQ(count("4:cpu,cpuacct:/build\n3:cpuset:/build\n"), 3);
  EXPECT_EQ(count("4:cpuset:/build\n"), 0);
  // As in a container, whose files lie at the root though the path is the host's.
  write("cpu/cpu.cfs_quota_us", "200000");
  write("cpu/cpu.cfs_period_us", "100000");
  EXPECT_EQ(count("4:cpuacct,cpu:/docker/0123\n"), 2);
  EXPECT_EQ(count("1:cpu:/docker/0123\n0::/\n"), 2);
}

}  // namespace
}  // namespace gradus
