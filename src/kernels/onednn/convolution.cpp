// oneDNN's convolutions. Each works in a memory layout of its own choice: our plain memory is brought into it and back
// one piece of the batch at a time, while the piece is in the cache. Primitives are kept per sizes.
#include "kernels/onednn/convolution.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <dnnl.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>

#include "core/parallel.h"
#include "kernels/one_thread.h"
#include "kernels/onednn/describe.h"
#include "kernels/scratch.h"

namespace gradus::onednn {

namespace {

using cpu::Convolution;
using cpu::OneThread;
using cpu::Scratch;
using dnnl::memory;
using std::int64_t;

constexpr int64_t kPerPiece = 4'000'000;  // multiplications that make another piece worth its while
constexpr int64_t kMostPieces = 64;
constexpr int64_t kMostPartials = int64_t{1} << 22;  // numbers in the weight gradients of all pieces together
constexpr std::size_t kMostPlans = 2048;

enum class Kind { forward, forward_bias, backward_data, backward_weight };

struct Key {
  Kind kind;
  Convolution c;
  friend bool operator==(const Key&, const Key&) = default;
};

struct Hash {
  std::size_t operator()(const Key& key) const {
    std::size_t h = static_cast<std::size_t>(key.kind);
    const auto mix = [&](int64_t value) { h = (h ^ static_cast<std::size_t>(value)) * 0x9E3779B97F4A7C15u + (h >> 7); };
    for (int64_t v : {key.c.batch, key.c.groups, key.c.in_channels, key.c.out_channels}) mix(v);
    for (const cpu::Spatial3* s :
         {&key.c.in, &key.c.kernel, &key.c.out, &key.c.stride, &key.c.dilation, &key.c.padding})
      for (int64_t v : *s) mix(v);
    return h;
  }
};

dnnl::engine& engine() {
  static dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

dnnl::stream& stream() {
  thread_local dnnl::stream own(engine());
  return own;
}

// Between our memory and a primitive's; nothing where they are laid out alike.
struct Reorder {
  memory::desc plain, inner;
  dnnl::reorder in, out;
  int64_t scratch = 0;  // bytes that either needs

  Reorder() = default;
  Reorder(const memory::desc& ours, const memory::desc& theirs) : plain(ours), inner(theirs) {
    if (is_none()) return;
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const dnnl::reorder::primitive_desc to(engine(), plain, engine(), inner, attr);
    const dnnl::reorder::primitive_desc from(engine(), inner, engine(), plain, attr);
    in = dnnl::reorder(to);
    out = dnnl::reorder(from);
    scratch = static_cast<int64_t>(std::max(to.scratchpad_desc().get_size(), from.scratchpad_desc().get_size()));
  }
  bool is_none() const { return plain == inner; }
  int64_t bytes() const { return static_cast<int64_t>(inner.get_size()); }
};

// One piece of a convolution: the primitive, and what surrounds it.
struct Plan {
  dnnl::primitive primitive;
  Reorder x, w, y;
  memory::desc bias, scratchpad;
};

memory::dims spatial(const cpu::Spatial3& s, bool deep) {
  return deep ? memory::dims{s[0], s[1], s[2]} : memory::dims{s[1], s[2]};
}

memory::desc any(const memory::desc& md) { return {dims_of(md), memory::data_type::f32, memory::format_tag::any}; }

std::shared_ptr<Plan> make_plan(const Key& key) {
  const Convolution& c = key.c;
  const bool deep = c.in[0] != 1 || c.kernel[0] != 1 || c.out[0] != 1;
  const auto of = [deep](int64_t a, int64_t b, const cpu::Spatial3& s) {
    memory::dims dims{a, b};
    for (int64_t n : spatial(s, deep)) dims.push_back(n);
    return dims;
  };
  using tag = memory::format_tag;
  const auto f32 = memory::data_type::f32;
  const memory::desc x(of(c.batch, c.in_channels, c.in), f32, deep ? tag::ncdhw : tag::nchw);
  const memory::desc y(of(c.batch, c.out_channels, c.out), f32, deep ? tag::ncdhw : tag::nchw);
  memory::desc w(of(c.out_channels, c.in_channels / c.groups, c.kernel), f32, deep ? tag::oidhw : tag::oihw);
  if (c.groups != 1) {
    memory::dims dims = of(c.out_channels / c.groups, c.in_channels / c.groups, c.kernel);
    dims.insert(dims.begin(), c.groups);
    w = memory::desc(dims, f32, deep ? tag::goidhw : tag::goihw);
  }
  cpu::Spatial3 dilation{}, after{};
  for (std::size_t d = 0; d < 3; ++d) {
    dilation[d] = c.dilation[d] - 1;
    // Sizes are rounded down, so that what is left over at the end of x needs no negative padding.
    after[d] = std::max<int64_t>(
        0, (c.out[d] - 1) * c.stride[d] + c.dilation[d] * (c.kernel[d] - 1) + 1 - c.in[d] - c.padding[d]);
  }
  const auto s = spatial(c.stride, deep), d = spatial(dilation, deep);
  const auto before = spatial(c.padding, deep), behind = spatial(after, deep);
  const auto direct = dnnl::algorithm::convolution_direct;
  const memory::desc bias =
      key.kind == Kind::forward_bias ? memory::desc({c.out_channels}, f32, tag::a) : memory::desc();
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);

  auto plan = std::make_shared<Plan>();
  const auto fill = [&](const auto& pd, const memory::desc& px, const memory::desc& pw, const memory::desc& py) {
    if (std::string_view(pd.impl_info_str()).find("ref") != std::string_view::npos) return false;
    using Primitive = std::conditional_t<
        std::is_same_v<std::decay_t<decltype(pd)>, dnnl::convolution_forward::primitive_desc>,
        dnnl::convolution_forward,
        std::conditional_t<std::is_same_v<std::decay_t<decltype(pd)>, dnnl::convolution_backward_data::primitive_desc>,
                           dnnl::convolution_backward_data, dnnl::convolution_backward_weights>>;
    plan->primitive = Primitive(pd);
    plan->x = Reorder(x, px);
    plan->w = Reorder(w, pw);
    plan->y = Reorder(y, py);
    plan->bias = bias;
    plan->scratchpad = pd.scratchpad_desc();
    return true;
  };
  try {
    const auto hint = describe<dnnl::convolution_forward>(engine(), attr, dnnl::prop_kind::forward_training, direct,
                                                          any(x), any(w), bias, any(y), s, d, before, behind);
    bool made = false;
    if (key.kind == Kind::forward || key.kind == Kind::forward_bias) {
      made = fill(hint, hint.src_desc(), hint.weights_desc(), hint.dst_desc());
    } else if (key.kind == Kind::backward_data) {
      const auto pd = describe_backward<dnnl::convolution_backward_data>(engine(), attr, hint, direct, any(x), any(w),
                                                                         any(y), s, d, before, behind);
      made = fill(pd, pd.diff_src_desc(), pd.weights_desc(), pd.diff_dst_desc());
    } else {
      const auto pd = describe_backward<dnnl::convolution_backward_weights>(engine(), attr, hint, direct, any(x),
                                                                            any(w), any(y), s, d, before, behind);
      made = fill(pd, pd.src_desc(), pd.diff_weights_desc(), pd.diff_dst_desc());
    }
    return made ? plan : nullptr;
  } catch (const dnnl::error&) {
    return nullptr;
  }
}

// Null where oneDNN has no good loop for this.
std::shared_ptr<Plan> plan_of(Kind kind, const Convolution& c) {
  static std::mutex mutex;
  static std::unordered_map<Key, std::shared_ptr<Plan>, Hash> plans;
  const Key key{kind, c};
  {
    const std::lock_guard lock(mutex);
    if (const auto it = plans.find(key); it != plans.end()) return it->second;
  }
  std::shared_ptr<Plan> plan;
  {
    const OneThread guard;
    plan = make_plan(key);
  }
  const std::lock_guard lock(mutex);
  if (plans.size() >= kMostPlans) plans.clear();
  plans[key] = plan;
  return plan;
}

memory at(const memory::desc& md, const void* data) { return {md, engine(), const_cast<void*>(data)}; }

// Our memory in a primitive's layout, or a primitive's memory on its way to ours.
class Staged {
 public:
  Staged(const Reorder& reorder, const void* ours)
      : reorder_(reorder), ours_(ours), own_(reorder.is_none() ? 0 : reorder.bytes()), scratch_(reorder.scratch) {}

