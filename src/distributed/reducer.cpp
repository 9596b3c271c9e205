#include "distributed/reducer.h"

#include <fmt/format.h>
#include <gradus/autograd.h>
#include <gradus/autograd/op.h>
#include <gradus/ops.h>

#include <algorithm>
#include <cstring>

#include "core/tensor_access.h"

namespace gradus::distributed {

using gradus::detail::LeafUse;
using gradus::detail::TensorImpl;

namespace {

std::int64_t bucket_bytes(const nn::DistributedDataParallelOptions& options) {
  if (!(options.bucket_cap_mb > 0) || options.bucket_cap_mb > 512)
    throw ValueError(fmt::format("DistributedDataParallel: bucket_cap_mb must be above 0 and at most 512, got {:g}",
                                 options.bucket_cap_mb));
  return static_cast<std::int64_t>(options.bucket_cap_mb * (1 << 20));
}

}  // namespace

Reducer::Reducer(std::function<nn::Module&()> module, const nn::DistributedDataParallelOptions& options)
    : module_(std::move(module)), bucket_bytes_(bucket_bytes(options)) {
  if (options.chunks < 0 || options.chunks > (1 << 16))
    throw ValueError(
        fmt::format("DistributedDataParallel: chunks must be from 0 to {}, got {}", 1 << 16, options.chunks));
  if (options.chunks > 0 && options.chunks < distributed::size()) {
    throw ValueError(fmt::format(
        "DistributedDataParallel: {} ranks need at least as many chunks, got {}: set chunks higher, or start fewer",
        distributed::size(), options.chunks));
  }
  parts_ =
      std::make_shared<const TreeParts>(options.chunks > 0 ? options.chunks : distributed::size(), distributed::size());
  ranks_ = std::make_shared<const TreeParts>(distributed::size(), distributed::size());
  take_tensors();
  if (group() == nullptr) return;
  agree();
  gradus::detail::add_gradient_sink(*this);
}

Reducer::~Reducer() { gradus::detail::end_gradient_sink(*this); }

void Reducer::take_tensors() {
  tensors_.clear();
  names_.clear();
  index_.clear();
  nn::Module& module = module_();
  for (auto& [name, x] : module.named_parameters()) {
    names_.push_back(name);
    tensors_.push_back(x);
  }
  parameters_ = tensors_.size();
  for (auto& [name, x] : module.named_buffers()) {
    if (!x.is_floating_point()) continue;
    names_.push_back(name);
    tensors_.push_back(x);
  }
  for (std::size_t i = 0; i < tensors_.size(); ++i) index_.emplace(tensors_[i].impl(), i);
  unsent_.assign(tensors_.size(), 0);
  versions_.assign(tensors_.size(), 0);
  sums_.assign(tensors_.size(), Tensor());
  aside_.assign(tensors_.size(), Tensor());
}

void Reducer::agree() {
  Group& g = *group();
  std::string lines = fmt::format("{} chunks, buckets of {} bytes\n", chunks(), bucket_bytes_);
  for (std::size_t i = 0; i < tensors_.size(); ++i)
    lines += fmt::format("'{}' {} {}\n", names_[i], to_string(tensors_[i].dtype()), to_string(tensors_[i].sizes()));
  const std::vector<std::string> all = gather_texts(g, "DistributedDataParallel of a network", lines);
  for (int rank = 1; rank < g.size(); ++rank) {
    const std::string &first = all[0], &other = all[static_cast<std::size_t>(rank)];
    if (first == other) continue;
    const auto differs = std::mismatch(first.begin(), first.end(), other.begin(), other.end()).first - first.begin();
    const auto before = differs == 0 ? std::string::npos : first.rfind('\n', static_cast<std::size_t>(differs) - 1);
    const std::size_t begin = before == std::string::npos ? 0 : before + 1;
    const auto line = [&](const std::string& text) {
      const std::string found = text.substr(std::min(begin, text.size()));
      return found.empty() ? "nothing" : found.substr(0, found.find('\n'));
    };
    g.fail(fmt::format("DistributedDataParallel: the networks differ: rank {} has {} where rank 0 has {}", rank,
                       line(other), line(first)));
  }
  const auto take = [](const Tensor& x) {
    if (x.is_contiguous() && x.device() == kCPU) return broadcast(x);
    const Tensor copy = x.detach().to(kCPU).contiguous();
    broadcast(copy);
    Tensor(x.detach()).copy_(copy.to(x.device()));
  };
  for (const Tensor& x : tensors_) take(x);
  for (auto& [name, x] : module_().named_buffers()) {
    if (!x.is_floating_point()) take(x);
  }
  for (std::size_t i = 0; i < tensors_.size(); ++i) versions_[i] = tensors_[i].version();
}

void Reducer::refresh() {
  if (group() == nullptr) return;
  const auto parameters = module_().named_parameters();
  bool same = parameters.size() == parameters_;
  for (std::size_t i = 0; same && i < parameters_; ++i) same = parameters[i].second.is_same(tensors_[i]);
  if (same) return;
  take_tensors();
  agree();
}

void Reducer::check_same() {
  if (group() == nullptr) return;
  Group& g = *group();
  std::string hashes;
  for (const Tensor& x : tensors_) {
    const Tensor row = x.detach().to(kCPU).contiguous();
    const auto* bytes = static_cast<const unsigned char*>(row.const_data_ptr());
    std::uint64_t hash = 14695981039346656037U;
    for (std::int64_t i = 0; i < row.numel() * row.element_size(); ++i)
      hash = (hash ^ bytes[i]) * 1099511628211U;  // FNV-1a
    hashes.append(reinterpret_cast<const char*>(&hash), sizeof hash);
  }
  Round round(g, fmt::format("check_same of {} tensors", tensors_.size()), hashes);
  round.wait();
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    std::vector<int> others;
    const auto hash = [&](int rank) { return round.of(rank).substr(i * sizeof(std::uint64_t), sizeof(std::uint64_t)); };
    for (int rank = 1; rank < g.size(); ++rank) {
      if (hash(rank) != hash(0)) others.push_back(rank);
    }
    if (!others.empty())
      g.fail(fmt::format("check_same: '{}' of {} is not what rank 0 has", names_[i], ranks_text(others)));
  }
}

