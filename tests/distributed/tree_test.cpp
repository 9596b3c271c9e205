#include "distributed/sums/tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>

#include "distributed/sums/buckets.h"
#include "distributed/sums/reduction.h"
#include "gradus/ops.h"

namespace gradus::distributed {
namespace {

TEST(Tree, DividesAtThePowerOfTwoBelow) {
  EXPECT_EQ(middle_of({0, 2}), 1);
  EXPECT_EQ(middle_of({0, 8}), 4);
  EXPECT_EQ(middle_of({0, 6}), 4);
  EXPECT_EQ(middle_of({4, 7}), 6);
}

// Whoever has which leaves, their nodes put together are the whole tree.
TEST(Tree, NodesOfAllRanksAreTheTree) {
  for (std::int64_t leaves = 1; leaves <= 20; ++leaves) {
    for (int size = 1; size <= 8; ++size) {
      std::int64_t next = 0;
      for (int rank = 0; rank < size; ++rank) {
        const Span part = part_of(leaves, rank, size);
        EXPECT_EQ(part.begin, next);
        next = part.end;
        std::int64_t at = part.begin;
        for (const Span& node : nodes_of(leaves, part)) {
          EXPECT_EQ(node.begin, at);
          at = node.end;
          EXPECT_EQ(nodes_of(leaves, node).size(), 1U);
        }
        EXPECT_EQ(at, part.end);
      }
      EXPECT_EQ(next, leaves);
    }
  }
  EXPECT_EQ(nodes_of(8, {0, 8}).size(), 1U);
  EXPECT_EQ(nodes_of(8, {1, 7}).size(), 4U);
}

// A tensor of any size is somewhere, once, and no bucket is too large.
TEST(Buckets, HoldEveryElementOnce) {
  const std::vector<Tensor> tensors{empty({7}), empty({0}), empty({30}, {.dtype = kFloat64}), empty({5, 5}),
                                    empty({3}, {.dtype = kBFloat16})};
  for (const auto& [bytes, owners] : std::vector<std::pair<std::int64_t, std::vector<int>>>{
           {1, {-1, -1, -1, -1, -1}}, {8, {-1, -1, -1, -1, -1}}, {40, {2, 0, 1, 0, -1}}, {1000, {2, 0, 1, 0, 1}}}) {
    const auto buckets = buckets_of(tensors, {4, 3, 2, 1, 0}, bytes, owners, 3);
    EXPECT_LE(buckets.size(), most_buckets(tensors, bytes));
    std::vector<std::vector<int>> seen;
    for (const Tensor& x : tensors) seen.emplace_back(static_cast<std::size_t>(x.numel()));
    for (const Bucket& bucket : buckets) {
      std::int64_t at = 0;
      EXPECT_EQ(bucket.waiting, bucket.pieces.size());
      EXPECT_LE(bucket.size * element_size(bucket.dtype), std::max<std::int64_t>(bytes, 8));
      for (const Bucket::Piece& piece : bucket.pieces) {
        EXPECT_EQ(sum_type(tensors[piece.tensor].dtype()), bucket.dtype);
        EXPECT_EQ(piece.at, at);
        // What a rank alone gets lies within its share.
        const int owner = owners[piece.tensor];
        EXPECT_EQ(bucket.shares.size(), owner < 0 ? 0U : 4U);
        if (owner >= 0) {
          EXPECT_GE(at, bucket.shares[static_cast<std::size_t>(owner)]);
          EXPECT_LE(at + piece.count, bucket.shares[static_cast<std::size_t>(owner) + 1]);
        }
        at += piece.count;
        for (std::int64_t i = 0; i < piece.count; ++i) ++seen[piece.tensor][static_cast<std::size_t>(piece.from + i)];
      }
      EXPECT_EQ(at, bucket.size);
    }
    for (const auto& each : seen) EXPECT_EQ(each, std::vector<int>(each.size(), 1));
  }
}

}  // namespace
}  // namespace gradus::distributed
