#include <gradus/nn/functional.h>
#include <gradus/ops.h>
#include <gradus/ops/attention.h>
#include <gradus/ops/convolution.h>
#include <gradus/ops/normalization.h>
#include <gradus/ops/pooling.h>
#include <gradus/ops/resampling.h>

#include <functional>
#include <limits>
#include <map>

#include "differential/differential.h"

namespace gradus::differential {

namespace {

namespace F = nn::functional;
using Tensors = std::vector<Tensor>;
using Run = std::function<Tensor(const Tensors& t, const json& k, const Tensors& all)>;
using Table = std::map<std::string, Run>;

std::int64_t integer(const json& k, const char* key) { return k.at(key).get<std::int64_t>(); }
bool flag(const json& k, const char* key) { return k.at(key).get<bool>(); }
double real(const json& j) { return j == "inf" ? std::numeric_limits<double>::infinity() : j.get<double>(); }
Shape shape(const json& j) { return j.get<std::vector<std::int64_t>>(); }
std::optional<std::int64_t> maybe(const json& j) {
  return j.is_null() ? std::nullopt : std::optional(j.get<std::int64_t>());
}
std::optional<double> maybe_real(const json& j) { return j.is_null() ? std::nullopt : std::optional(j.get<double>()); }
Tensor at(const Tensors& t, std::size_t i) { return i < t.size() ? t[i] : Tensor(); }

Scalar scalar(const json& j) {
  if (j.is_boolean()) return j.get<bool>();
  if (j.is_number_integer()) return j.get<std::int64_t>();
  return j.get<double>();
}

Dtype dtype_of(const std::string& name) {
  for (const Dtype dtype : {kBool, kUInt8, kInt8, kInt16, kInt32, kInt64, kFloat16, kBFloat16, kFloat32, kFloat64})
    if (name == to_string(dtype)) return dtype;
  throw DtypeError("no type is named " + name);
}

template <int N>
Spatial<N> spatial(const json& j) {
  Spatial<N> values(0);
  for (int i = 0; i < N; ++i) values[i] = j[static_cast<std::size_t>(i)].get<std::int64_t>();
  return values;
}

std::vector<Index> index_of(const json& spec, const Tensors& all) {
  std::vector<Index> out;
  for (const json& part : spec) {
    if (part.is_null()) {
      out.push_back(IndexArg(None).index);
    } else if (part.is_number()) {
      out.push_back(IndexArg(part.get<std::int64_t>()).index);
    } else if (part.contains("tensor")) {
      out.push_back(IndexArg(all[part["tensor"].get<std::size_t>()]).index);
    } else {
      out.push_back(IndexArg(Slice{maybe(part["start"]), maybe(part["stop"]), integer(part, "step")}).index);
    }
  }
  return out;
}

nn::Reduction reduction(const json& k) {
  const std::string name = k.at("reduction");
  return name == "none"   ? nn::Reduction::None
         : name == "mean" ? nn::Reduction::Mean
         : name == "sum"  ? nn::Reduction::Sum
                          : nn::Reduction::BatchMean;
}
Tensor weight(const Tensors& t, const json& k, const char* key) {
  return k.contains(key) ? t[k[key].get<std::size_t>()] : Tensor();
}

void add_pointwise(Table& ops) {
#define GRADUS_OP(name) ops[#name] = [](const Tensors& t, const json&, const Tensors&) { return name(t[0]); }
  GRADUS_OP(neg);
  GRADUS_OP(abs);
  GRADUS_OP(sign);
  GRADUS_OP(floor);
  GRADUS_OP(ceil);
  GRADUS_OP(round);
  GRADUS_OP(exp);
  GRADUS_OP(expm1);
  GRADUS_OP(log);
  GRADUS_OP(log1p);
  GRADUS_OP(log2);
  GRADUS_OP(log10);
  GRADUS_OP(sqrt);
  GRADUS_OP(rsqrt);
  GRADUS_OP(square);
  GRADUS_OP(reciprocal);
  GRADUS_OP(sin);
  GRADUS_OP(cos);
  GRADUS_OP(tan);
  GRADUS_OP(atan);
  GRADUS_OP(tanh);
  GRADUS_OP(erf);
  GRADUS_OP(relu);
  GRADUS_OP(relu6);
  GRADUS_OP(sigmoid);
  GRADUS_OP(silu);
  GRADUS_OP(logsigmoid);
  GRADUS_OP(isnan);
  GRADUS_OP(isinf);
  GRADUS_OP(logical_not);
  GRADUS_OP(nonzero);
  GRADUS_OP(squeeze);
#undef GRADUS_OP
#define GRADUS_OP(name)                                                       \
  ops[#name] = [](const Tensors& t, const json& k, const Tensors&) {          \
    return t.size() > 1 ? name(t[0], t[1]) : name(t[0], scalar(k["number"])); \
  }
  GRADUS_OP(add);
  GRADUS_OP(sub);
  GRADUS_OP(mul);
  GRADUS_OP(div);
  GRADUS_OP(pow);
  GRADUS_OP(eq);
  GRADUS_OP(ne);
  GRADUS_OP(lt);
  GRADUS_OP(le);
  GRADUS_OP(gt);
  GRADUS_OP(ge);
#undef GRADUS_OP
#define GRADUS_OP(name)                                                         \
  ops[#name] = [](const Tensors& t, const json& k, const Tensors&) {            \
    return name(t[0], t.size() > 1 ? t[1] : number(scalar(k["number"]), t[0])); \
  }
  GRADUS_OP(floor_divide);
  GRADUS_OP(remainder);
  GRADUS_OP(maximum);
  GRADUS_OP(minimum);
  GRADUS_OP(logical_and);
  GRADUS_OP(logical_or);
  GRADUS_OP(logical_xor);
  GRADUS_OP(mm);
  GRADUS_OP(bmm);
  GRADUS_OP(matmul);
  GRADUS_OP(outer);
  GRADUS_OP(dot);
  GRADUS_OP(masked_select);
#undef GRADUS_OP
  ops["leaky_relu"] = [](auto& t, auto& k, auto&) { return leaky_relu(t[0], real(k["negative_slope"])); };
  ops["hardtanh"] = [](auto& t, auto& k, auto&) { return hardtanh(t[0], real(k["min_val"]), real(k["max_val"])); };
  ops["elu"] = [](auto& t, auto& k, auto&) { return elu(t[0], real(k["alpha"])); };
  ops["gelu"] = [](auto& t, auto& k, auto&) { return gelu(t[0], k["approximate"].template get<std::string>()); };
  ops["softplus"] = [](auto& t, auto& k, auto&) { return softplus(t[0], real(k["beta"]), real(k["threshold"])); };
  ops["clamp"] = [](auto& t, auto& k, auto&) { return clamp(t[0], maybe_real(k["min"]), maybe_real(k["max"])); };
  ops["softmax"] = [](auto& t, auto& k, auto&) { return softmax(t[0], integer(k, "dim")); };
  ops["log_softmax"] = [](auto& t, auto& k, auto&) { return log_softmax(t[0], integer(k, "dim")); };
  ops["where"] = [](auto& t, auto&, auto&) { return where(t[0], t[1], t[2]); };
  ops["lerp"] = [](auto& t, auto& k, auto&) { return lerp(t[0], t[1], real(k["weight"])); };
}

void add_reductions(Table& ops) {
  using Of = Tensor (*)(const Tensor&, const Dims&, bool);
  const auto add = [&](const char* name, Of of) {
    ops[name] = [of](auto& t, auto& k, auto&) { return of(t[0], shape(k["dim"]), flag(k, "keepdim")); };
  };
  add("sum", [](const Tensor& x, const Dims& d, bool keep) { return sum(x, d, keep); });
  add("mean", mean);
  add("amax", amax);
  add("amin", amin);
  add("logsumexp", logsumexp);
  ops["prod"] = [](auto& t, auto& k, auto&) { return prod(t[0], integer(k, "dim"), flag(k, "keepdim")); };
  ops["var"] = [](auto& t, auto& k, auto&) {
    return var(t[0], shape(k["dim"]), real(k["correction"]), flag(k, "keepdim"));
  };
  ops["std"] = [](auto& t, auto& k, auto&) {
    return gradus::std(t[0], shape(k["dim"]), real(k["correction"]), flag(k, "keepdim"));
  };
  ops["norm"] = [](auto& t, auto& k, auto&) { return norm(t[0], real(k["p"]), shape(k["dim"]), flag(k, "keepdim")); };
  ops["cumsum"] = [](auto& t, auto& k, auto&) { return cumsum(t[0], integer(k, "dim")); };
  ops["argmax"] = [](auto& t, auto& k, auto&) { return argmax(t[0], integer(k, "dim"), flag(k, "keepdim")); };
  ops["argmin"] = [](auto& t, auto& k, auto&) { return argmin(t[0], integer(k, "dim"), flag(k, "keepdim")); };
  ops["max_values"] = [](auto& t, auto& k, auto&) { return max(t[0], integer(k, "dim"), flag(k, "keepdim")).first; };
  ops["min_indices"] = [](auto& t, auto& k, auto&) { return min(t[0], integer(k, "dim"), flag(k, "keepdim")).second; };
  ops["all"] = [](auto& t, auto& k, auto&) { return all(t[0], {integer(k, "dim")}); };
  ops["any"] = [](auto& t, auto& k, auto&) { return any(t[0], {integer(k, "dim")}); };
  ops["cosine_similarity"] = [](auto& t, auto& k, auto&) {
    return F::cosine_similarity(t[0], t[1], integer(k, "dim"));
  };
  ops["normalize"] = [](auto& t, auto& k, auto&) { return F::normalize(t[0], real(k["p"]), integer(k, "dim")); };
}

void add_shapes(Table& ops) {
  ops["view"] = [](auto& t, auto& k, auto&) { return view(t[0], shape(k["sizes"])); };
  ops["reshape"] = [](auto& t, auto& k, auto&) { return reshape(t[0], shape(k["sizes"])); };
  ops["permute"] = [](auto& t, auto& k, auto&) { return permute(t[0], shape(k["dims"])); };
  ops["transpose"] = [](auto& t, auto& k, auto&) { return transpose(t[0], k["dims"][0], k["dims"][1]); };
  ops["expand"] = [](auto& t, auto& k, auto&) { return expand(t[0], shape(k["sizes"])); };
  ops["flatten"] = [](auto& t, auto& k, auto&) { return flatten(t[0], integer(k, "start"), integer(k, "end")); };
  ops["slice"] = [](auto& t, auto& k, auto&) {
    return slice(t[0], integer(k, "dim"), maybe(k["start"]), maybe(k["stop"]), integer(k, "step"));
  };
  ops["select"] = [](auto& t, auto& k, auto&) { return select(t[0], integer(k, "dim"), integer(k, "index")); };
  ops["narrow"] = [](auto& t, auto& k, auto&) {
    return narrow(t[0], integer(k, "dim"), integer(k, "start"), integer(k, "length"));
  };
  ops["unsqueeze"] = [](auto& t, auto& k, auto&) { return unsqueeze(t[0], integer(k, "dim")); };
  ops["contiguous"] = [](auto& t, auto&, auto&) { return t[0].contiguous(); };
  ops["clone"] = [](auto& t, auto&, auto&) { return t[0].clone(); };
  ops["detach"] = [](auto& t, auto&, auto&) { return t[0].detach(); };
  ops["to"] = [](auto& t, auto& k, auto&) { return t[0].to(dtype_of(k["dtype"])); };
  ops["chunk"] = [](auto& t, auto& k, auto&) {
    return chunk(t[0], integer(k, "chunks"), integer(k, "dim")).at(k["take"].template get<std::size_t>());
  };
  ops["split"] = [](auto& t, auto& k, auto&) {
    return split(t[0], integer(k, "size"), integer(k, "dim")).at(k["take"].template get<std::size_t>());
  };
  ops["cat"] = [](auto& t, auto& k, auto&) { return cat(t, integer(k, "dim")); };
  ops["stack"] = [](auto& t, auto& k, auto&) { return stack(t, integer(k, "dim")); };
  ops["flip"] = [](auto& t, auto& k, auto&) { return flip(t[0], shape(k["dims"])); };
  ops["roll"] = [](auto& t, auto& k, auto&) { return roll(t[0], shape(k["shifts"]), shape(k["dims"])); };
  ops["repeat"] = [](auto& t, auto& k, auto&) { return repeat(t[0], shape(k["repeats"])); };
  ops["tril"] = [](auto& t, auto& k, auto&) { return tril(t[0], integer(k, "diagonal")); };
  ops["triu"] = [](auto& t, auto& k, auto&) { return triu(t[0], integer(k, "diagonal")); };
  ops["arange"] = [](auto&, auto& k, auto&) { return arange(scalar(k["start"]), scalar(k["end"]), scalar(k["step"])); };
  ops["linspace"] = [](auto&, auto& k, auto&) {
    return linspace(real(k["start"]), real(k["end"]), integer(k, "steps"));
  };
  ops["full"] = [](auto&, auto& k, auto&) { return full(shape(k["sizes"]), scalar(k["value"])); };
  ops["eye"] = [](auto&, auto& k, auto&) { return eye(integer(k, "n"), integer(k, "m")); };
}

void add_indexing(Table& ops) {
  ops["index"] = [](auto& t, auto& k, auto& all) { return t[0].index(index_of(k["index"], all)); };
  ops["index_put"] = [](auto& t, auto& k, auto& all) {
    Tensor x = t[0];
    return x.index_put_(index_of(k["index"], all), t[1]);
  };
  ops["gather"] = [](auto& t, auto& k, auto&) { return gather(t[0], integer(k, "dim"), t[1]); };
  ops["scatter"] = [](auto& t, auto& k, auto&) { return scatter(t[0], integer(k, "dim"), t[1], t[2]); };
  ops["scatter_add"] = [](auto& t, auto& k, auto&) { return scatter_add(t[0], integer(k, "dim"), t[1], t[2]); };
  ops["index_select"] = [](auto& t, auto& k, auto&) { return index_select(t[0], integer(k, "dim"), t[1]); };
  ops["index_add"] = [](auto& t, auto& k, auto&) { return index_add(t[0], integer(k, "dim"), t[1], t[2]); };
  ops["masked_fill"] = [](auto& t, auto& k, auto&) { return masked_fill(t[0], t[1], scalar(k["value"])); };
  ops["sort"] = [](auto& t, auto& k, auto&) { return sort(t[0], integer(k, "dim"), flag(k, "descending")).first; };
  ops["argsort"] = [](auto& t, auto& k, auto&) { return argsort(t[0], integer(k, "dim"), flag(k, "descending")); };
  ops["topk"] = [](auto& t, auto& k, auto&) {
    return topk(t[0], integer(k, "k"), integer(k, "dim"), flag(k, "largest")).first;
  };
  ops["one_hot"] = [](auto& t, auto& k, auto&) { return one_hot(t[0], integer(k, "classes")); };
  ops["embedding"] = [](auto& t, auto& k, auto&) {
    const auto padding = maybe(k["padding_idx"]);
    return embedding(t[0], t[1], !padding ? -1 : *padding < 0 ? *padding + t[1].size(0) : *padding);
  };
  ops["linear"] = [](auto& t, auto&, auto&) { return linear(t[0], t[1], at(t, 2)); };
  ops["bilinear"] = [](auto& t, auto&, auto&) { return bilinear(t[0], t[1], t[2], at(t, 3)); };
  ops["addmm"] = [](auto& t, auto& k, auto&) { return addmm(t[0], t[1], t[2], real(k["beta"]), real(k["alpha"])); };
  ops["einsum"] = [](auto& t, auto& k, auto&) { return einsum(k["equation"].template get<std::string>(), t); };
}

template <int N>
Tensor layer(const std::string& name, const Tensors& t, const json& k) {
  const auto all = [&](const char* key) { return spatial<N>(k.at(key)); };
  if constexpr (N == 1) {
#define GRADUS_LAYERS(n)                                                                                              \
  if (name == "conv")                                                                                                 \
    return conv##n##d(t[0], t[1], at(t, 2), all("stride"), all("padding"), all("dilation"), integer(k, "groups"));    \
  if (name == "conv_transpose")                                                                                       \
    return conv_transpose##n##d(t[0], t[1], at(t, 2), all("stride"), all("padding"), all("output_padding"),           \
                                integer(k, "groups"), all("dilation"));                                               \
  if (name == "max_pool")                                                                                             \
    return max_pool##n##d(t[0], all("kernel"), all("stride"), all("padding"), all("dilation"), flag(k, "ceil_mode")); \
  if (name == "avg_pool")                                                                                             \
    return avg_pool##n##d(t[0], all("kernel"), all("stride"), all("padding"), flag(k, "ceil_mode"),                   \
                          flag(k, "count_include_pad"));                                                              \
  return name == "adaptive_avg_pool" ? adaptive_avg_pool##n##d(t[0], all("size"))                                     \
                                     : adaptive_max_pool##n##d(t[0], all("size"));
    GRADUS_LAYERS(1)
  } else if constexpr (N == 2) {
    GRADUS_LAYERS(2)
  } else {
    GRADUS_LAYERS(3)
#undef GRADUS_LAYERS
  }
}