bool Reducer::changed(std::size_t buffer) const { return tensors_[buffer].version() != versions_[buffer]; }

std::string Reducer::pass_name() const {
  return fmt::format("backward pass {} of {}", pass_ + 1, module_().type_name());
}

void Reducer::begin(const std::function<LeafUse(const TensorImpl*)>& use) {
  active_ = false;
  Group* const g = group();
  if (g == nullptr || in_chunks_) return;
  std::string bits(tensors_.size(), 0);
  ready_.assign(tensors_.size(), 0);
  bool any = false, present = false;
  take_owners();
  for (std::size_t i = 0; i < parameters_; ++i) {
    const LeafUse how = use(tensors_[i].impl());
    const bool used = how == LeafUse::used;
    any = any || used;
    present = present || how == LeafUse::present;
    if (paused_ > 0) {
      if (used && owned(i) && !unsent_[i]) check_no_sum(i);
      unsent_[i] = unsent_[i] || used;
      continue;
    }
    const bool asked = used || how == LeafUse::asked;
    bits[i] = static_cast<char>((asked ? kAsked : 0) | (used || unsent_[i] ? kUsed : 0) | frozen_bit(i));
    ready_[i] = !used;
  }
  if (paused_ > 0) return;
  for (std::size_t i = parameters_; i < tensors_.size(); ++i) {
    ready_[i] = 1;
    if (!changed(i)) continue;
    bits[i] = kUsed;
    any = any || present;  // also where another network's optimizer steps, as in a GAN
  }
  if (!any) return;
  active_ = true;
  planned_ = false;
  set_aside();
  tag_ = g->take_tags(most_buckets(tensors_, bucket_bytes_));
  round_ = std::make_unique<Round>(*g, pass_name() + owners_text(), bits);
}

