#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <stdexcept>
#include <thread>

#include "core/threads/parallel.h"
#include "data/loader/fingerprint.h"
#include "gradus/core/error.h"
#include "gradus/core/memory.h"
#include "gradus/data.h"
#include "gradus/ops.h"
#include "support/message.h"

namespace gradus::data {
namespace {

using test::message_of;
using testing::ElementsAre;
using testing::HasSubstr;
using Batches = std::vector<std::vector<double>>;

// Sample i is [i, a random number].
FunctionDataset noisy(std::int64_t n) {
  return {n, [](std::int64_t i) { return Sample(tensor({static_cast<double>(i), random_uniform()}), i); }};
}

Batches run(DataLoader& loader, int limit = 1 << 30) {
  Batches batches;
  for (auto& [x, y] : loader) {
    batches.push_back(x.to_vector<double>());
    if (std::ssize(batches) == limit) break;
  }
  return batches;
}

TEST(DataLoader, GivesEverySampleInItsOrder) {
  DataLoader loader(TensorDataset(arange(10).view({5, 2}), arange(5)), {.batch_size = 2});
  EXPECT_EQ(loader.size(), 3);
  std::vector<std::int64_t> data, targets, sizes;
  for (const Batch& batch : loader) {
    sizes.push_back(batch.size());
    for (const auto x : batch.data.to_vector<std::int64_t>()) data.push_back(x);
    for (const auto x : batch.target.to_vector<std::int64_t>()) targets.push_back(x);
    EXPECT_EQ(batch.indices, batch.target.to_vector<std::int64_t>());
  }
  EXPECT_THAT(data, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  EXPECT_THAT(targets, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(sizes, ElementsAre(2, 2, 1));
}

TEST(DataLoader, MayDropTheLastBatch) {
  DataLoader loader(TensorDataset(arange(5)), {.batch_size = 2, .drop_last = true});
  EXPECT_EQ(loader.size(), 2);
  EXPECT_THAT(run(loader), ElementsAre(ElementsAre(0, 1), ElementsAre(2, 3)));
  EXPECT_EQ(loader.epoch(), 1);
  EXPECT_EQ(loader.position(), 0);
}

TEST(DataLoader, AnEmptyDatasetGivesNothing) {
  for (const int workers : {0, 2}) {
    DataLoader loader(TensorDataset(zeros({0, 3})), {.shuffle = true, .num_workers = workers});
    EXPECT_EQ(loader.size(), 0);
    EXPECT_TRUE(run(loader).empty());
    EXPECT_EQ(loader.epoch(), 1);
  }
}

TEST(DataLoader, TheNumberOfWorkersChangesNothing) {
  Batches expected[2];
  for (const int workers : {0, 1, 2, 5}) {
    DataLoader loader(noisy(37), {.batch_size = 4, .shuffle = true, .num_workers = workers, .seed = 9});
    for (int epoch = 0; epoch < 2; ++epoch) {
      const Batches batches = run(loader);
      if (workers == 0) expected[epoch] = batches;
      EXPECT_EQ(batches, expected[epoch]) << workers;
    }
  }
  EXPECT_NE(expected[0], expected[1]);
}

TEST(DataLoader, UnseededLoadersFollowTheDefaultGenerator) {
  const auto first = [] {
    DataLoader loader(noisy(8), {.batch_size = 8, .shuffle = true});
    return run(loader);
  };
  const Generator before = default_generator();
  manual_seed(4);
  const Batches a = first(), b = first();
  manual_seed(4);
  EXPECT_EQ(first(), a);
  EXPECT_NE(a, b);
  default_generator() = before;
}

TEST(DataLoader, RandomNumbersBelongToTheSampleAndNotToItsPlace) {
  const auto numbers = [](std::int64_t batch_size, bool shuffle) {
    DataLoader loader(noisy(12), {.batch_size = batch_size, .shuffle = shuffle, .seed = 3});
    std::map<double, double> by_index;
    for (const auto& batch : run(loader))
      for (std::size_t i = 0; i < batch.size(); i += 2) by_index[batch[i]] = batch[i + 1];
    return by_index;
  };
  EXPECT_EQ(numbers(1, false), numbers(5, true));
}

TEST(DataLoader, ASampleThatComesTwiceGetsOtherNumbers) {
  DataLoader loader(noisy(1), {.sampler = RandomSampler(1, {.replacement = true, .num_samples = 3}), .seed = 3});
  const Batches batches = run(loader);
  ASSERT_EQ(batches.size(), 3u);
  EXPECT_NE(batches[0], batches[1]);
  EXPECT_NE(batches[1], batches[2]);
}

RC_GTEST_PROP(DataLoader, GoesOnInMidEpochAsIfItHadNotStopped, ()) {
  const auto n = *rc::gen::inRange<std::int64_t>(1, 40);
  const auto batch_size = *rc::gen::inRange<std::int64_t>(1, 9);
  const auto drop_last = *rc::gen::arbitrary<bool>();
  const auto make = [&](int workers, std::uint64_t seed) {
    return DataLoader(
        noisy(n),
        {.batch_size = batch_size, .shuffle = true, .num_workers = workers, .drop_last = drop_last, .seed = seed});
  };
  DataLoader whole = make(0, 7);
  Batches expected[3];
  for (auto& epoch : expected) epoch = run(whole);

  const auto stop = *rc::gen::inRange<std::int64_t>(0, std::ssize(expected[1]) + 1);
  DataLoader loader = make(2, 7);
  RC_ASSERT(run(loader) == expected[0]);
  io::Value state = loader.state_dict();
  Batches before;
  if (stop > 0) {
    for (auto& [x, y] : loader) {
      before.push_back(x.to_vector<double>());
      state = loader.state_dict();
      if (std::ssize(before) == stop) break;
    }
  }
  DataLoader resumed = make(*rc::gen::inRange(0, 3), 1234);
  resumed.load_state_dict(state);
  RC_ASSERT(resumed.epoch() == 1);
  for (auto& batch : run(resumed)) before.push_back(batch);
  RC_ASSERT(before == expected[1]);
  RC_ASSERT(run(resumed) == expected[2]);
}

TEST(DataLoader, AnEpochThatIsBrokenOffIsOver) {
  DataLoader loader(noisy(10), {.batch_size = 2, .shuffle = true, .num_workers = 2, .seed = 1});
  const Batches first = run(loader, 2);
  EXPECT_EQ(loader.epoch(), 0);
  EXPECT_EQ(loader.position(), 4);
  EXPECT_NE(run(loader, 2), first);
  EXPECT_EQ(loader.epoch(), 1);
  loader.set_epoch(0);
  EXPECT_EQ(run(loader, 2), first);
}

TEST(DataLoader, RefusesStatesOfOthersAndKeepsItsOwn) {
  DataLoader loader(noisy(10), {.batch_size = 2, .num_workers = 1, .seed = 1});
  const io::Value good = loader.state_dict();
  const auto with = [&](const char* key, io::Value value) {
    io::Value state = good;
    state.set(key, std::move(value));
    return state;
  };
  run(loader, 3);
  const std::string before = loader.state_dict().to_string();
  for (const io::Value& wrong : {with("position", 11), with("position", -1), with("epoch", -1), with("num_samples", 9),
                                 with("dataset_size", 11), with("seed", "1"), io::Value(3), io::Value::dict()}) {
    EXPECT_THROW(loader.load_state_dict(wrong), ValueError) << wrong.to_string();
    EXPECT_EQ(loader.state_dict().to_string(), before);
  }
  EXPECT_THROW(loader.set_epoch(-1), ValueError);
}

TEST(DataLoader, CarriesExceptionsToTheLoopWithTheSamplesName) {
  FunctionDataset dataset(10,
                          [](std::int64_t i) -> Sample {
                            if (i == 5) throw IoError("read_jpeg: it is damaged");
                            return {tensor(i)};
                          },
                          {.name = [](std::int64_t i) { return "cats/" + std::to_string(i) + ".jpg"; }});
  for (const int workers : {0, 1, 3}) {
    DataLoader loader(dataset, {.batch_size = 2, .num_workers = workers});
    int batches = 0;
    const auto loop = [&] {
      for ([[maybe_unused]] const Batch& batch : loader) ++batches;
    };
    EXPECT_EQ(message_of<IoError>(loop), "DataLoader: sample 5 (cats/5.jpg): read_jpeg: it is damaged");
    EXPECT_EQ(batches, 2);
    EXPECT_EQ(loader.position(), 4);  // a state saved now tries the batch again
  }
}

TEST(DataLoader, KeepsTheKindOfAnError) {
  const auto kind = [](auto error) {
    DataLoader loader(FunctionDataset(1, [=](std::int64_t) -> Sample { throw error; }), {.num_workers = 1});
    EXPECT_THAT(message_of<decltype(error)>([&] { run(loader); }), HasSubstr("sample 0: reason"));
  };
  kind(ShapeError("reason"));
  kind(DtypeError("reason"));
  kind(IndexError("reason"));
  kind(ValueError("reason"));
  kind(Error("reason"));
  DataLoader other(FunctionDataset(1, [](std::int64_t) -> Sample { throw std::runtime_error("reason"); }));
  try {
    run(other);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "DataLoader: sample 0: reason");
    EXPECT_THROW(std::rethrow_if_nested(error), std::runtime_error);
  }
}

TEST(DataLoader, MaySkipDamagedSamplesAndReportThem) {
  FunctionDataset dataset(7, [](std::int64_t i) -> Sample {
    if (i == 1 || i == 4 || i == 5) throw IoError("damaged");
    return {tensor(static_cast<double>(i))};
  });
  for (const int workers : {0, 2}) {
    std::vector<std::int64_t> reported;
    const auto thread = std::this_thread::get_id();
    DataLoader loader(
        dataset,
        {.batch_size = 2, .num_workers = workers, .skip_damaged = true, .on_skip = [&](const SkippedSample& sample) {
           EXPECT_EQ(std::this_thread::get_id(), thread);
           reported.push_back(sample.index);
         }});
    EXPECT_THAT(run(loader), ElementsAre(ElementsAre(0), ElementsAre(2, 3), ElementsAre(6)));
    EXPECT_THAT(reported, ElementsAre(1, 4, 5));
    ASSERT_EQ(loader.skipped().size(), 3u);
    EXPECT_EQ(loader.skipped()[1].name, "sample 4");
    EXPECT_EQ(loader.skipped()[1].error, "damaged");
  }
  // Mistakes of the program are not damage.
  DataLoader loader(FunctionDataset(1, [](std::int64_t) -> Sample { throw ValueError("no"); }), {.skip_damaged = true});
  EXPECT_THROW(run(loader), ValueError);
}

TEST(DataLoader, NamesSamplesThatDoNotStack) {
  DataLoader loader(FunctionDataset(4, [](std::int64_t i) -> Sample { return {zeros({i == 2 ? 3 : 2})}; }),
                    {.batch_size = 4, .num_workers = 1});
  const std::string message = message_of<ShapeError>([&] { run(loader); });
  EXPECT_THAT(message, HasSubstr("float32 [2] in the first and float32 [3] in sample 2 of the batch"));
  EXPECT_THAT(message, HasSubstr("DataLoader: 4 samples from sample 0 on"));
  EXPECT_THROW(default_collate({Sample(tensor(1)), Sample(tensor(1.0))}), DtypeError);
  EXPECT_THROW(default_collate({Sample(tensor(1), 3), Sample(tensor(1))}), ShapeError);
  EXPECT_THROW(default_collate({Sample()}), ValueError);
  EXPECT_THROW(default_collate({}), ValueError);
}

TEST(DataLoader, CollateMayBeTheUsers) {
  const auto run_with = [](int workers) {
    DataLoader loader(noisy(6), {.batch_size = 3,
                                 .num_workers = workers,
                                 .collate =
                                     [](std::vector<Sample> samples) {
                                       Batch batch = default_collate(std::move(samples));
                                       batch.data = batch.data * random_uniform(1, 2);
                                       return batch;
                                     },
                                 .seed = 5});
    return run(loader);
  };
  EXPECT_EQ(run_with(0), run_with(2));
  EXPECT_NE(run_with(0)[0][2], 1.0);
}

TEST(DataLoader, StopsCleanlyWhenTheLoopStops) {
  std::atomic<int> made = 0;
  {
    DataLoader loader(FunctionDataset(100000,
                                      [&](std::int64_t i) {
                                        ++made;
                                        return Sample(tensor(i));
                                      }),
                      {.batch_size = 10, .num_workers = 3, .prefetch_factor = 2});
    for (const Batch& batch : loader) {
      EXPECT_EQ(batch.indices[0], 0);
      break;
    }
    // What was asked for and what lay ready: no more than 1 + 3 * 2 batches, and one that a worker was at.
    EXPECT_LE(made, 80);
  }
  // The iterator may outlive the loader.
  auto loader = std::make_unique<DataLoader>(noisy(10), DataLoaderOptions{.num_workers = 2});
  auto it = loader->begin();
  loader.reset();
  int count = 0;
  for (; it != std::default_sentinel; ++it) ++count;
  EXPECT_EQ(count, 10);
}

TEST(DataLoader, WorkersStayOnOneThread) {
  std::atomic<int> pieces = 0;
  const FunctionDataset dataset(2, [&](std::int64_t i) {
    core::parallel_for(1 << 20, 1, [&](std::int64_t, std::int64_t) { ++pieces; });
    return Sample(tensor(i));
  });
  const int threads = get_num_threads();
  set_num_threads(4);
  DataLoader loader(dataset, {.num_workers = 2});
  run(loader);
  set_num_threads(threads);
  EXPECT_EQ(pieces, 2);
}

TEST(DataLoader, RefusesOptionsThatMakeNoSense) {
  const TensorDataset dataset(arange(3));
  EXPECT_THROW(DataLoader(dataset, {.batch_size = 0}), ValueError);
  EXPECT_THROW(DataLoader(dataset, {.num_workers = -1}), ValueError);
  EXPECT_THROW(DataLoader(dataset, {.num_workers = 100000}), ValueError);
  EXPECT_THROW(DataLoader(dataset, {.num_workers = 1, .prefetch_factor = 0}), ValueError);
  EXPECT_THROW(DataLoader(dataset, {.shuffle = true, .sampler = SequentialSampler(3)}), ValueError);
  DataLoader outside(dataset, {.sampler = SequentialSampler(4)});
  EXPECT_THAT(message_of<IndexError>([&] { run(outside); }), HasSubstr("the sampler gave 3"));
}

// A sample that there is no memory for is one that cannot be had.
TEST(DataLoader, SkipsWhatThereIsNoMemoryFor) {
  const FunctionDataset samples(4, [](std::int64_t i) {
    if (i == 1) throw OutOfMemory(1, 0, 0);
    if (i == 2) throw std::bad_alloc();
    return Sample(tensor(i), i);
  });
  for (const int workers : {0, 2}) {
    DataLoader lenient(samples, {.num_workers = workers, .skip_damaged = true});
    std::int64_t count = 0;
    for (const Batch& batch : lenient) count += batch.size();
    EXPECT_EQ(count, 2);
    EXPECT_EQ(lenient.skipped().size(), 2U);
    DataLoader strict(samples, {.num_workers = workers});
    const auto run = [&strict] {
      for ([[maybe_unused]] const Batch& batch : strict) {
      }
    };
    EXPECT_THROW(run(), OutOfMemory);
  }
}

TEST(Fingerprint, KnowsDataWithInfinitiesAgain) {
  const double inf = std::numeric_limits<double>::infinity();
  const auto of = [](double value) {
    return fingerprint(FunctionDataset(3, [value](std::int64_t i) { return Sample(tensor(value), i); }));
  };
  for (const double value : {inf, -inf, std::nan(""), 5.0}) {
    EXPECT_NO_THROW(check_fingerprint(of(value), of(value))) << value;
  }
  for (const auto& [then, now] :
       {std::pair(inf, 5.0), std::pair(5.0, inf), std::pair(inf, -inf), std::pair(5.0, 6.0)}) {
    EXPECT_THROW(check_fingerprint(of(then), of(now)), ValueError) << then << " " << now;
  }
}

}  // namespace
}  // namespace gradus::data
