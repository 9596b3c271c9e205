// optim::ZeroRedundancyOptimizer: any optimizer, whose state the processes share out among them, and the gradients too
// if they shall (ZeRO-1 and ZeRO-2, Rajbhandari et al., 2020). As torch.distributed.optim.ZeroRedundancyOptimizer.
//
//   nn::DistributedDataParallel ddp(net);
//   optim::ZeroRedundancyOptimizer<optim::AdamW> optimizer(ddp.parameters(), {.lr = 1e-3});
//   optimizer.minimize(loss);
//
// Each parameter is updated by one rank, which alone keeps state for it, and sends it to the others. The result has the
// bits of the plain optimizer. In a process that is alone it is the plain optimizer.
#pragma once

#include <unordered_map>

#include <gradus/optim/optimizer.h>

namespace gradus::optim {

// What does not depend on the optimizer's type. It has the inner one's name, groups and options, and its state as a
// whole is the inner one's: either can load what the other saved, with any number of ranks.
class ShardedOptimizer : public Optimizer {
 public:
  ~ShardedOptimizer() override;
  const char* name() const override { return inner().name(); }
  int owner(const Tensor& parameter) const;  // the rank that updates it; ValueError for one that is not here

  // ZeRO-2. From the next backward pass of a DistributedDataParallel on, the sum of a parameter's gradients goes only
  // to the rank that updates it; `.grad` is undefined on the others. All ranks call it. Clipping has the norm of all
  // gradients: set_clipping() and clip_grad_norm_ then exchange the norms of the parameters, and all ranks must call
  // them. get_total_norm, which takes tensors, only sees what a rank has. Does nothing in a process that is alone.
  void shard_gradients(bool on = true);
  bool shards_gradients() const { return shards_gradients_; }

  // Gathers the state of all ranks on rank `to`: all ranks call it. From then until the next step state_dict() is the
  // whole state there. A CheckpointManager does that by itself.
  void consolidate_state_dict(int to = 0);
  void release_state_dict() { consolidated_.reset(); }  // frees what was gathered
  // ValueError where consolidate_state_dict() was not called since the last step, or gathered on another rank.
  OptimizerState state_dict() const override;
  // Of a whole state each rank takes what it owns.
  LoadStateReport load_state_dict(const OptimizerState& state, const LoadStateOptions& options = {}) override;

  std::size_t group_count() const override { return inner().group_count(); }
  const Params& group_params(std::size_t group) const override { return inner().group_params(group); }
  std::string group_name(std::size_t group) const override { return inner().group_name(group); }
  std::size_t group_id(std::size_t group) const override { return inner().group_id(group); }
  std::vector<std::string> option_names() const override { return inner().option_names(); }
  OptionValue option(std::size_t group, const std::string& name) const override { return inner().option(group, name); }
  void set_option(std::size_t group, const std::string& name, const OptionValue& value) override {
    inner().set_option(group, name, value);
  }
  // What this rank has of it: nothing for the parameters of others.
  Tensor state_of(const Tensor& parameter, const std::string& name) const override {
    return inner().state_of(parameter, name);
  }
  std::map<std::string, Tensor> state_tensors(const Tensor& parameter) const override {
    return inner().state_tensors(parameter);
  }
  std::int64_t steps_of(const Tensor& parameter) const override { return inner().steps_of(parameter); }
  std::optional<std::int64_t> state_bytes(const Tensor& parameter) const override;

 protected:
  virtual Optimizer& inner() = 0;
  virtual const Optimizer& inner() const = 0;
  void share_out();  // the parameters that have no owner yet; ValueError for LBFGS
  void update() override;

 private:
  struct Owned {
    Tensor parameter;
    int rank;
  };
  void tell_owners() const;
  void forget_owners() const;
  std::vector<bool> have_gradients(const std::vector<Tensor>& all) const;

  bool shards_gradients_ = false;
  std::unordered_map<const void*, Owned> owners_;  // by the parameter's TensorImpl
  std::vector<std::int64_t> elements_;             // of each rank
  std::optional<OptimizerState> consolidated_;
};

template <class O>
class ZeroRedundancyOptimizer : public ShardedOptimizer {
 public:
  using GroupOptions = typename O::GroupOptions;

  explicit ZeroRedundancyOptimizer(const Params& params, const GroupOptions& defaults = {}) : optim_(params, defaults) {
    share_out();
  }
  explicit ZeroRedundancyOptimizer(const std::vector<GroupOptions>& groups, const GroupOptions& defaults = {})
      : optim_(groups, defaults) {
    share_out();
  }
  ZeroRedundancyOptimizer(std::initializer_list<GroupOptions> groups, const GroupOptions& defaults = {})
      : ZeroRedundancyOptimizer(std::vector<GroupOptions>(groups), defaults) {}

  // The optimizer of what this rank owns. Step, clip, save and load the outer one.
  O& optim() { return optim_; }
  const O& optim() const { return optim_; }
  std::span<GroupOptions> param_groups() { return optim_.param_groups(); }
  std::span<const GroupOptions> param_groups() const { return optim_.param_groups(); }
  void add_param_group(const GroupOptions& group) {
    optim_.add_param_group(group);
    share_out();
  }

 protected:
  Optimizer& inner() override { return optim_; }
  const Optimizer& inner() const override { return optim_; }

 private:
  O optim_;
};

}  // namespace gradus::optim
