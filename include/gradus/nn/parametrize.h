// Parameters that are computed from others at each call of their module: torch.nn.utils.parametrize, with the
// parametrizations of torch.nn.utils.parametrizations.
//
//   nn::weight_norm(net.fc);                                    // weight = g v / |v|
//   nn::register_parametrization(net.fc, "weight", Doubled());  // one's own
//   nn::parametrize(net, "features.*.weight", nn::Symmetric());
//   nn::remove_parametrizations(net.fc, "weight");
//
// What the parameter was becomes `parametrizations.weight.original` of the module, which is a parameter like any other:
// optimizers, freezing, state dicts and copies know it by that name. `net.fc.weight` is the value that the last call
// computed. Assigning to it sets the originals. State dicts have PyTorch's names, and those of its older weight_norm
// and spectral_norm (weight_g, weight_v, weight_orig, weight_u) are read.
//
// Calls compute the value anew while gradients are recorded or the module trains; in evaluation without gradients it is
// kept until something that it was made of changes.
#pragma once

#include <gradus/nn/containers.h>

namespace gradus::nn {

// Any module whose forward takes one tensor can be a parametrization. One that derives from this may also have several
// originals, and say which originals give a value.
class Parametrization : public Module {
 public:
  // The parameter. By default forward of the only original.
  virtual Tensor compute(const std::vector<Tensor>& originals);
  // Originals of `value`; they replace the parameter when the parametrization is registered, and when the parameter is
  // assigned to. By default the value itself. Several only in the first parametrization of a parameter.
  virtual std::vector<Tensor> right_inverse(const Tensor& value);
  // What older files call this one's tensors: pairs of a name within `parametrizations.NAME` and what stood after NAME:
  // {"original0", "_g"}.
  virtual std::vector<std::pair<std::string, std::string>> older_names() const { return {}; }

 protected:
  using Module::Module;
};

// What `parametrizations.weight` is: the originals, and the parametrizations "0", "1", ..., each of which takes the
// result of the one before.
class ParametrizationList : public detail::IndexedModules {
 public:
  ParametrizationList() : IndexedModules("ParametrizationList") {}
  std::vector<Tensor> originals() const;  // one, or as many as the first parametrization has
  Tensor value();

 private:
  friend struct detail::ComputedParameters;
  std::vector<std::pair<Tensor, std::uint32_t>> sources() const;
  bool is_current() const;

  // What the value that is kept was made of, with the count of its changes.
  std::vector<std::pair<Tensor, std::uint32_t>> sources_;
  Tensor kept_;
};

namespace detail {
void register_parametrization(Module& module, const std::string& name, std::shared_ptr<Module> parametrization,
                              bool unsafe);

// Gives access to how containers keep modules.
struct KeptModule : Module {
  template <AnyModule M>
  static std::shared_ptr<Module> of(M&& module) {
    return kept_of(std::forward<M>(module));
  }
};
}  // namespace detail

// ValueError where the module has no such parameter, or the result has another type or other sizes than the parameter
// (unless `unsafe`). Nothing has changed then.
template <AnyModule M>
Module& register_parametrization(Module& module, const std::string& name, M&& parametrization, bool unsafe = false) {
  detail::register_parametrization(module, name, detail::KeptModule::of(std::forward<M>(parametrization)), unsafe);
  return module;
}

// With a name: whether that parameter is computed; without one: whether any of the module's own is.
bool is_parametrized(const Module& module, const std::string& name = "");

// The parameter is one again. It keeps the value, or, where `leave_parametrized` is false, becomes the original, of
// which there must be only one (ValueError).
Module& remove_parametrizations(Module& module, const std::string& name, bool leave_parametrized = true);

// For each parameter of `module` and of what it holds whose name matches (see gradus/pattern.h), in order: a copy of
// the parametrization, or what the function registers. Gives the names; ValueError if nothing matches.
//
//   nn::parametrize(net, "features.*.weight", [](nn::Module& m, const std::string& name) { nn::weight_norm(m, name);
//   });
using Parametrize = std::function<void(Module& module, const std::string& name)>;
std::vector<std::string> parametrize(Module& module, const std::string& pattern, const Parametrize& fn);
template <std::derived_from<Module> M>
std::vector<std::string> parametrize(Module& module, const std::string& pattern, const M& parametrization) {
  return parametrize(module, pattern, [&](Module& m, const std::string& name) {
    register_parametrization(m, name, clone(parametrization));
  });
}

// weight = g v / |v|: Salimans and Kingma (2016). `original0` is g, the norms over all dimensions but `dim` (without
// one: over all), `original1` is v.
Module& weight_norm(Module& module, const std::string& name = "weight", std::optional<std::int64_t> dim = 0);

// The parameter over its largest singular value, as a matrix of the dimension `dim` and all others: Miyato et al.
// (2018). In training each call improves the estimate by power iterations. dim is 1 for transposed convolutions unless
// it is given, else 0.
struct SpectralNormOptions {
  std::int64_t n_power_iterations = 1;
  double eps = 1e-12;
  std::optional<std::int64_t> dim = {};
};
Module& spectral_norm(Module& module, const std::string& name = "weight", const SpectralNormOptions& options = {});

// Orthogonal matrices, with orthonormal rows where there are fewer rows than columns. `orthogonal_map` is "matrix_exp",
// "cayley" or "householder"; by default the first for square matrices and the last for others. With the trivialization,
// training starts at the parameter (made orthogonal), and the original is an offset from it.
struct OrthogonalOptions {
  std::optional<std::string> orthogonal_map = {};
  bool use_trivialization = true;
};
Module& orthogonal(Module& module, const std::string& name = "weight", const OrthogonalOptions& options = {});

// The upper triangle, mirrored: square matrices.
class Symmetric : public Parametrization {
 public:
  Symmetric() : Parametrization("Symmetric") {}
  Tensor forward(const Tensor& x) override;
  std::vector<Tensor> right_inverse(const Tensor& value) override;
};
Module& symmetric(Module& module, const std::string& name = "weight");

}  // namespace gradus::nn
