// Lookahead (Zhang et al., 2019, Lookahead Optimizer: k steps forward, 1 step back) around any optimizer.
//
//   optim::Adam adam(net, {.lr = 1e-3});
//   optim::Lookahead opt(adam, {.k = 5, .alpha = 0.5});
//   opt.minimize(loss);
#pragma once

#include <unordered_map>

#include <gradus/optim/optimizer.h>

namespace gradus::optim {

struct LookaheadOptions {
  std::int64_t k = 5;  // steps of the inner optimizer to one of the slow weights; at least 1
  double alpha = 0.5;  // in [0, 1]: the fraction of the way that the slow weights move
};

// After every k steps: slow += alpha (parameter - slow); parameter = slow. The slow weights of a parameter begin as its
// value before its first step. Frozen parameters stay, and so does what the optimizer keeps for them.
//
// An optimizer like any other: it has the groups and options of the inner one, and two options for all groups,
// "lookahead_k" and "lookahead_alpha". Step, schedule, clip, save and load this one, and not the inner one, which must
// live as long. In the state, "slow_param" and the number "lookahead_step" are added to what is the inner one's.
class Lookahead : public Optimizer {
 public:
  // ValueError for options out of range.
  explicit Lookahead(Optimizer& optimizer, const LookaheadOptions& options = {});

  const char* name() const override { return name_.c_str(); }  // "Lookahead(SGD)"
  Optimizer& optimizer() const;                                // the inner one; ValueError when it is gone

  std::size_t group_count() const override { return optimizer().group_count(); }
  const Params& group_params(std::size_t group) const override { return optimizer().group_params(group); }
  std::string group_name(std::size_t group) const override { return optimizer().group_name(group); }
  std::size_t group_id(std::size_t group) const override { return optimizer().group_id(group); }
  std::vector<std::string> option_names() const override;
  OptionValue option(std::size_t group, const std::string& name) const override;
  void set_option(std::size_t group, const std::string& name, const OptionValue& value) override;
  OptimizerState state_dict() const override;
  using Optimizer::load_state_dict;
  LoadStateReport load_state_dict(const OptimizerState& state, const LoadStateOptions& options = {}) override;
  Tensor state_of(const Tensor& parameter, const std::string& name) const override;
  std::map<std::string, Tensor> state_tensors(const Tensor& parameter) const override;
  std::int64_t steps_of(const Tensor& parameter) const override { return optimizer().steps_of(parameter); }
  std::optional<std::int64_t> state_bytes(const Tensor& parameter) const override;

 protected:
  void update() override;

 private:
  struct Slow {
    Tensor parameter, weights;
    std::int64_t step = 0;  // since they were one
  };
  LookaheadOptions with(LookaheadOptions options, const std::string& name, const OptionValue& value) const;

  Optimizer* optimizer_;
  std::weak_ptr<const void> inner_alive_;
  std::string name_;
  LookaheadOptions options_;
  std::unordered_map<const void*, Slow> slow_;  // by the parameter's TensorImpl
};

}  // namespace gradus::optim
