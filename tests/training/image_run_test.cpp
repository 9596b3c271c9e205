// An image network with batch norm, dropout, augmentation and loader workers: stopped anywhere and killed at any
// moment, it ends with the bits of a run that never stopped.
#include <gmock/gmock.h>
#include <gradus/data/data_loader.h>
#include <gradus/gradus.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "support/temp_folder.h"
#include "training/same.h"

extern char** environ;

namespace gradus::training {
namespace {

using test::expect_same;
using test::TempFolder;

constexpr std::int64_t kSteps = 150, kEvery = 7;
constexpr const char* kFolder = "GRADUS_TEST_IMAGE_RUN";

// Lines across and lines down, shifted and mirrored at random.
class Images final : public data::Dataset {
 public:
  std::int64_t size() const override { return 52; }
  bool is_random() const override { return true; }
  data::Sample get(std::int64_t index) const override {
    const NoGrad guard;
    const std::int64_t label = index % 2, shift = data::random_integer(0, 3);
    Tensor image = zeros({1, 10, 10});
    image.select(label == 0 ? 1 : 2, 4).fill_(1);
    image = roll(image, {shift}, {2}) + randn({1, 10, 10}, {}, &data::sample_generator()) * 0.3;
    return {data::random_uniform() < 0.5 ? flip(image, {1}) : image, label};
  }
};

// Goes on from what lies in the folder, and says where from. Stops as a killed process does, without saving, after
// `stop` steps.
std::int64_t run(const std::string& folder, std::int64_t stop = kSteps, int workers = 2) {
  manual_seed(1);
  nn::Sequential net(nn::Conv2d(1, 4, 3), nn::BatchNorm2d(4), nn::ReLU(), nn::MaxPool2d(2), nn::Dropout(0.2),
                     nn::Flatten(), nn::Linear(64, 2));
  optim::swa_utils::AveragedModel ema(net, {.multi_avg_fn = optim::swa_utils::get_ema_multi_avg_fn(0.9)});
  optim::SGD optimizer(net.parameters(), {.lr = 0.05, .momentum = 0.9, .weight_decay = 1e-4});
  optim::lr_scheduler::OneCycleLR scheduler(optimizer, {.max_lr = 0.1, .total_steps = kSteps + 1});
  data::DataLoader loader(Images(), {.batch_size = 8, .shuffle = true, .num_workers = workers, .seed = 5});
  std::int64_t step = 0;
  double loss = 0;
  Checkpoint state;
  state.add("net", net);
  state.add("ema", ema);
  state.add("optimizer", optimizer);
  state.add("scheduler", scheduler);
  state.add("loader", loader);
  state.add("step", step);
  state.add("loss", loss);
  CheckpointManager manager(folder, state, {.every_steps = kEvery, .keep = 2});
  const auto loaded = manager.load_latest();
  const std::int64_t start = step;
  EXPECT_EQ(loaded ? loaded->step : 0, start);
  while (step < kSteps) {
    for (auto& [x, y] : loader) {
      const Tensor l = nn::functional::cross_entropy(net(x), y);
      optimizer.minimize(l);
      scheduler.step();
      ema.update_parameters(net);
      loss = l.item();
      manager.step(++step, loss);
      if (step == stop || step == kSteps) break;
    }
    if (step == stop && stop < kSteps) return start;
  }
  manager.wait();
  state.save(folder + "/final.pth");
  return start;
}

void expect_same_end(const std::string& a, const std::string& b) {
  expect_same(io::load(a + "/final.pth"), io::load(b + "/final.pth"));
}

TEST(ImageRun, StoppedAndResumed) {
  const TempFolder folder;
  EXPECT_EQ(run(folder / "whole"), 0);
  const double loss = io::load(folder / "whole/final.pth").as_double({"parts", "loss", "state"});
  EXPECT_LT(loss, 0.6);  // it learns
  // Also where an epoch ends (7 batches), at a checkpoint and behind it, and with other numbers of workers.
  for (const auto& stops : {std::vector<std::int64_t>{7}, {6, 20}, {13, 14, 15, 28, 140}, {149}}) {
    const std::string name = folder / ("stopped" + std::to_string(stops.size()) + "-" + std::to_string(stops[0]));
    int workers = 0;
    // From the last step that was saved: a multiple of kEvery, or one with the best loss so far after that.
    std::int64_t last = 0;
    const auto goes_on = [&](std::int64_t start) {
      EXPECT_GE(start, last / kEvery * kEvery);
      EXPECT_LE(start, last);
    };
    for (const std::int64_t stop : stops) {
      goes_on(run(name, stop, workers++ % 4));
      last = stop;
    }
    goes_on(run(name, kSteps, 3));
    expect_same_end(folder / "whole", name);
  }
}

// What the next test runs in a process of its own, to kill it.
TEST(ImageRun, DISABLED_Child) {
  const char* folder = std::getenv(kFolder);
  ASSERT_NE(folder, nullptr);
  const std::int64_t start = run(folder);
  std::ofstream(std::string(folder) + ".start") << start;
}

TEST(ImageRun, KilledAtAnyMoment) {
  const TempFolder folder;
  run(folder / "whole");
  ::setenv(kFolder, (folder / "killed").c_str(), 1);
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  std::vector<std::string> arguments{self, "--gtest_filter=ImageRun.DISABLED_Child", "--gtest_also_run_disabled_tests",
                                     "--gtest_brief=1"};
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  int kills = 0, status = -1;
  for (int milliseconds = 5; kills < 60; milliseconds += 1 + milliseconds / 7) {
    pid_t child = 0;
    ASSERT_EQ(::posix_spawn(&child, self.c_str(), nullptr, nullptr, argv.data(), environ), 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    ::kill(child, SIGKILL);  // without effect where it has ended by itself
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    if (WIFEXITED(status)) break;
    ++kills;
  }
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_GT(kills, 0);
  std::int64_t start = 0;
  std::ifstream(folder / "killed.start") >> start;
  EXPECT_GT(start, 0);  // the last one went on from another
  expect_same_end(folder / "whole", folder / "killed");
}

}  // namespace
}  // namespace gradus::training
