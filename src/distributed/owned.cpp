// Gradients whose sum only one rank keeps (ZeRO-2).
#include <fmt/format.h>
#include <gradus/autograd.h>
#include <gradus/ops.h>

#include "autograd/gradient_owner.h"
#include "distributed/reducer.h"

namespace gradus::distributed {

namespace {
constexpr std::size_t kUnderWay = 2;  // buckets: one that is sent while another one is filled
}

void Reducer::take_owners() {
  owners_.assign(tensors_.size(), -1);
  for (std::size_t i = 0; i < parameters_; ++i)
    owners_[i] = gradus::detail::gradient_owner(tensors_[i].impl()).value_or(-1);
}

std::string Reducer::owners_text() const {
  std::uint64_t hash = 14695981039346656037U;  // FNV-1a
  std::size_t count = 0;
  for (const int owner : owners_) {
    hash = (hash ^ static_cast<std::uint64_t>(owner + 1)) * 1099511628211U;
    count += owner >= 0 ? 1 : 0;
  }
  return count == 0
             ? ""
             : fmt::format(", single ranks keep {} of {} gradients ({:08x})", count, parameters_, hash & 0xffffffffU);
}

// The owner has the sum of earlier passes in .grad, and nobody else has: so this pass is summed by itself.
void Reducer::set_aside() {
  for (std::size_t i = 0; i < parameters_; ++i) {
    sums_[i] = aside_[i] = Tensor();
    if (!owned(i) || unsent_[i] || !tensors_[i].grad().defined()) continue;
    if (owns(i)) aside_[i] = tensors_[i].grad();
    tensors_[i].set_grad(Tensor());
  }
}

void Reducer::take_back() {
  for (std::size_t i = 0; i < parameters_; ++i) {
    if (aside_[i].defined()) tensors_[i].set_grad(aside_[i]);
    sums_[i] = aside_[i] = Tensor();
  }
}

// Zeros are no sum: zero_grad(false) leaves them.
void Reducer::check_no_sum(std::size_t parameter) const {
  const NoGrad guard;
  const Tensor grad = tensors_[parameter].grad();
  if (!grad.defined() || grad.numel() == 0 || grad.detach().abs().max().item() == 0) return;
  const std::string why = fmt::format(
      "{}: no_sync after a pass whose gradients are kept by single ranks (shard_gradients): '{}' has a gradient on "
      "rank {} only; call zero_grad() first, or let no_sync cover all passes of a step except for the last",
      pass_name(), names_[parameter], rank());
  abort(why);
  throw ValueError(why);
}

void Reducer::store_owned(std::size_t parameter) {
  Tensor& x = tensors_[parameter];
  x.set_grad(Tensor());
  if (!owns(parameter)) return;
  if (!sums_[parameter].defined()) sums_[parameter] = zeros(x.sizes(), {.dtype = sum_type(x.dtype())});  // no elements
  const NoGrad guard;
  const Tensor sum = sums_[parameter].to(x.dtype()).to(x.device());
  if (aside_[parameter].defined()) {
    Tensor(aside_[parameter].detach()).add_(sum);
  } else {
    x.set_grad(sum);
  }
}

// All ranks start buckets in the same order, so whoever waits here waits for a bucket that every rank comes to.
void Reducer::wait_before(std::size_t i) {
  if (!buckets_[i].shares.empty() && i >= kUnderWay) wait_for(buckets_[i - kUnderWay]);
}

void Reducer::start_next(std::size_t i) {
  wait_before(i);
  start(buckets_[i]);
}

void Reducer::poll(Bucket& bucket) {
  if (bucket.reduction && bucket.reduction->poll()) finish(bucket);
}

void Reducer::finish(Bucket& bucket) {
  if (bucket.shares.empty()) return;
  for (const Bucket::Piece& piece : bucket.pieces) {
    if (!owns(piece.tensor)) continue;
    Tensor& sum = sums_[piece.tensor];
    if (!sum.defined()) sum = empty(tensors_[piece.tensor].sizes(), {.dtype = bucket.dtype});
    copy(bucket, piece, sum);
  }
  bucket.reduction.reset();
}

}  // namespace gradus::distributed
