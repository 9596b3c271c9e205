// optim::ShardedOptimizer: who owns what, and how others get to know of it.
#include <fmt/format.h>
#include <gradus/autograd.h>
#include <gradus/ops.h>
#include <gradus/optim/zero_redundancy_optimizer.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "autograd/gradient_owner.h"
#include "core/tensor_access.h"
#include "distributed/connection/round.h"
#include "distributed/sending.h"

namespace gradus::optim {

using distributed::bytes_of;
using distributed::Group;

namespace {

// What a rank says of its state, without the tensors' elements.
class Writer {
 public:
  void put(const std::string& text) {
    put(static_cast<std::int64_t>(text.size()));
    bytes_ += text;
  }
  template <class T>
  requires(std::is_arithmetic_v<T>) void put(T x) { bytes_.append(reinterpret_cast<const char*>(&x), sizeof x); }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

class Reader {
 public:
  explicit Reader(const std::string& bytes) : bytes_(bytes) {}
  bool ended() const { return at_ == bytes_.size(); }
  std::string text() {
    const auto size = static_cast<std::size_t>(number<std::int64_t>());
    const std::string text = bytes_.substr(at_, size);
    at_ += size;
    return text;
  }
  template <class T>
  T number() {
    T x{};
    std::memcpy(&x, bytes_.data() + at_, sizeof x);
    at_ += sizeof x;
    return x;
  }

 private:
  const std::string& bytes_;
  std::size_t at_ = 0;
};

std::string described(const std::map<std::string, OptimizerState::Param>& params) {
  Writer writer;
  for (const auto& [name, param] : params) {
    writer.put(name);
    writer.put(param.step);
    writer.put(static_cast<std::int64_t>(param.numbers.size()));
    for (const auto& [key, number] : param.numbers) {
      writer.put(key);
      writer.put(number);
    }
    writer.put(static_cast<std::int64_t>(param.tensors.size()));
    for (const auto& [key, x] : param.tensors) {
      writer.put(key);
      writer.put(static_cast<std::int64_t>(x.dtype()));
      writer.put(static_cast<std::int64_t>(x.dim()));
      for (const std::int64_t size : x.sizes()) writer.put(size);
    }
  }
  return writer.bytes();
}

// With tensors whose elements are to come, and how many bytes these are.
std::map<std::string, OptimizerState::Param> described_by(const std::string& bytes, bool allocates,
                                                          std::size_t& elements) {
  std::map<std::string, OptimizerState::Param> params;
  Reader reader(bytes);
  while (!reader.ended()) {
    OptimizerState::Param& param = params[reader.text()];
    param.step = reader.number<std::int64_t>();
    for (std::int64_t n = reader.number<std::int64_t>(); n > 0; --n) {
      const std::string key = reader.text();
      param.numbers[key] = reader.number<double>();
    }
    for (std::int64_t n = reader.number<std::int64_t>(); n > 0; --n) {
      const std::string key = reader.text();
      const auto dtype = static_cast<Dtype>(reader.number<std::int64_t>());
      Shape sizes;
      for (std::int64_t d = reader.number<std::int64_t>(); d > 0; --d) sizes.push_back(reader.number<std::int64_t>());
      elements += static_cast<std::size_t>(sizes.numel() * element_size(dtype));
      if (allocates) param.tensors[key] = empty(sizes, {.dtype = dtype});
    }
  }
  return params;
}

std::vector<Tensor> tensors_of(const std::map<std::string, OptimizerState::Param>& params) {
  std::vector<Tensor> tensors;
  for (const auto& [name, param] : params)
    for (const auto& [key, x] : param.tensors) tensors.push_back(x);
  return tensors;
}

// Gradients that are out of an optimizer's sight.
class Hidden {
 public:
  ~Hidden() {
    for (auto& [parameter, gradient] : hidden_) parameter.set_grad(gradient);
  }
  void hide(Tensor parameter) {
    hidden_.emplace_back(parameter, parameter.grad());
    parameter.set_grad(Tensor());
  }

