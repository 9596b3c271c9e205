// What every common call begins with: each rank tells all others in words what it is about to do, and some bytes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "distributed/group.h"

namespace gradus::distributed {

class Round {
 public:
  // Sends. `what` must be the same on all ranks; then `own` has the same length on all.
  Round(Group& group, std::string what, std::string_view own = {});
  // Whether all have come. DistributedError, on all ranks, where they are about to do different things.
  bool poll();
  void wait();
  std::vector<int> missing() const { return messages_.missing(); }
  std::string_view of(int rank) const;  // what that one sent, once poll() was true

 private:
  static constexpr std::size_t kWords = 256;
  void compare();

  Group& group_;
  std::string what_;
  std::size_t bytes_;
  std::uint32_t tag_;
  Bytes words_, payload_;  // by rank
  Messages messages_;
  bool compared_ = false;
};

// The bytes of all ranks, which may differ in length.
std::vector<std::string> gather_texts(Group& group, const std::string& what, std::string_view own);

}  // namespace gradus::distributed