  void* data() const { return reorder_.is_none() ? const_cast<void*>(ours_) : own_.get(); }
  memory inner() const { return at(reorder_.inner, data()); }
  void load() {
    if (!reorder_.is_none()) run(reorder_.in, at(reorder_.plain, ours_), inner());
  }
  void store() {
    if (!reorder_.is_none()) run(reorder_.out, inner(), at(reorder_.plain, ours_));
  }

 private:
  void run(const dnnl::reorder& primitive, memory from, memory to) {
    primitive.execute(stream(),
                      {{DNNL_ARG_FROM, from},
                       {DNNL_ARG_TO, to},
                       {DNNL_ARG_SCRATCHPAD,
                        at({{reorder_.scratch}, memory::data_type::u8, memory::format_tag::a}, scratch_.get())}});
  }

  const Reorder& reorder_;
  const void* ours_;
  Scratch<std::byte> own_, scratch_;
};

// The batch in pieces of equal sizes, but for the last one.
struct Pieces {
  int64_t step, count;

  Pieces(const Convolution& c, int64_t most) {
    const int64_t wanted = std::clamp<int64_t>(c.multiplications() / kPerPiece, 1, std::min(most, c.batch));
    step = (c.batch + wanted - 1) / wanted;
    count = (c.batch + step - 1) / step;
  }
  Convolution sizes(const Convolution& c, int64_t piece) const {
    Convolution part = c;
    part.batch = std::min(step, c.batch - piece * step);
    return part;
  }
};

struct Plans {
  std::shared_ptr<Plan> whole, last;

