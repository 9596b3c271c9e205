// The operations and losses of gradus/ops/further.h and the like.
#include <gradus/nn/loss/further_losses.h>
#include <gradus/ops.h>
#include <gradus/ops/embedding_bag.h>
#include <gradus/ops/further.h>
#include <gradus/ops/normalization.h>

#include <functional>
#include <map>

#include "differential/differential.h"

namespace gradus::differential {

namespace {

namespace F = nn::functional;
using Tensors = std::vector<Tensor>;
using Table = std::map<std::string, std::function<Tensor(const Tensors& t, const json& k)>>;

std::optional<std::int64_t> maybe(const json& j) {
  return j.is_null() ? std::nullopt : std::optional(j.get<std::int64_t>());
}
std::optional<double> maybe_real(const json& j) { return j.is_null() ? std::nullopt : std::optional(j.get<double>()); }

nn::Reduction reduction(const json& k) {
  const std::string name = k.at("reduction");
  return name == "none" ? nn::Reduction::None : name == "mean" ? nn::Reduction::Mean : nn::Reduction::Sum;
}

Tensor bag(const Tensors& t, const json& k) {
  EmbeddingBagArguments arguments;
  arguments.mode = k["mode"];
  arguments.include_last_offset = k["include_last_offset"];
  arguments.padding_idx = maybe(k["padding_idx"]);
  if (k["weights"]) arguments.per_sample_weights = t.back();
  return embedding_bag(t[0], t[1], k["offsets"] ? t[2] : Tensor(), arguments);
}

Table further() {
  Table ops;
  ops["prelu"] = [](auto& t, auto&) { return prelu(t[0], t[1]); };
  ops["atan2"] = [](auto& t, auto&) { return atan2(t[0], t[1]); };
  ops["isfinite"] = [](auto& t, auto&) { return isfinite(t[0]); };
  ops["cumprod"] = [](auto& t, auto& k) { return cumprod(t[0], k["dim"]); };
  ops["median_values"] = [](auto& t, auto& k) { return median(t[0], k["dim"], k["keepdim"]).first; };
  ops["pairwise_distance"] = [](auto& t, auto& k) {
    return pairwise_distance(t[0], t[1], k["p"], k["eps"], k["keepdim"]);
  };
  ops["cdist"] = [](auto& t, auto& k) { return cdist(t[0], t[1], k["p"]); };
  ops["repeat_interleave"] = [](auto& t, auto& k) {
    if (t.size() > 1) return repeat_interleave(t[0], t[1], maybe(k["dim"]));
    return repeat_interleave(t[0], k["repeats"].template get<std::int64_t>(), maybe(k["dim"]));
  };
  ops["unique"] = [](auto& t, auto&) { return unique(t[0]).values; };
  ops["scatter_value"] = [](auto& t, auto& k) {
    return scatter(t[0], k["dim"].template get<std::int64_t>(), t[1], Scalar(k["value"].template get<double>()));
  };
  ops["rms_norm"] = [](auto& t, auto& k) {
    return rms_norm(t[0], k["shape"].template get<std::vector<std::int64_t>>(), t.size() > 1 ? t[1] : Tensor(),
                    maybe_real(k["eps"]));
  };
  ops["embedding_bag"] = bag;
  ops["triplet_margin_loss"] = [](auto& t, auto& k) {
    return F::triplet_margin_loss(t[0], t[1], t[2],
                                  {.margin = k["margin"], .p = k["p"], .swap = k["swap"], .reduction = reduction(k)});
  };
  ops["gaussian_nll_loss"] = [](auto& t, auto& k) {
    return F::gaussian_nll_loss(t[0], t[1], t[2], {.full = k["full"], .eps = k["eps"], .reduction = reduction(k)});
  };
  ops["ctc_loss"] = [](auto& t, auto& k) {
    return F::ctc_loss(t[0], t[1], t[2], t[3],
                       {.blank = k["blank"], .reduction = reduction(k), .zero_infinity = k["zero_infinity"]});
  };
  return ops;
}

}  // namespace

Tensor further_operation(const std::string& name, const std::vector<Tensor>& in, const json& k) {
  static const Table ops = further();
  return ops.at(name)(in, k);
}

}  // namespace gradus::differential