void add_layers(Table& ops) {
  for (const std::string name :
       {"conv", "conv_transpose", "max_pool", "avg_pool", "adaptive_avg_pool", "adaptive_max_pool"}) {
    ops[name] = [name](auto& t, auto& k, auto&) {
      const std::int64_t n = integer(k, "n");
      return n == 1 ? layer<1>(name, t, k) : n == 2 ? layer<2>(name, t, k) : layer<3>(name, t, k);
    };
  }
  ops["pad"] = [](auto& t, auto& k, auto&) {
    return pad(t[0], k["padding"].template get<std::vector<std::int64_t>>(), k["mode"].template get<std::string>(),
               scalar(k["value"]));
  };
  ops["interpolate"] = [](auto& t, auto& k, auto&) {
    const std::string mode = k["mode"];
    InterpolateOptions o{.mode = mode};
    if (k.contains("size")) o.size = k["size"].template get<std::vector<std::int64_t>>();
    if (k.contains("scale_factor")) o.scale_factor = k["scale_factor"].template get<std::vector<double>>();
    if (k.contains("align_corners")) o.align_corners = flag(k, "align_corners");
    o.recompute_scale_factor = k.value("recompute_scale_factor", false);
    return interpolate(t[0], o);
  };
  ops["pixel_shuffle"] = [](auto& t, auto& k, auto&) { return pixel_shuffle(t[0], integer(k, "factor")); };
  ops["batch_norm"] = [](auto& t, auto& k, auto&) {
    return batch_norm(t[0], {}, {}, at(t, 1), at(t, 2), true, 0.1, real(k["eps"]));
  };
  ops["batch_norm_eval"] = [](auto& t, auto& k, auto&) {
    return batch_norm(t[0], t[1], t[2], at(t, 3), at(t, 4), false, 0.1, real(k["eps"]));
  };
  ops["instance_norm"] = [](auto& t, auto& k, auto&) {
    return instance_norm(t[0], {}, {}, at(t, 1), at(t, 2), true, 0.1, real(k["eps"]));
  };
  ops["layer_norm"] = [](auto& t, auto& k, auto&) {
    return layer_norm(t[0], shape(k["shape"]), at(t, 1), at(t, 2), real(k["eps"]));
  };
  ops["group_norm"] = [](auto& t, auto& k, auto&) {
    return group_norm(t[0], integer(k, "groups"), at(t, 1), at(t, 2), real(k["eps"]));
  };
  ops["attention"] = [](auto& t, auto& k, auto&) {
    return scaled_dot_product_attention(t[0], t[1], t[2], at(t, 3), 0, flag(k, "is_causal"));
  };
}

