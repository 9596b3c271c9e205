// How many floating-point operations a piece of code costs, forward and backward.
//
//   FlopCounter counter;
//   net(x).sum().backward();
//   counter.total();
//
// While a counter lives it counts what the operations of its thread say they cost: 2 m n k for a product of matrices
// (a multiply-add is two), one per element of the result for most others. Each counts once, whatever it is fused with.
#pragma once

#include <map>
#include <string>

#include <gradus/op.h>

namespace gradus {

class FlopCounter final : private detail::Observer {
 public:
  struct Count {
    std::int64_t calls = 0, flops = 0;
  };
  FlopCounter() : outer_(detail::observer) { detail::observer = this; }
  ~FlopCounter() override { detail::observer = outer_; }
  FlopCounter(const FlopCounter&) = delete;
  FlopCounter& operator=(const FlopCounter&) = delete;

  std::int64_t total() const;
  const std::map<std::string, Count>& by_operation() const { return counts_; }

 private:
  void operation(const char* name, std::int64_t flops, const Tensor& result) override;

  std::map<std::string, Count> counts_;
  detail::Observer* outer_;  // an outer counter goes on counting
};

}  // namespace gradus
