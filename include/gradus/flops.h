// How many floating-point operations a piece of code costs, forward and backward.
//
//   FlopCounter counter;
//   net(x).sum().backward();
//   counter.total();
//
// While a counter lives it counts what the operations of its thread say they cost: 2 m n k for a product of matrices
// (a multiply-add is two), one per element of the result for most others, nothing for a view. Each counts once,
// whatever it is fused with; one that is made of others counts as a whole, under its own name.
#pragma once

#include <map>
#include <string>

#include <gradus/autograd/op.h>

namespace gradus {

class FlopCounter final : private detail::Observer {
 public:
  struct Count {
    std::int64_t calls = 0, flops = 0;
    std::int64_t multiply_adds = 0;  // of products of matrices and convolutions only, as networks' costs are published
    std::int64_t bytes = 0;          // of all operands, read and written, as if no cache kept them
  };
  FlopCounter() { detail::add_observer(*this); }
  ~FlopCounter() override { detail::remove_observer(*this); }
  FlopCounter(const FlopCounter&) = delete;
  FlopCounter& operator=(const FlopCounter&) = delete;

  std::int64_t total() const { return sum().flops; }
  Count sum() const;
  const std::map<std::string, Count>& by_operation() const { return counts_; }

 private:
  void end_operation(const detail::Operation& operation) override;

  std::map<std::string, Count> counts_;
};

}  // namespace gradus
