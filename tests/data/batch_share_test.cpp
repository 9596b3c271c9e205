// A loader in each of several processes: nothing here depends on there being any.
#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "gradus/core/error.h"
#include "gradus/data.h"
#include "gradus/ops.h"
#include "support/message.h"

namespace gradus::data {
namespace {

using test::message_of;
using testing::ElementsAre;
using Indices = std::vector<std::int64_t>;

// What each batch holds.
std::vector<Indices> run(DataLoader& loader, std::size_t limit = 1 << 30) {
  std::vector<Indices> batches;
  for (const Batch& batch : loader) {
    if (batch.size() > 0) {
      EXPECT_EQ(batch.data.to_vector<std::int64_t>(), batch.indices);
    } else {
      EXPECT_FALSE(batch.data.defined());
    }
    batches.push_back(batch.indices);
    if (batches.size() == limit) break;
  }
  return batches;
}

DataLoader loader_of(std::int64_t samples, std::int64_t batch_size, const BatchShare& share, int workers = 0) {
  return DataLoader(
      TensorDataset(arange(samples)),
      {.batch_size = batch_size, .shuffle = !share.whole, .num_workers = workers, .seed = 3, .share = share});
}

// The shares of all replicas, batch by batch, one after the other.
std::vector<Indices> joined(std::int64_t samples, std::int64_t batch_size, std::int64_t replicas, std::int64_t chunks,
                            int workers) {
  std::vector<Indices> all;
  for (std::int64_t rank = 0; rank < replicas; ++rank) {
    DataLoader loader =
        loader_of(samples, batch_size, {.num_replicas = replicas, .rank = rank, .chunks = chunks}, workers);
    const auto own = run(loader);
    all.resize(std::max(all.size(), own.size()));
    EXPECT_EQ(own.size(), all.size());
    for (std::size_t i = 0; i < own.size(); ++i) all[i].insert(all[i].end(), own[i].begin(), own[i].end());
  }
  return all;
}

RC_GTEST_PROP(BatchShare, SharesMakeUpTheBatchesOfOneProcess, ()) {
  const auto samples = *rc::gen::inRange<std::int64_t>(1, 40);
  const auto batch_size = *rc::gen::inRange<std::int64_t>(1, 12);
  const auto replicas = *rc::gen::inRange<std::int64_t>(1, 6);
  const auto chunks = *rc::gen::element<std::int64_t>(0, replicas, replicas + 3, 16);
  DataLoader one = loader_of(samples, batch_size, {});
  RC_ASSERT(joined(samples, batch_size, replicas, chunks, *rc::gen::element(0, 2)) == run(one));
}

TEST(BatchShare, SaysHowManySamplesAreInEachChunk) {
  DataLoader loader = loader_of(13, 10, {.num_replicas = 2, .rank = 1, .chunks = 4});
  std::vector<Indices> chunks;
  for (const Batch& batch : loader) chunks.push_back(batch.chunks);
  EXPECT_THAT(chunks, ElementsAre(ElementsAre(2, 3), ElementsAre(1, 1)));  // of 10 and of 3 samples
  DataLoader plain = loader_of(13, 10, {});
  EXPECT_TRUE(plain.begin()->chunks.empty());
}

// The chunk that a damaged sample belongs to is smaller; the others are what they were.
TEST(BatchShare, ADamagedSampleMovesNoOther) {
  const FunctionDataset dataset(12, [](std::int64_t i) -> Sample {
    if (i == 4 || i == 5 || i == 9) throw IoError("torn");
    return tensor(i);
  });
  std::vector<Indices> chunks, indices;
  for (std::int64_t rank = 0; rank < 2; ++rank) {
    DataLoader loader(
        dataset, {.batch_size = 12, .skip_damaged = true, .share = {.num_replicas = 2, .rank = rank, .chunks = 6}});
    for (const Batch& batch : loader) {
      chunks.push_back(batch.chunks);
      indices.push_back(batch.indices);
    }
    EXPECT_EQ(loader.skipped().size(), rank == 0 ? 2U : 1U);
  }
  EXPECT_THAT(chunks, ElementsAre(ElementsAre(2, 2, 0), ElementsAre(2, 1, 2)));
  EXPECT_THAT(indices, ElementsAre(ElementsAre(0, 1, 2, 3), ElementsAre(6, 7, 8, 10, 11)));
}

TEST(BatchShare, AnyNumberOfProcessesGoesOnFromAState) {
  DataLoader one = loader_of(23, 5, {});
  const auto whole = run(one);
  DataLoader four = loader_of(23, 5, {.num_replicas = 4, .rank = 2});
  io::Value state;
  for (auto it = four.begin(); it != four.end(); ++it)
    if (four.position() == 10) state = four.state_dict();
  std::vector<Indices> rest(3);
  for (std::int64_t rank = 0; rank < 3; ++rank) {
    DataLoader loader = loader_of(23, 5, {.num_replicas = 3, .rank = rank});
    loader.load_state_dict(state);
    const auto own = run(loader);
    ASSERT_EQ(own.size(), 3U);
    for (std::size_t i = 0; i < 3; ++i) rest[i].insert(rest[i].end(), own[i].begin(), own[i].end());
  }
  EXPECT_EQ(rest, std::vector<Indices>(whole.begin() + 2, whole.end()));
}

TEST(BatchShare, WholeBatchesGoInTurn) {
  DataLoader one = loader_of(23, 5, {.whole = true});
  const auto whole = run(one);
  ASSERT_EQ(whole.size(), 5U);
  for (const std::int64_t replicas : {1, 2, 3, 7}) {
    std::vector<Indices> all(whole.size());
    for (std::int64_t rank = 0; rank < replicas; ++rank) {
      DataLoader loader = loader_of(23, 5, {.num_replicas = replicas, .rank = rank, .whole = true}, rank == 1 ? 2 : 0);
      const auto own = run(loader);
      for (std::size_t i = 0; i < own.size(); ++i)
        all.at(static_cast<std::size_t>(rank) + i * static_cast<std::size_t>(replicas)) = own[i];
      EXPECT_EQ(loader.epoch(), 1);
    }
    EXPECT_EQ(all, whole) << replicas;
  }
}

TEST(BatchShare, MustExist) {
  EXPECT_EQ(message_of<ValueError>([] { loader_of(5, 2, {.num_replicas = 2, .rank = 2}); }),
            "DataLoader: need a rank from 0 to num_replicas - 1, got 2 of 2");
  EXPECT_EQ(message_of<ValueError>([] { loader_of(5, 2, {.num_replicas = 4, .rank = 0, .chunks = 3}); }),
            "DataLoader: 4 replicas need at least as many chunks, got 3");
  EXPECT_THROW(loader_of(5, 2, {.num_replicas = 0}), ValueError);
  EXPECT_THROW(loader_of(5, 2, {.chunks = -1}), ValueError);
}

}  // namespace
}  // namespace gradus::data