void add_losses(Table& ops) {
  ops["cross_entropy"] = [](auto& t, auto& k, auto&) {
    return F::cross_entropy(t[0], t[1],
                            {.weight = weight(t, k, "weight"),
                             .reduction = reduction(k),
                             .label_smoothing = k.value("label_smoothing", 0.0)});
  };
  ops["nll_loss"] = [](auto& t, auto& k, auto&) {
    return F::nll_loss(t[0], t[1], {.weight = weight(t, k, "weight"), .reduction = reduction(k)});
  };
  ops["binary_cross_entropy"] = [](auto& t, auto& k, auto&) {
    return F::binary_cross_entropy(t[0], t[1], {.weight = weight(t, k, "weight"), .reduction = reduction(k)});
  };
  ops["binary_cross_entropy_with_logits"] = [](auto& t, auto& k, auto&) {
    return F::binary_cross_entropy_with_logits(
        t[0], t[1],
        {.weight = weight(t, k, "weight"), .reduction = reduction(k), .pos_weight = weight(t, k, "pos_weight")});
  };
  ops["mse_loss"] = [](auto& t, auto& k, auto&) { return F::mse_loss(t[0], t[1], {reduction(k)}); };
  ops["l1_loss"] = [](auto& t, auto& k, auto&) { return F::l1_loss(t[0], t[1], {reduction(k)}); };
  ops["huber_loss"] = [](auto& t, auto& k, auto&) {
    return F::huber_loss(t[0], t[1], {reduction(k), real(k["delta"])});
  };
  ops["smooth_l1_loss"] = [](auto& t, auto& k, auto&) {
    return F::smooth_l1_loss(t[0], t[1], {reduction(k), real(k["beta"])});
  };
  ops["kl_div"] = [](auto& t, auto& k, auto&) { return F::kl_div(t[0], t[1], {reduction(k), flag(k, "log_target")}); };
  ops["cosine_embedding_loss"] = [](auto& t, auto& k, auto&) {
    return F::cosine_embedding_loss(t[0], t[1], t[2], {real(k["margin"]), reduction(k)});
  };
}

