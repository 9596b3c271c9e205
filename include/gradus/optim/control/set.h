// Several optimizers as one.
//
//   optim::Set set({{"encoder", encoder_opt}, {"decoder", decoder_opt}}, net);
//   set.minimize(loss);
#pragma once

#include <functional>

#include <gradus/nn/module.h>
#include <gradus/optim/optimizer.h>

namespace gradus::optim {

enum class Ownership {
  exactly_once,  // every trainable parameter of the network is in one of the optimizers, and in no two
  any,
};

class Set {
 public:
  using Member = std::pair<std::string, std::reference_wrapper<Optimizer>>;

  // The optimizers must outlive the set. ValueError where it is empty, a name is empty or there twice, or the ownership
  // of `model`'s parameters is not as asked (it is checked now; optim::audit tells more, and later).
  Set(std::initializer_list<Member> members, const nn::Module& model, Ownership ownership = Ownership::exactly_once);
  // Without a network to compare with: only that no parameter is in two optimizers.
  explicit Set(std::initializer_list<Member> members, Ownership ownership = Ownership::exactly_once);

  std::size_t size() const { return members_.size(); }
  Optimizer& operator[](const std::string& name) const;  // ValueError if there is none
  std::vector<Tensor> parameters() const;                // each once; what clipping takes

  // False where the clipping of one of them said to skip; that one has not stepped.
  bool step();
  void zero_grad(bool set_to_none = true);
  // zero_grad, one backward for all their parameters and nothing else, step.
  bool minimize(const Tensor& loss);
  // One norm over all of them, as nn::utils::clip_grad_norm_; call it between backward() and step().
  Tensor clip_grad_norm_(double max_norm, double norm_type = 2);

  std::map<std::string, OptimizerState> state_dict() const;
  // All or none. ValueError where the names are not those of the optimizers.
  void load_state_dict(const std::map<std::string, OptimizerState>& state, const LoadStateOptions& options = {});

 private:
  void check(const nn::Module* model, Ownership ownership) const;
  std::vector<Member> members_;
};

}  // namespace gradus::optim