std::vector<std::size_t> Reducer::used_by_any(const std::function<std::string_view(int)>& bits_of) {
  Group& g = *group();
  const auto bit = [&](int rank, std::size_t i, Bit which) { return (bits_of(rank)[i] & which) != 0; };
  // What the ranks ask for otherwise, with the cause where they have frozen other parameters.
  const auto check = [&](Bit which, const char* does, const char* others_do, const char* why) {
    std::vector<int> with, without;
    std::vector<std::string> names;
    for (std::size_t i = 0; i < parameters_; ++i) {
      std::vector<int> asking, others;
      bool differ = false;
      for (int rank = 0; rank < g.size(); ++rank) {
        (bit(rank, i, which) ? asking : others).push_back(rank);
        differ = differ || bit(rank, i, kAsked) != bit(0, i, kAsked);
      }
      if (!differ || asking.empty() || others.empty() || (!names.empty() && others != without)) continue;
      with = asking;
      without = others;
      names.push_back(names_[i]);
    }
    if (names.empty()) return;
    if (which == kFrozen) std::swap(with, without);
    g.fail(fmt::format("{}: {} {} '{}'{}, and {} did{}{}", pass_name(), ranks_text(without), does, names[0],
                       names.size() > 1 ? fmt::format(" and {} more", names.size() - 1) : "", ranks_text(with),
                       others_do, why));
  };
  check(kFrozen, "froze", " not", "");
  check(kAsked, "computed no gradient of", "", " (another optimizer, or other inputs of backward)");
  // In the order in which backward completes them, as a rule.
  std::vector<std::size_t> used;
  for (std::size_t i = tensors_.size(); i-- > 0;) {
    bool any = false;
    for (int rank = 0; rank < g.size() && !any; ++rank) any = bit(rank, i, kUsed);
    if (any) used.push_back(i);
  }
  return used;
}

// Once it is known what the ranks use: what is sent, and in which pieces.
void Reducer::plan() {
  if (planned_ || !round_->poll()) return;
  used_ = used_by_any([this](int rank) { return round_->of(rank); });
  buckets_ = buckets_of(tensors_, used_, bucket_bytes_, owners_, group()->size());
  std::uint32_t tag = tag_;
  for (Bucket& bucket : buckets_) {
    bucket.reduction = std::make_unique<Reduction>(group(), ranks_, bucket.dtype, bucket.size, ReduceOp::Sum,
                                                   1.0 / group()->size(), tag, bucket.shares);
    tag += Transport::kStages;
    std::erase_if(bucket.pieces, [](const Bucket::Piece& piece) { return piece.count == 0; });
    bucket.waiting = 0;
    for (const Bucket::Piece& piece : bucket.pieces) bucket.waiting += !ready_[piece.tensor];
  }
  planned_ = true;
}

void Reducer::start(Bucket& bucket) {
  for (const Bucket::Piece& piece : bucket.pieces) {
    const Tensor x = value(piece.tensor, bucket.dtype);
    const auto* from = x.defined() ? static_cast<const std::byte*>(x.const_data_ptr()) : nullptr;
    const std::int64_t element = element_size(bucket.dtype);
    bucket.reduction->put(0, piece.at, from ? from + piece.from * element : nullptr, piece.count);
  }
  bucket.reduction->start();
  bucket.started = true;
  // What has been copied is not needed any more. A tensor's last piece is in the last of its buckets.
  for (const Bucket::Piece& piece : bucket.pieces)
    if (owned(piece.tensor) && piece.from + piece.count == tensors_[piece.tensor].numel())
      tensors_[piece.tensor].set_grad(Tensor());
}

char Reducer::frozen_bit(std::size_t parameter) const {
  return tensors_[parameter].requires_grad() ? 0 : static_cast<char>(kFrozen);
}

Tensor Reducer::value(std::size_t tensor, Dtype dtype) const {
  const NoGrad guard;
  const Tensor x = tensor < parameters_ ? tensors_[tensor].grad() : tensors_[tensor].detach();
  return x.defined() ? x.detach().to(kCPU).to(dtype).contiguous() : x;
}

void Reducer::ready(std::size_t tensor) {
  if (ready_[tensor]) return;
  ready_[tensor] = 1;
  if (!planned_) return;
  for (Bucket& bucket : buckets_) {
    for (const Bucket::Piece& piece : bucket.pieces) bucket.waiting -= piece.tensor == tensor ? 1 : 0;
  }
}

