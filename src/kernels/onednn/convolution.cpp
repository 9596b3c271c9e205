// oneDNN's convolutions. Channels-last memory they take as it is. Row-major memory is brought into a layout of their
// own choice and back, one piece of the batch at a time, while the piece is in the cache.
#include "kernels/onednn/convolution.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <unordered_map>

#include "core/threads/parallel.h"
#include "kernels/onednn/plan.h"

namespace gradus::onednn {

namespace {

using dnnl::memory;
using kernel::Convolution;
using kernel::Epilogue;
using kernel::PackedWeights;
using kernel::Scratch;
using std::int64_t;

constexpr int64_t kPerPiece = 4'000'000;  // multiplications that make another piece worth its while
constexpr int64_t kMostPieces = 16;
constexpr int64_t kMostPartials = int64_t{1} << 20;  // numbers in the weight gradients of all pieces together, about

// Our memory in a primitive's layout, or a primitive's memory on its way to ours.
class Staged {
 public:
  Staged(const Reorder& reorder, const void* ours)
      : reorder_(reorder), ours_(ours), own_(reorder.is_none() ? 0 : reorder.bytes()) {}

  void* data() const { return reorder_.is_none() ? const_cast<void*>(ours_) : own_.get(); }
  memory inner() const { return at(reorder_.inner, data()); }
  void load() {
    if (!reorder_.is_none()) reorder_.in(ours_, own_.get());
  }
  void store() {
    if (!reorder_.is_none()) reorder_.out(own_.get(), const_cast<void*>(ours_));
  }

 private:
  const Reorder& reorder_;
  const void* ours_;
  Scratch<std::byte> own_;
};

struct Packed final : PackedWeights {
  memory::desc desc;
  Scratch<std::byte> bytes;

  Packed(const Reorder& reorder, const void* w) : desc(reorder.inner), bytes(reorder.bytes()) {
    if (reorder.is_none()) {
      std::memcpy(bytes.get(), w, static_cast<std::size_t>(reorder.bytes()));
    } else {
      reorder.in(w, bytes.get());
    }
  }
};

// The batch in pieces of equal sizes, but for the last one.
struct Pieces {
  int64_t step, count;

  Pieces(const Convolution& c, int64_t most) {
    const int64_t wanted = core::piece_count(c.multiplications(), kPerPiece, std::min(most, c.batch));
    step = (c.batch + wanted - 1) / wanted;
    count = (c.batch + step - 1) / step;
  }
  static Pieces for_weights(const Convolution& c) {
    return {c, std::clamp<int64_t>(kMostPartials / std::max<int64_t>(1, c.weights()), 2, 16)};
  }
  Convolution sizes(const Convolution& c, int64_t piece) const {
    Convolution part = c;
    part.batch = std::min(step, c.batch - piece * step);
    return part;
  }
};

struct Plans {
  std::shared_ptr<const Plan> whole, last;