 private:
  std::vector<std::pair<Tensor, Tensor>> hidden_;
};

// For norms: see autograd/gradient_owner.h.
void numbers_of_owners(std::vector<double>& numbers, const std::vector<int>& owners) {
  Group* const g = distributed::group();
  if (g == nullptr) return;
  distributed::Round round(*g, fmt::format("the norm of {} gradients", numbers.size()),
                           {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(double)});
  round.wait();
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (owners[i] >= 0) std::memcpy(&numbers[i], round.of(owners[i]).data() + i * sizeof(double), sizeof(double));
  }
}

}  // namespace

// The largest first, each to the rank that has least.
void ShardedOptimizer::share_out() {
  std::vector<Tensor> fresh;
  for (const Tensor& parameter : parameters()) {
    if (owners_.contains(parameter.impl())) continue;
    if (!inner().state_bytes(parameter))
      throw ValueError(fmt::format("ZeroRedundancyOptimizer: {} needs all parameters at once, and no rank has them all",
                                   inner().name()));
    if (std::string_view(inner().name()).find("ScheduleFree") != std::string_view::npos)
      throw ValueError(fmt::format(
          "ZeroRedundancyOptimizer: {} keeps averages that networks use in evaluation, so every rank needs them",
          inner().name()));
    fresh.push_back(parameter);
  }
  std::stable_sort(fresh.begin(), fresh.end(), [](const Tensor& a, const Tensor& b) { return a.numel() > b.numel(); });
  elements_.resize(static_cast<std::size_t>(distributed::size()));
  for (const Tensor& parameter : fresh) {
    const auto least = std::min_element(elements_.begin(), elements_.end());
    *least += parameter.numel();
    owners_.emplace(parameter.impl(), Owned{parameter, static_cast<int>(least - elements_.begin())});
  }
  if (shards_gradients_) tell_owners();
}

void ShardedOptimizer::tell_owners() const {
  for (const auto& [impl, owned] : owners_)
    gradus::detail::set_gradient_owner(owned.parameter.impl(), owned.rank, this);
}

void ShardedOptimizer::forget_owners() const {
  for (const auto& [impl, owned] : owners_) gradus::detail::forget_gradient_owner(owned.parameter.impl(), this);
}

ShardedOptimizer::~ShardedOptimizer() { forget_owners(); }

void ShardedOptimizer::shard_gradients(bool on) {
  if (distributed::group() == nullptr || on == shards_gradients_) return;
  shards_gradients_ = on;
  if (!on) return forget_owners();
  gradus::detail::numbers_of_owners = &numbers_of_owners;
  tell_owners();
}

// Whose gradients are there, of all parameters; those of other ranks are known to them alone.
std::vector<bool> ShardedOptimizer::have_gradients(const std::vector<Tensor>& all) const {
  std::vector<bool> have;
  for (const Tensor& x : all) have.push_back(x.grad().defined() && !gradus::detail::is_frozen(*x.impl()));
  if (!shards_gradients_) return have;
  for (const Tensor& x : all) {
    if (gradus::detail::gradient_owner(x.impl()) != owner(x))
      throw ValueError(
          fmt::format("ZeroRedundancyOptimizer: shard_gradients() of another optimizer, made later, has taken the "
                      "gradient of a parameter of {} {}",
                      gradus::to_string(x.dtype()), gradus::to_string(x.sizes())));
  }
  std::string bits(have.size(), '0');
  for (std::size_t i = 0; i < have.size(); ++i) bits[i] = have[i] ? '1' : '0';
  distributed::Round round(*distributed::group(),
                           fmt::format("a step of {} on its share of {} gradients", name(), all.size()), bits);
  round.wait();
  for (std::size_t i = 0; i < have.size(); ++i) have[i] = round.of(owner(all[i]))[i] == '1';
  return have;
}

int ShardedOptimizer::owner(const Tensor& parameter) const {
  const auto known = owners_.find(parameter.impl());
  if (known == owners_.end())
    throw ValueError("ZeroRedundancyOptimizer: owner() takes one of its own parameters, got another tensor");
  return known->second.rank;
}

std::optional<std::int64_t> ShardedOptimizer::state_bytes(const Tensor& parameter) const {
  const auto known = owners_.find(parameter.impl());
  if (known == owners_.end()) return inner().state_bytes(parameter);
  return known->second.rank == distributed::rank() ? inner().state_bytes(parameter) : 0;
}

void ShardedOptimizer::update() {
  consolidated_.reset();
  if (inner().clipping())
    throw ValueError("ZeroRedundancyOptimizer: clipping must be set on it, not on the optimizer within");
  share_out();  // groups may have been added to the inner one
  Group* const g = distributed::group();
  if (g == nullptr) return step_within(inner());
  std::vector<std::vector<Tensor>> updated(static_cast<std::size_t>(g->size()));
  {
    Hidden hidden;
    const std::vector<Tensor> all = parameters();
    const std::vector<bool> have = have_gradients(all);
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (!have[i]) continue;
      const int rank = owner(all[i]);
      if (all[i].numel() > 0) updated[static_cast<std::size_t>(rank)].push_back(all[i]);
      if (rank != g->rank()) hidden.hide(all[i]);
    }
    try {
      step_within(inner());
    } catch (const std::exception& error) {
      distributed::abort(error.what());
      throw;
    }
  }
  std::size_t count = 0, bytes = 0;
  std::vector<std::vector<Tensor>> here;  // in the host's memory
  for (std::size_t rank = 0; rank < updated.size(); ++rank) {
    here.emplace_back();
    count += updated[rank].size();
    for (const Tensor& x : updated[rank]) {
      bytes += bytes_of(x);
      if (static_cast<int>(rank) != g->rank()) gradus::detail::bump_version(x);
      here.back().push_back(x.device() == kCPU ? x : x.detach().to(kCPU));
    }
  }
  const std::string what = fmt::format("a step of {} on {} parameters of {} bytes", name(), count, bytes);
  distributed::Round(*g, what).wait();
  distributed::exchange_tensors(*g, what, here);
  for (std::size_t rank = 0; rank < updated.size(); ++rank) {
    if (static_cast<int>(rank) == g->rank()) continue;
    for (std::size_t i = 0; i < updated[rank].size(); ++i)
      if (const Tensor& x = updated[rank][i]; !here[rank][i].is_same(x))
        Tensor(x.detach()).copy_(here[rank][i].to(x.device()));
  }
}