void Reducer::complete(const TensorImpl* leaf) {
  if (!active_) return;
  const auto it = index_.find(leaf);
  if (it != index_.end()) ready(it->second);
}

void Reducer::progress() {
  if (!active_) return;
  plan();
  if (!planned_) return;
  const bool in_order = !buckets_.empty() && !buckets_.front().shares.empty();
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    Bucket& bucket = buckets_[i];
    if (!bucket.started && in_order && i > 0 && !buckets_[i - 1].started) break;
    if (!bucket.started && bucket.waiting == 0) start_next(i);
    if (bucket.started) poll(bucket);
  }
}

void Reducer::wait_for(Bucket& bucket) {
  if (!bucket.reduction) return;
  group()->wait(
      [&] {
        for (Bucket& each : buckets_)
          if (each.reduction) each.reduction->poll();
        return bucket.reduction->poll();
      },
      [&] { return bucket.reduction->missing(); }, pass_name());
  finish(bucket);
}

void Reducer::copy(const Bucket& bucket, const Bucket::Piece& piece, const Tensor& to) {
  const NoGrad guard;
  const Tensor sum = from_blob(bucket.reduction->at(piece.at), {piece.count}, bucket.dtype);
  to.detach().view({-1}).narrow(0, piece.from, piece.count).copy_(sum);
}

std::vector<Tensor> Reducer::collect(const std::vector<std::size_t>& order) {
  std::vector<Tensor> sums(tensors_.size());
  for (const std::size_t i : order)
    sums[i] = owned(i) ? sums_[i] : empty(tensors_[i].sizes(), {.dtype = sum_type(tensors_[i].dtype())});
  for (const Bucket& bucket : buckets_) {
    for (const Bucket::Piece& piece : bucket.pieces)
      if (bucket.shares.empty() && sums[piece.tensor].defined()) copy(bucket, piece, sums[piece.tensor]);
  }
  return sums;
}

bool Reducer::takes_sums(std::size_t tensor) const {
  if (tensor >= parameters_) return false;
  const Tensor grad = tensors_[tensor].grad();
  return grad.defined() && !grad.grad_fn() && grad.device() == kCPU && grad.is_contiguous();
}

void Reducer::store(std::size_t tensor, const Tensor& sum) {
  const NoGrad guard;
  Tensor& x = tensors_[tensor];
  if (tensor >= parameters_) {
    Tensor(x.detach()).copy_(sum.to(x.device()));
    versions_[tensor] = x.version();
    return;
  }
  const Tensor grad = x.grad();
  if (grad.defined() && !grad.grad_fn()) {
    Tensor(grad.detach()).copy_(sum.to(grad.device()));
  } else {
    x.set_grad(sum.to(x.dtype()).to(x.device()));
  }
}

void Reducer::end() {
  if (!active_) return;
  group()->wait(
      [&] {
        plan();
        return planned_;
      },
      [&] { return round_->missing(); }, pass_name());
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    if (!buckets_[i].started) start_next(i);
  }
  for (Bucket& bucket : buckets_) wait_for(bucket);
  std::vector<std::size_t> others;
  for (const std::size_t i : used_) {
    if (owned(i)) {
      store_owned(i);
    } else if (!takes_sums(i)) {
      others.push_back(i);
    }
  }
  take_back();
  const std::vector<Tensor> sums = collect(others);
  for (const std::size_t i : others) store(i, sums[i]);
  for (const Bucket& bucket : buckets_) {
    for (const Bucket::Piece& piece : bucket.pieces)
      if (bucket.shares.empty() && !sums[piece.tensor].defined()) copy(bucket, piece, tensors_[piece.tensor].grad());
  }
  std::fill(unsent_.begin(), unsent_.end(), 0);
  active_ = false;
  buckets_.clear();
  round_.reset();
  ++pass_;
}

void Reducer::failed(const char* what) noexcept {
  if (!std::exchange(active_, false)) return;
  take_back();
  buckets_.clear();
  round_.reset();
  if (group() == nullptr || group()->failed()) return;
  abort(what);
}

}  // namespace gradus::distributed