  Plans(Kind kind, const Convolution& c, const Pieces& pieces)
      : whole(plan_of(kind, pieces.sizes(c, 0))), last(plan_of(kind, pieces.sizes(c, pieces.count - 1))) {}
  // The weights are the same for all pieces only if the plans agree on their layout.
  explicit operator bool() const { return whole && last && whole->w.inner == last->w.inner; }
  const Plan& of(int64_t piece, const Pieces& pieces) const { return piece + 1 < pieces.count ? *whole : *last; }
};

template <class F>
void for_pieces(const Pieces& pieces, F&& work) {
  core::parallel_for(pieces.count, 1, [&](int64_t first, int64_t last) {
    const OneThread guard;
    for (int64_t i = first; i < last; ++i) work(i);
  });
}

// What stands in x and y before the piece.
int64_t x_offset(const Convolution& c, int64_t sample) { return sample * c.in_channels * c.volume(c.in); }
int64_t y_offset(const Convolution& c, int64_t sample) { return sample * c.out_channels * c.volume(c.out); }

}  // namespace

bool conv_forward(const Convolution& c, const float* x, const float* w, const float* bias, float* y) {
  const Pieces pieces(c, kMostPieces);
  const Plans plans(bias != nullptr ? Kind::forward_bias : Kind::forward, c, pieces);
  if (!plans) return false;
  Staged weights(plans.whole->w, w);
  {
    const OneThread guard;
    weights.load();
  }
  for_pieces(pieces, [&](int64_t i) {
    const Plan& plan = plans.of(i, pieces);
    Staged from(plan.x, x + x_offset(c, i * pieces.step)), to(plan.y, y + y_offset(c, i * pieces.step));
    const Scratch<std::byte> scratch(static_cast<int64_t>(plan.scratchpad.get_size()));
    from.load();
    std::unordered_map<int, memory> args{{DNNL_ARG_SRC, from.inner()},
                                         {DNNL_ARG_WEIGHTS, weights.inner()},
                                         {DNNL_ARG_DST, to.inner()},
                                         {DNNL_ARG_SCRATCHPAD, at(plan.scratchpad, scratch.get())}};
    if (bias != nullptr) args.emplace(DNNL_ARG_BIAS, at(plan.bias, bias));
    plan.primitive.execute(stream(), args);
    to.store();
  });
  return true;
}

bool conv_backward_data(const Convolution& c, const float* g, const float* w, float* gx) {
  const Pieces pieces(c, kMostPieces);
  const Plans plans(Kind::backward_data, c, pieces);
  if (!plans) return false;
  Staged weights(plans.whole->w, w);
  {
    const OneThread guard;
    weights.load();
  }
  for_pieces(pieces, [&](int64_t i) {
    const Plan& plan = plans.of(i, pieces);
    Staged from(plan.y, g + y_offset(c, i * pieces.step)), to(plan.x, gx + x_offset(c, i * pieces.step));
    const Scratch<std::byte> scratch(static_cast<int64_t>(plan.scratchpad.get_size()));
    from.load();
    plan.primitive.execute(stream(), {{DNNL_ARG_DIFF_DST, from.inner()},
                                      {DNNL_ARG_WEIGHTS, weights.inner()},
                                      {DNNL_ARG_DIFF_SRC, to.inner()},
                                      {DNNL_ARG_SCRATCHPAD, at(plan.scratchpad, scratch.get())}});
    to.store();
  });
  return true;
}

bool conv_backward_weight(const Convolution& c, const float* g, const float* x, float* gw) {
  // Each piece has a gradient of its own, and their sum is taken in order.
  const Pieces pieces(c, std::clamp<int64_t>(kMostPartials / std::max<int64_t>(1, c.weights()), 2, 16));
  const Plans plans(Kind::backward_weight, c, pieces);
  if (!plans) return false;
  const Reorder& layout = plans.whole->w;
  const int64_t count = layout.bytes() / static_cast<int64_t>(sizeof(float));
  const Scratch<float> partials(pieces.count * count);
  for_pieces(pieces, [&](int64_t i) {
    const Plan& plan = plans.of(i, pieces);
    Staged from(plan.y, g + y_offset(c, i * pieces.step)), input(plan.x, x + x_offset(c, i * pieces.step));
    const Scratch<std::byte> scratch(static_cast<int64_t>(plan.scratchpad.get_size()));
    from.load();
    input.load();
    plan.primitive.execute(stream(), {{DNNL_ARG_DIFF_DST, from.inner()},
                                      {DNNL_ARG_SRC, input.inner()},
                                      {DNNL_ARG_DIFF_WEIGHTS, at(layout.inner, partials.get() + i * count)},
                                      {DNNL_ARG_SCRATCHPAD, at(plan.scratchpad, scratch.get())}});
  });
  core::parallel_for(count, 16384, [&](int64_t begin, int64_t end) {
    float* sum = partials.get();
    for (int64_t p = 1; p < pieces.count; ++p) {
      const float* part = sum + p * count;
#pragma GCC ivdep
      for (int64_t i = begin; i < end; ++i) sum[i] += part[i];
    }
  });
  const OneThread guard;
  if (layout.is_none()) {
    std::memcpy(gw, partials.get(), static_cast<std::size_t>(count) * sizeof(float));
  } else {
    const Scratch<std::byte> scratch(layout.scratch);
    layout.out.execute(
        stream(),
        {{DNNL_ARG_FROM, at(layout.inner, partials.get())},
         {DNNL_ARG_TO, at(layout.plain, gw)},
         {DNNL_ARG_SCRATCHPAD, at({{layout.scratch}, memory::data_type::u8, memory::format_tag::a}, scratch.get())}});
  }
  return true;
}

}  // namespace gradus::onednn
