// optim::ShardedOptimizer: who owns what, and how others get to know of it.
#include <fmt/format.h>
#include <gradus/autograd.h>
#include <gradus/ops.h>
#include <gradus/optim/zero_redundancy_optimizer.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "core/tensor_access.h"
#include "distributed/connection/round.h"

namespace gradus::optim {

using distributed::Bytes;
using distributed::Group;
using distributed::make_bytes;
using distributed::Messages;

namespace {

constexpr std::int64_t kPieceBytes = 16 << 20;  // of one message
constexpr std::uint32_t kData = 1;              // stage of its tag

std::size_t bytes_of(const Tensor& x) { return static_cast<std::size_t>(x.numel() * x.element_size()); }

// Tensors of the host's memory, one after the other, from one rank to another or to all. All ranks call it with the
// same sizes; those that neither send nor receive do nothing.
void send(Group& group, const std::string& what, int from, std::optional<int> to, const std::vector<Tensor>& tensors,
          std::size_t bytes) {
  const bool sends = group.rank() == from, receives = !sends && (!to || *to == group.rank());
  std::size_t tensor = 0, at = 0;  // where copying is
  const auto copy = [&](std::byte* buffer, std::size_t count) {
    while (count > 0) {
      const Tensor& x = tensors[tensor];
      const std::size_t here = std::min(count, bytes_of(x) - at);
      std::byte* const place = x.impl()->data + at;
      std::memcpy(sends ? buffer : place, sends ? place : buffer, here);
      buffer += here;
      count -= here;
      at += here;
      if (at == bytes_of(x)) {
        ++tensor;
        at = 0;
      }
    }
  };
  for (std::size_t begin = 0; begin < bytes; begin += kPieceBytes) {
    const std::size_t n = std::min<std::size_t>(kPieceBytes, bytes - begin);
    const std::uint32_t tag = group.take_tags() + kData;
    if (!sends && !receives) continue;
    const Bytes memory = make_bytes(n);
    Messages messages(group);
    if (sends) {
      copy(memory.get(), n);
      for (int peer = 0; peer < group.size(); ++peer)
        if (peer != from && (!to || *to == peer)) messages.send(peer, tag, memory, memory.get(), n);
    } else {
      messages.receive(from, tag, memory, memory.get(), n);
    }
    group.wait([&] { return messages.poll(); }, [&] { return messages.missing(); }, what);
    if (receives) copy(memory.get(), n);
  }
}

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
    for (const auto& [key, x] : param.tensors)
      if (x.numel() > 0) tensors.push_back(x);
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

}  // namespace

// The largest first, each to the rank that has least.
void ShardedOptimizer::share_out() {
  std::vector<Tensor> fresh;
  for (const Tensor& parameter : parameters()) {
    if (owners_.contains(parameter.impl())) continue;
    if (!inner().state_bytes(parameter))
      throw ValueError(fmt::format("ZeroRedundancyOptimizer: {} looks at all parameters at once, which no rank has",
                                   inner().name()));
    if (std::string_view(inner().name()).find("ScheduleFree") != std::string_view::npos)
      throw ValueError(fmt::format(
          "ZeroRedundancyOptimizer: {} has averages that networks show when they evaluate, and so every rank needs",
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
}

int ShardedOptimizer::owner(const Tensor& parameter) const {
  const auto known = owners_.find(parameter.impl());
  if (known == owners_.end())
    throw ValueError("ZeroRedundancyOptimizer: owner() of a tensor that is no parameter of it");
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
    for (const Tensor& parameter : parameters()) {
      if (!parameter.grad().defined() || gradus::detail::is_frozen(*parameter.impl())) continue;
      const int rank = owner(parameter);
      if (parameter.numel() > 0) updated[static_cast<std::size_t>(rank)].push_back(parameter);
      if (rank != g->rank()) hidden.hide(parameter);
    }
    try {
      step_within(inner());
    } catch (const std::exception& error) {
      distributed::abort(error.what());
      throw;
    }
  }
  std::vector<std::size_t> bytes;
  std::size_t count = 0, all = 0;
  for (const auto& tensors : updated) {
    bytes.push_back(0);
    for (const Tensor& x : tensors) bytes.back() += bytes_of(x);
    count += tensors.size();
    all += bytes.back();
  }
  const std::string what = fmt::format("a step of {} on {} parameters of {} bytes", name(), count, all);
  distributed::Round(*g, what).wait();
  for (int rank = 0; rank < g->size(); ++rank) {
    const auto& tensors = updated[static_cast<std::size_t>(rank)];
    std::vector<Tensor> here;
    for (const Tensor& x : tensors) {
      if (rank != g->rank()) gradus::detail::bump_version(x);
      here.push_back(x.device() == kCPU ? x : x.detach().to(kCPU));
    }
    send(*g, what, rank, {}, here, bytes[static_cast<std::size_t>(rank)]);
    if (rank == g->rank()) continue;
    for (std::size_t i = 0; i < tensors.size(); ++i)
      if (!here[i].is_same(tensors[i])) Tensor(tensors[i].detach()).copy_(here[i].to(tensors[i].device()));
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
    send(*g, what, rank, to, tensors_of(rank == g->rank() ? state.params : theirs), bytes);
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