  Plans() = default;
  Plans(PlanKey key, const Pieces& pieces) {
    const Convolution c = key.c;
    key.c = pieces.sizes(c, 0);
    whole = last = plan_of(key);
    key.c = pieces.sizes(c, pieces.count - 1);
    if (key.c.batch != pieces.step) last = plan_of(key);
  }
  // The weights are the same for all pieces only if the plans agree on their layout.
  explicit operator bool() const { return whole && last && whole->w.inner == last->w.inner; }
  const Plan& of(int64_t piece, const Pieces& pieces) const { return piece + 1 < pieces.count ? *whole : *last; }
};

PlanKey key_of(Kind kind, Dtype dtype, Dtype w_dtype, const Convolution& c, const Epilogue& then = {}) {
  return {kind, dtype, w_dtype, then.bias != nullptr, then.residual != nullptr, then.relu, c};
}

template <class F>
void for_pieces(const Pieces& pieces, F&& work) {
  core::parallel_for(pieces.count, 1, [&](int64_t first, int64_t last) {
    const core::OneOpenMPThread guard;
    for (int64_t i = first; i < last; ++i) work(i);
  });
}

// The bytes that stand in x and y before a sample.
int64_t x_offset(Dtype dtype, const Convolution& c, int64_t sample) {
  return sample * c.in_channels * c.volume(c.in) * element_size(dtype);
}
int64_t y_offset(Dtype dtype, const Convolution& c, int64_t sample) {
  return sample * c.out_channels * c.volume(c.out) * element_size(dtype);
}
const std::byte* bytes(const void* p) { return static_cast<const std::byte*>(p); }

void run_forward(Dtype dtype, const Convolution& c, const Pieces& pieces, const Plans& plans, const void* x,
                 const memory& weights, const Epilogue& then, void* y) {
  for_pieces(pieces, [&](int64_t i) {
    const Plan& plan = plans.of(i, pieces);
    Staged from(plan.x, bytes(x) + x_offset(dtype, c, i * pieces.step));
    Staged to(plan.y, bytes(y) + y_offset(dtype, c, i * pieces.step));
    const Scratch<std::byte> scratch(static_cast<int64_t>(plan.scratchpad.get_size()));
    from.load();
    // The primitive adds to what is there; the piece is in the cache when it does.
    if (then.residual != nullptr) {
      std::memcpy(to.data(), bytes(then.residual) + y_offset(dtype, c, i * pieces.step), plan.y.inner.get_size());
    }
    std::unordered_map<int, memory> args{{DNNL_ARG_SRC, from.inner()},
                                         {DNNL_ARG_WEIGHTS, weights},
                                         {DNNL_ARG_DST, to.inner()},
                                         {DNNL_ARG_SCRATCHPAD, at(plan.scratchpad, scratch.get())}};
    if (then.bias != nullptr) args.emplace(DNNL_ARG_BIAS, at(plan.bias, then.bias));
    plan.primitive.execute(stream(), args);
    to.store();
  });
}

void run_backward_data(Dtype dtype, const Convolution& c, const Pieces& pieces, const Plans& plans, const void* g,
                       const void* w, void* gx) {
  const Packed weights(plans.whole->w, w);
  for_pieces(pieces, [&](int64_t i) {
    const Plan& plan = plans.of(i, pieces);
    Staged from(plan.y, bytes(g) + y_offset(dtype, c, i * pieces.step));
    Staged to(plan.x, bytes(gx) + x_offset(dtype, c, i * pieces.step));
    const Scratch<std::byte> scratch(static_cast<int64_t>(plan.scratchpad.get_size()));
    from.load();
    plan.primitive.execute(stream(), {{DNNL_ARG_DIFF_DST, from.inner()},
                                      {DNNL_ARG_WEIGHTS, at(weights.desc, weights.bytes.get())},
                                      {DNNL_ARG_DIFF_SRC, to.inner()},
                                      {DNNL_ARG_SCRATCHPAD, at(plan.scratchpad, scratch.get())}});
    to.store();
  });
}

// Each piece has a gradient of its own, and their sum is taken in order.
void run_backward_weight(Dtype dtype, const Convolution& c, const Pieces& pieces, const Plans& plans, const void* g,
                         const void* x, float* gw) {
  const Reorder& layout = plans.whole->w;
  const int64_t count = layout.bytes() / static_cast<int64_t>(sizeof(float));
  const Scratch<float> partials(pieces.count * count);
  for_pieces(pieces, [&](int64_t i) {
    const Plan& plan = plans.of(i, pieces);
    Staged from(plan.y, bytes(g) + y_offset(dtype, c, i * pieces.step));
    Staged input(plan.x, bytes(x) + x_offset(dtype, c, i * pieces.step));
    const Scratch<std::byte> scratch(static_cast<int64_t>(plan.scratchpad.get_size()));
    from.load();
    input.load();
    plan.primitive.execute(stream(), {{DNNL_ARG_DIFF_DST, from.inner()},
                                      {DNNL_ARG_SRC, input.inner()},
                                      {DNNL_ARG_DIFF_WEIGHTS, at(layout.inner, partials.get() + i * count)},
                                      {DNNL_ARG_SCRATCHPAD, at(plan.scratchpad, scratch.get())}});
  });
  float* sum = partials.get();
  if (pieces.count > 1) {
    core::parallel_for(count, 16384, [&](int64_t begin, int64_t end) {
      for (int64_t p = 1; p < pieces.count; ++p) {
        const float* part = sum + p * count;
#pragma GCC ivdep
        for (int64_t i = begin; i < end; ++i) sum[i] += part[i];
      }
    });
  }
  if (layout.is_none()) {
    std::memcpy(gw, sum, static_cast<std::size_t>(count) * sizeof(float));
  } else {
    layout.out(sum, gw);
  }
}

// A convolution in either layout: its plans, each found when it is first needed.
class Handle final : public kernel::ChannelsLast {
 public:
  Handle(Dtype dtype, const Convolution& c) : dtype_(dtype), c_(c) {}