void ShardedOptimizer::consolidate_state_dict(int to) {
  if (to < 0 || to >= distributed::size())
    throw ValueError(
        fmt::format("consolidate_state_dict: `to` must be a rank from 0 to {}, got {}", distributed::size() - 1, to));
  Group* const g = distributed::group();
  if (g == nullptr) return;
  OptimizerState state = inner().state_dict();
  for (auto& [name, param] : state.params)
    for (auto& [key, x] : param.tensors) x = x.to(kCPU).contiguous();
  const std::string what = fmt::format("consolidate_state_dict of {} to rank {}", name(), to);
  const std::vector<std::string> all = distributed::gather_texts(*g, what, described(state.params));
  for (int rank = 0; rank < g->size(); ++rank) {
    if (rank == to) continue;
    std::size_t bytes = 0;
    auto theirs = described_by(all[static_cast<std::size_t>(rank)], g->rank() == to, bytes);
    distributed::send_tensors(*g, what, rank, to, tensors_of(rank == g->rank() ? state.params : theirs), bytes);
    if (g->rank() == to) state.params.merge(theirs);
  }
  consolidated_.reset();
  if (g->rank() == to) consolidated_ = std::move(state);
}

OptimizerState ShardedOptimizer::state_dict() const {
  if (distributed::size() == 1) return inner().state_dict();
  if (consolidated_) return *consolidated_;
  throw ValueError(fmt::format(
      "ZeroRedundancyOptimizer.state_dict: rank {} has only its share of the state: call consolidate_state_dict() on "
      "all ranks first, and state_dict() on the rank that it names",
      distributed::rank()));
}

LoadStateReport ShardedOptimizer::load_state_dict(const OptimizerState& state, const LoadStateOptions& options) {
  OptimizerState own = state;
  const auto groups = inner().state_dict().groups;
  for (std::size_t g = 0; g < groups.size(); ++g)
    for (std::size_t i = 0; i < groups[g].params.size(); ++i)
      if (owner(group_params(g)[i].second) != distributed::rank()) own.params.erase(groups[g].params[i]);
  const LoadStateReport report = inner().load_state_dict(own, options);
  if (!options.check_only) consolidated_.reset();
  return report;
}

}  // namespace gradus::optim
