// What the libraries compute (oneDNN, BLIS or OpenBLAS), with their best instructions and, in processes of their own
// since they choose once, with lesser ones.
#include <gradus/autograd.h>
#include <gradus/ops.h>
#include <gradus/ops/convolution.h>
#include <gradus/random.h>

#include <gtest/gtest.h>
#include <oneapi/dnnl/dnnl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "support/temp_folder.h"

extern char** environ;

namespace gradus {
namespace {

constexpr const char* kFile = "GRADUS_TEST_LIBRARIES";

struct Work {
  std::string name;
  std::function<Tensor(const Tensor& x, const Tensor& w)> run;
  Shape x, w;
};

// Large enough for a library.
const std::vector<Work>& works() {
  const auto last = [](const Tensor& x) { return x.permute({0, 2, 3, 1}).contiguous().permute({0, 3, 1, 2}); };
  static const std::vector<Work> all{
      {"matmul", [](auto& x, auto& w) { return matmul(x, w); }, {67, 131}, {131, 70}},
      {"matrix and vector", [](auto& x, auto& w) { return matmul(x, w); }, {300, 257}, {257}},
      {"linear", [](auto& x, auto& w) { return linear(x, w, w.select(1, 0)); }, {64, 200}, {90, 200}},
      {"bmm", [](auto& x, auto& w) { return bmm(x, w); }, {3, 65, 70}, {3, 70, 50}},
      {"conv1d", [](auto& x, auto& w) { return conv1d(x, w); }, {2, 16, 90}, {24, 16, 5}},
      {"conv2d", [](auto& x, auto& w) { return conv2d(x, w, {}, 1, 1); }, {2, 17, 14, 15}, {33, 17, 3, 3}},
      {"conv2d, channels last",
       [last](auto& x, auto& w) { return conv2d(last(x), w, {}, 2, 1); },
       {2, 32, 14, 15},
       {64, 32, 3, 3}},
      {"conv2d, groups", [](auto& x, auto& w) { return conv2d(x, w, {}, 1, 1, 1, 4); }, {2, 32, 9, 9}, {32, 8, 3, 3}},
      {"conv_transpose2d",
       [](auto& x, auto& w) { return conv_transpose2d(x, w, {}, 2); },
       {2, 32, 7, 7},
       {32, 16, 3, 3}},
      {"conv3d", [](auto& x, auto& w) { return conv3d(x, w); }, {1, 8, 6, 7, 8}, {16, 8, 3, 3, 3}}};
  return all;
}

// Results and gradients of all works in all types.
std::vector<double> outcomes() {
  std::vector<double> all;
  for (const Dtype dtype : {kFloat32, kFloat64, kBFloat16}) {
    for (const Work& work : works()) {
      manual_seed(3);
      const Tensor x = randn(work.x).to(dtype).requires_grad_(), w = randn(work.w).to(dtype).requires_grad_();
      const Tensor y = work.run(x, w);
      const auto grads = autograd::grad({y}, {x, w}, {randn(y.sizes()).to(dtype)});
      for (const Tensor& t : {y, grads[0], grads[1]}) {
        const auto values = t.to_vector<double>();
        all.insert(all.end(), values.begin(), values.end());
      }
    }
  }
  return all;
}

// What the next test runs in a process of its own.
TEST(Libraries, DISABLED_Child) {
  const char* file = std::getenv(kFile);
  ASSERT_NE(file, nullptr);
#if defined(__x86_64__)
  EXPECT_LE(dnnl_get_effective_cpu_isa(), dnnl_cpu_isa_avx2);
#endif
  const auto values = outcomes();
  std::ofstream(file, std::ios::binary)
      .write(reinterpret_cast<const char*>(values.data()),
             static_cast<std::streamsize>(values.size() * sizeof(double)));
}

TEST(Libraries, GiveTheSameWithLesserInstructions) {
  const auto best = outcomes();
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  std::string arguments[] = {self, "--gtest_filter=Libraries.DISABLED_Child", "--gtest_also_run_disabled_tests",
                             "--gtest_brief=1"};
  char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(), arguments[3].data(), nullptr};
  const test::TempFolder folder;
  for (const auto& [onednn, blis, openblas] :
       {std::array{"SSE41", "generic", "Nehalem"}, std::array{"AVX2", "haswell", "Haswell"}}) {
    SCOPED_TRACE(onednn);
    const std::string file = folder / onednn;
    const std::pair<const char*, const char*> settings[] = {{kFile, file.c_str()},
                                                            {"ONEDNN_MAX_CPU_ISA", onednn},
                                                            {"BLIS_ARCH_TYPE", blis},
                                                            {"OPENBLAS_CORETYPE", openblas}};
    for (const auto& [name, value] : settings) ::setenv(name, value, 1);
    pid_t child = 0;
    const int started = ::posix_spawn(&child, self.c_str(), nullptr, nullptr, argv, environ);
    for (const auto& [name, value] : settings) ::unsetenv(name);
    int status = -1;
    ASSERT_EQ(started, 0);
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    std::vector<double> lesser(best.size());
    std::ifstream in(file, std::ios::binary);
    in.read(reinterpret_cast<char*>(lesser.data()), static_cast<std::streamsize>(lesser.size() * sizeof(double)));
    ASSERT_EQ(in.gcount(), static_cast<std::streamsize>(lesser.size() * sizeof(double)));
    const std::size_t each = best.size() / 3;  // of a type
    for (std::size_t i = 0; i < best.size(); ++i) {
      const double bound = i < each ? 1e-4 : i < 2 * each ? 1e-12 : 1e-2;
      ASSERT_NEAR(lesser[i], best[i], bound * (100 + std::abs(best[i]))) << "number " << i % each;
    }
  }
}

}  // namespace
}  // namespace gradus