void add_in_place(Table& ops) {
  const auto add = [&](const char* name, std::function<Tensor(Tensor&, const Tensors&, const json&)> run) {
    ops[name] = [run](auto& t, auto& k, auto&) {
      Tensor x = t[0];
      return run(x, t, k);
    };
  };
  add("add_", [](Tensor& x, auto& t, auto&) { return x.add_(t[1]); });
  add("sub_", [](Tensor& x, auto& t, auto&) { return x.sub_(t[1]); });
  add("mul_", [](Tensor& x, auto& t, auto&) { return x.mul_(t[1]); });
  add("div_", [](Tensor& x, auto& t, auto&) { return x.div_(t[1]); });
  add("copy_", [](Tensor& x, auto& t, auto&) { return x.copy_(t[1]); });
  add("fill_", [](Tensor& x, auto&, auto& k) { return x.fill_(scalar(k["value"])); });
  add("clamp_", [](Tensor& x, auto&, auto& k) { return x.clamp_(maybe_real(k["min"]), maybe_real(k["max"])); });
  add("relu_", [](Tensor& x, auto&, auto&) { return x.relu_(); });
  add("zero_", [](Tensor& x, auto&, auto&) { return x.zero_(); });
}

}  // namespace

Tensor operation(const std::string& name, const Tensors& in, const json& k, const Tensors& all) {
  static const Table ops = [] {
    Table table;
    for (const auto add :
         {add_pointwise, add_reductions, add_shapes, add_indexing, add_layers, add_losses, add_in_place})
      add(table);
    return table;
  }();
  const auto found = ops.find(name);
  return found == ops.end() ? further_operation(name, in, k) : found->second(in, k, all);
}

}  // namespace gradus::differential
