// Parameters that are computed from other parameters at each call of their module, as torch.nn.utils.parametrize, with
// the parametrizations of torch.nn.utils.parametrizations.
//
//   nn::weight_norm(net.fc);                                    // weight = g v / |v|
//   nn::register_parametrization(net.fc, "weight", Doubled());  // a module of your own
//   nn::parametrize(net, "features.*.weight", nn::Symmetric());
//   nn::remove_parametrizations(net.fc, "weight");
//
// The previous parameter becomes `parametrizations.weight.original` of the module, which is a parameter like any other:
// optimizers, freezing, state dicts and copies know it by that name. `net.fc.weight` is the value that the last call
// computed. Assigning to it sets the originals. State dicts have PyTorch's names; those of PyTorch's older weight_norm
// and spectral_norm (weight_g, weight_v, weight_orig, weight_u) can be loaded.
//
// Each call computes the value again while gradients are recorded or the module trains. In evaluation without gradients
// the value is kept until something that it was computed from changes.
#pragma once

#include <gradus/nn/containers.h>

namespace gradus::nn {

// Any module whose forward takes one tensor can be a parametrization. A class that derives from this one may also have
// several originals, and can compute the originals of a given value.
class Parametrization : public Module {
 public:
  // Returns the parameter. By default this is forward() of the only original.
  virtual Tensor compute(const std::vector<Tensor>& originals);
  // Returns originals from which compute() makes `value`; called when the parametrization is registered, and when the
  // parameter is assigned to. By default the value itself. Only the first parametrization of a parameter may return
  // several.
  virtual std::vector<Tensor> right_inverse(const Tensor& value);
  // The names of these tensors in older files, as pairs of the name within `parametrizations.NAME` and the suffix that
  // followed NAME: {"original0", "_g"}.
  virtual std::vector<std::pair<std::string, std::string>> older_names() const { return {}; }

 protected:
  using Module::Module;
};

// The module `parametrizations.weight`: the originals, and the parametrizations "0", "1", ..., each of which takes the
// result of the one before it.
class ParametrizationList : public detail::IndexedModules {
 public:
  ParametrizationList() : IndexedModules("ParametrizationList") {}
  std::vector<Tensor> originals() const;  // one, or as many as the first parametrization has
  Tensor value();

 private:
  friend struct detail::ComputedParameters;
  std::vector<std::pair<Tensor, std::uint32_t>> sources() const;
  bool is_current() const;

  // The tensors that the kept value was computed from, each with its count of changes.
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

// Registers a parametrization of a parameter, and returns the module. ValueError where the module has no such
// parameter, or the result has another type or other sizes than the parameter (unless `unsafe`); nothing has changed
// then.
template <AnyModule M>
Module& register_parametrization(Module& module, const std::string& name, M&& parametrization, bool unsafe = false) {
  detail::register_parametrization(module, name, detail::KeptModule::of(std::forward<M>(parametrization)), unsafe);
  return module;
}

// With a name: whether that parameter is computed. Without one: whether any parameter of the module itself is.
bool is_parametrized(const Module& module, const std::string& name = "");

// Removes the parametrizations of a parameter, which becomes an ordinary one again. It keeps the computed value or,
// where `leave_parametrized` is false, the original, of which there must be only one (ValueError).
Module& remove_parametrizations(Module& module, const std::string& name, bool leave_parametrized = true);

// For each parameter of `module` and its descendants whose name matches (see gradus/core/pattern.h), in order,
// registers a copy of the parametrization, or calls the function, which may register one. Returns the names of the
// parameters. ValueError if nothing matches.
//
//   nn::parametrize(net, "*.weight", [](nn::Module& m, const std::string& name) { nn::weight_norm(m, name); });
using Parametrize = std::function<void(Module& module, const std::string& name)>;
std::vector<std::string> parametrize(Module& module, const std::string& pattern, const Parametrize& fn);
template <std::derived_from<Module> M>
std::vector<std::string> parametrize(Module& module, const std::string& pattern, const M& parametrization) {
  return parametrize(module, pattern, [&](Module& m, const std::string& name) {
    register_parametrization(m, name, clone(parametrization));
  });
}

// weight = g v / |v|: Salimans and Kingma (2016). `original0` is g, the norms over all dimensions but `dim`, or over
// all dimensions where `dim` is unset; `original1` is v.
Module& weight_norm(Module& module, const std::string& name = "weight", std::optional<std::int64_t> dim = 0);

// The parameter divided by its largest singular value, as a matrix with one row for each index of dimension `dim`:
// Miyato et al. (2018). In training each call improves the estimate by power iterations. An unset dim is 1 for
// transposed convolutions and 0 for all other modules. ValueError for fewer than one iteration.
struct SpectralNormOptions {
  std::int64_t n_power_iterations = 1;
  double eps = 1e-12;
  std::optional<std::int64_t> dim = {};
};
Module& spectral_norm(Module& module, const std::string& name = "weight", const SpectralNormOptions& options = {});

// Makes a matrix, or each of a stack of matrices, orthogonal: with orthonormal columns, or orthonormal rows where there
// are fewer rows than columns. `orthogonal_map` is "matrix_exp", "cayley" or "householder"; unset, it is "matrix_exp"
// for square matrices and "householder" for others. With the trivialization, training starts at the parameter, made
// orthogonal, and the original is an offset from it (Lezcano-Casado, 2019).
struct OrthogonalOptions {
  std::optional<std::string> orthogonal_map = {};
  bool use_trivialization = true;
};
Module& orthogonal(Module& module, const std::string& name = "weight", const OrthogonalOptions& options = {});

// Makes a square matrix symmetric: the upper triangle is mirrored.
class Symmetric : public Parametrization {
 public:
  Symmetric() : Parametrization("Symmetric") {}
  Tensor forward(const Tensor& x) override;
  std::vector<Tensor> right_inverse(const Tensor& value) override;
};
Module& symmetric(Module& module, const std::string& name = "weight");

}  // namespace gradus::nn

// PyTorch's own places of these names.
namespace gradus::nn::utils {
namespace parametrizations {
using nn::orthogonal;
using nn::spectral_norm;
using nn::weight_norm;
}  // namespace parametrizations
namespace parametrize {
using nn::is_parametrized;
using nn::register_parametrization;
using nn::remove_parametrizations;
}  // namespace parametrize
}  // namespace gradus::nn::utils
