#include "optim/engine/pytorch_lbfgs.h"

#include <algorithm>

#include <gradus/autograd.h>
#include <gradus/ops.h>

#include "optim/engine/option_value.h"

namespace gradus::optim {

namespace {

using io::Path;
using io::Value;

constexpr const char* kCall = "from_pytorch";
constexpr const char* kHistories[] = {"old_dirs", "old_stps"};
constexpr const char* kVectors[] = {"d", "prev_flat_grad"};
constexpr const char* kNumbers[] = {"func_evals", "n_iter", "t", "H_diag", "prev_loss"};

bool contains(std::span<const char* const> names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// All parameters' parts of a vector, one after the other.
Tensor flat(const std::vector<Tensor>& parts) {
  std::vector<Tensor> rows;
  for (const Tensor& part : parts) rows.push_back(part.reshape({part.numel()}));
  return cat(rows, 0);
}

// A parameter's part of a vector over all of them.
Tensor part_of(const Tensor& vector, const Path& path, const Params& params, std::size_t index) {
  std::int64_t begin = 0, total = 0;
  for (std::size_t i = 0; i < params.size(); ++i) {
    if (i == index) begin = total;
    total += params[i].second.numel();
  }
  const Tensor& p = params[index].second;
  if (vector.dim() != 1 || vector.numel() != total) {
    refuse(
        kCall, path,
        "need a vector over all parameters, [" + std::to_string(total) + "], got " + gradus::to_string(vector.sizes()));
  }
  return vector.detach().narrow(0, begin, p.numel()).reshape(p.sizes()).clone();
}

}  // namespace

Value lbfgs_to_pytorch(const OptimizerState& state) {
  const NoGrad guard;
  std::vector<const OptimizerState::Param*> params;
  for (const OptimizerState::Group& group : state.groups) {
    for (const std::string& name : group.params)
      if (const auto found = state.params.find(name); found != state.params.end()) params.push_back(&found->second);
  }
  if (params.empty()) return Value::dict();
  const auto vector = [&](const char* name, auto&& part) {
    std::vector<Tensor> parts;
    for (const auto* param : params) {
      const auto found = param->tensors.find(name);
      if (found == param->tensors.end()) return Tensor();
      parts.push_back(part(found->second));
    }
    return flat(parts);
  };
  const auto& numbers = params[0]->numbers;
  const auto number = [&](const char* name) { return numbers.at(name); };
  Value saved = Value::dict({{"func_evals", static_cast<std::int64_t>(number("func_evals"))},
                             {"n_iter", static_cast<std::int64_t>(number("n_iter"))},
                             {"t", number("t")},
                             {"prev_loss", number("prev_loss")}});
  for (const char* name : kVectors)
    if (const Tensor all = vector(name, [](const Tensor& x) { return x; }); all.defined()) saved.set(name, all);
  Value lists[] = {Value::list(), Value::list()}, ro = Value::list();
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(number("count")); ++i) {
    Tensor rows[2];
    for (int k = 0; k < 2; ++k) {
      rows[k] = vector(kHistories[k], [&](const Tensor& x) {
        return x.select(0, (static_cast<std::int64_t>(number("first")) + i) % x.size(0));
      });
      lists[k].push_back(rows[k]);
    }
    ro.push_back(1 / (rows[0] * rows[1]).sum());
  }
  for (int k = 0; k < 2; ++k) saved.set(kHistories[k], lists[k]);
  saved.set("ro", ro);
  const Dtype dtype = params[0]->tensors.empty() ? kFloat32 : params[0]->tensors.begin()->second.dtype();
  saved.set("H_diag", tensor(number("H_diag"), {.dtype = dtype}));
  return Value::dict({{0, saved}});
}

void lbfgs_from_pytorch(const Value& saved, const Path& path, const Params& params, OptimizerState& state,
                        std::vector<std::string>& left_out) {
  const NoGrad guard;
  std::map<std::string, OptimizerState::Param> filled;
  for (const auto& [name, p] : params) filled[name].numbers = {{"count", 0}, {"first", 0}};
  std::int64_t counts[2] = {0, 0};
  for (const auto& [key, value] : saved.entries(path)) {
    const std::string name = key.to_string();
    const Path at = joined(path, {key});
    if (value.is_none() || name == "al" || name == "ro") continue;  // both follow from the rest
    if (contains(kNumbers, name)) {
      const double number = number_at(kCall, saved, at);
      for (auto& [param, own] : filled) own.numbers[name] = number;
    } else if (contains(kVectors, name)) {
      for (std::size_t i = 0; i < params.size(); ++i)
        filled[params[i].first].tensors[name] = part_of(saved.as_tensor(at), at, params, i);
    } else if (contains(kHistories, name)) {
      const auto rows = value.items();
      counts[name == kHistories[1]] = static_cast<std::int64_t>(rows.size());
      for (std::size_t i = 0; i < params.size() && rows.size() > 0; ++i) {
        std::vector<Tensor> parts;
        for (std::size_t row = 0; row < rows.size(); ++row)
          parts.push_back(part_of(saved.as_tensor(joined(at, {row})), joined(at, {row}), params, i));
        filled[params[i].first].tensors[name] = stack(parts, 0);
      }
    } else {
      left_out.push_back(io::to_string(at));
    }
  }
  if (counts[0] != counts[1]) refuse(kCall, path, "old_dirs and old_stps need the same length");
  for (auto& [name, own] : filled) {
    own.numbers["count"] = static_cast<double>(counts[0]);
    own.step = own.numbers["n_iter"] > 0 ? 1 : 0;  // PyTorch does not count calls
    state.params[name] = std::move(own);
  }
}

}  // namespace gradus::optim