  std::shared_ptr<const PackedWeights> pack(Dtype w_dtype, const void* w, const Epilogue& then) const override {
    const Plans& plans = forward_plans(w_dtype, then);
    return plans ? std::make_shared<const Packed>(plans.whole->w, w) : nullptr;
  }
  bool fits(const PackedWeights& w, const Epilogue& then) const override {
    const Plans& plans = forward_plans(kFloat32, then);
    return plans && plans.whole->w.inner == static_cast<const Packed&>(w).desc;
  }
  void forward(const void* x, const PackedWeights& w, const Epilogue& then, void* y) const override {
    const Packed& packed = static_cast<const Packed&>(w);
    run_forward(dtype_, c_, pieces_, forward_plans(kFloat32, then), x, at(packed.desc, packed.bytes.get()), then, y);
  }
  bool backward_data(const void* g, Dtype w_dtype, const void* w, void* gx) const override {
    const Plans& plans = backward_data_[is_float(w_dtype)].get(
        [&] { return Plans(key_of(Kind::backward_data, dtype_, w_dtype, c_), pieces_); });
    if (plans) run_backward_data(dtype_, c_, pieces_, plans, g, w, gx);
    return static_cast<bool>(plans);
  }
  void backward_weight(const void* g, const void* x, float* gw) const override {
    run_backward_weight(dtype_, c_, weight_pieces_, weight_plans(), g, x, gw);
  }
  bool has_forward() const { return static_cast<bool>(forward_plans(kFloat32, {})); }
  bool has_backward_weight() const { return static_cast<bool>(weight_plans()); }

 private:
  // Made by the first that asks.
  class Lazy {
   public:
    template <class F>
    const Plans& get(F&& make) {
      std::call_once(once_, [&] { plans_ = make(); });
      return plans_;
    }

   private:
    std::once_flag once_;
    Plans plans_;
  };

  static bool is_float(Dtype w_dtype) { return w_dtype == kFloat32; }
  const Plans& forward_plans(Dtype w_dtype, const Epilogue& then) const {
    const PlanKey key = key_of(Kind::forward, dtype_, w_dtype, c_, then);
    const std::size_t i = is_float(w_dtype) * 8U + key.bias * 4U + key.add * 2U + key.relu;
    return forward_[i].get([&] { return Plans(key, pieces_); });
  }
  const Plans& weight_plans() const {
    return backward_weight_.get(
        [&] { return Plans(key_of(Kind::backward_weight, dtype_, kFloat32, c_), weight_pieces_); });
  }

  const Dtype dtype_;
  const Convolution c_;
  const Pieces pieces_{c_, kMostPieces}, weight_pieces_ = Pieces::for_weights(c_);
  mutable std::array<Lazy, 16> forward_;
  mutable std::array<Lazy, 2> backward_data_;
  mutable Lazy backward_weight_;
};

std::shared_ptr<const Handle> handle_of(Dtype dtype, const Convolution& c) {
  static Kept<PlanKey, Handle> handles;
  return handles.get(key_of(Kind::forward, dtype, kFloat32, c), [&] { return std::make_shared<Handle>(dtype, c); });
}

}  // namespace

bool conv_forward(const Convolution& c, const float* x, const float* w, const float* bias, float* y) {
  const auto handle = handle_of(kFloat32, c);
  const Epilogue then{.bias = bias};
  const auto weights = handle->pack(kFloat32, w, then);
  if (weights) handle->forward(x, *weights, then, y);
  return weights != nullptr;
}

bool conv_backward_data(const Convolution& c, const float* g, const float* w, float* gx) {
  return handle_of(kFloat32, c)->backward_data(g, kFloat32, w, gx);
}

bool conv_backward_weight(const Convolution& c, const float* g, const float* x, float* gw) {
  const auto handle = handle_of(kFloat32, c);
  if (!handle->has_backward_weight()) return false;
  handle->backward_weight(g, x, gw);
  return true;
}

std::shared_ptr<const kernel::ChannelsLast> channels_last(Dtype dtype, const Convolution& c) {
  if ((dtype != kFloat32 && dtype != kBFloat16) || c.multiplications() == 0 || !c.channels_last) return nullptr;
  auto handle = handle_of(dtype, c);
  return handle->has_forward() && handle->has_backward_weight() ? handle : nullptr;
}

}  // namespace gradus::onednn
