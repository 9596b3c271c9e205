#include "kernels/onednn/plan.h"

#include <algorithm>
#include <string_view>
#include <type_traits>

#include "core/threads/openmp.h"
#include "core/visit.h"
#include "kernels/onednn/describe.h"

namespace gradus::onednn {

namespace {

using dnnl::memory;
using kernel::Convolution;
using kernel::Scratch;
using std::int64_t;
using tag = memory::format_tag;

memory::data_type type_of(Dtype dtype) {
  auto type = memory::data_type::f32;
  visit<float, BFloat16>("convolution", dtype, [&]<class T>(T) {
    if constexpr (std::is_same_v<T, BFloat16>) type = memory::data_type::bf16;
  });
  return type;
}

memory::dims spatial(const kernel::Spatial3& s, bool deep) {
  return deep ? memory::dims{s[0], s[1], s[2]} : memory::dims{s[1], s[2]};
}

memory::dims with_spatial(int64_t a, int64_t b, const kernel::Spatial3& s, bool deep) {
  memory::dims dims{a, b};
  for (int64_t n : spatial(s, deep)) dims.push_back(n);
  return dims;
}

memory::desc as(const memory::desc& md, memory::data_type type) { return {dims_of(md), type, tag::any}; }

std::shared_ptr<const Plan> make_plan(const PlanKey& key) {
  const Convolution& c = key.c;
  const bool deep = c.in[0] != 1 || c.kernel[0] != 1 || c.out[0] != 1;
  const auto type = type_of(key.dtype);
  const tag image = c.channels_last ? (deep ? tag::ndhwc : tag::nhwc) : (deep ? tag::ncdhw : tag::nchw);
  const memory::desc x(with_spatial(c.batch, c.in_channels, c.in, deep), type, image);
  const memory::desc y(with_spatial(c.batch, c.out_channels, c.out, deep), type, image);
  // Row-major memory is brought into whatever layout the primitive likes.
  const memory::desc px = c.channels_last ? x : as(x, type), py = c.channels_last ? y : as(y, type);
  memory::dims w_dims = with_spatial(c.out_channels / c.groups, c.in_channels / c.groups, c.kernel, deep);
  if (c.groups != 1) w_dims.insert(w_dims.begin(), c.groups);
  const memory::desc w(w_dims, type_of(key.w_dtype),
                       c.groups != 1 ? (deep ? tag::goidhw : tag::goihw) : (deep ? tag::oidhw : tag::oihw));
  const memory::desc pw = as(w, type);
  kernel::Spatial3 dilation{}, after{};
  for (std::size_t d = 0; d < 3; ++d) {
    dilation[d] = c.dilation[d] - 1;
    // Sizes are rounded down, so that what is left over at the end of x needs no negative padding.
    after[d] = std::max<int64_t>(
        0, (c.out[d] - 1) * c.stride[d] + c.dilation[d] * (c.kernel[d] - 1) + 1 - c.in[d] - c.padding[d]);
  }
  const auto s = spatial(c.stride, deep), d = spatial(dilation, deep);
  const auto before = spatial(c.padding, deep), behind = spatial(after, deep);
  const auto direct = dnnl::algorithm::convolution_direct;
  dnnl::primitive_attr plain_attr, attr;
  plain_attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  dnnl::post_ops then;
  if (key.add) then.append_sum(1);
  if (key.relu) append_relu(then);
  if (key.add || key.relu) attr.set_post_ops(then);

  auto plan = std::make_shared<Plan>();
  if (key.bias) plan->bias = memory::desc({c.out_channels}, memory::data_type::f32, tag::a);
  const auto fill = [&]<class Primitive>(const auto& pd, const memory::desc& in, const memory::desc& weights,
                                         const memory::desc& out, Primitive*) {
    if (!is_good(pd.impl_info_str())) return false;
    plan->primitive = Primitive(pd);
    plan->x = Reorder(x, in);
    plan->w = Reorder(w, weights);
    plan->y = Reorder(y, out);
    plan->scratchpad = pd.scratchpad_desc();
    return true;
  };
  using dnnl::convolution_backward_data, dnnl::convolution_backward_weights, dnnl::convolution_forward;
  try {
    const auto forward = [&](const dnnl::primitive_attr& with) {
      return describe<convolution_forward>(engine(), with, dnnl::prop_kind::forward_training, direct, px, pw,
                                           plan->bias, py, s, d, before, behind);
    };
    bool made = false;
    if (key.kind == Kind::forward) {
      const auto pd = forward(attr);
      made = fill(pd, pd.src_desc(), pd.weights_desc(), pd.dst_desc(), static_cast<convolution_forward*>(nullptr));
    } else if (key.kind == Kind::backward_data) {
      const auto pd = describe_backward<convolution_backward_data>(engine(), plain_attr, forward(plain_attr), direct,
                                                                   px, pw, py, s, d, before, behind);
      made = fill(pd, pd.diff_src_desc(), pd.weights_desc(), pd.diff_dst_desc(),
                  static_cast<convolution_backward_data*>(nullptr));
    } else {
      // The gradient of weights is summed in float32 whatever the type of x.
      const auto pd =
          describe_backward<convolution_backward_weights>(engine(), plain_attr, forward(plain_attr), direct, px,
                                                          as(w, memory::data_type::f32), py, s, d, before, behind);
      made = fill(pd, pd.src_desc(), pd.diff_weights_desc(), pd.diff_dst_desc(),
                  static_cast<convolution_backward_weights*>(nullptr));
    }
    return made ? plan : nullptr;
  } catch (const dnnl::error&) {
    return nullptr;
  }
}

}  // namespace

bool is_good(const char* name) { return std::string_view(name).find("ref") == std::string_view::npos; }

dnnl::engine& engine() {
  static dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

dnnl::stream& stream() {
  thread_local dnnl::stream own(engine());
  return own;
}

Reorder::Reorder(const memory::desc& ours, const memory::desc& theirs) : plain(ours), inner(theirs) {
  if (is_none()) return;
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const dnnl::reorder::primitive_desc to(engine(), plain, engine(), inner, attr);
  const dnnl::reorder::primitive_desc from(engine(), inner, engine(), plain, attr);
  to_ = dnnl::reorder(to);
  from_ = dnnl::reorder(from);
  scratch_ = static_cast<int64_t>(std::max(to.scratchpad_desc().get_size(), from.scratchpad_desc().get_size()));
}

void Reorder::run(const dnnl::reorder& primitive, memory from, memory to) const {
  const core::OneOpenMPThread guard;
  const Scratch<std::byte> scratch(scratch_);
  primitive.execute(stream(), {{DNNL_ARG_FROM, from},
                               {DNNL_ARG_TO, to},
                               {DNNL_ARG_SCRATCHPAD, at({{scratch_}, memory::data_type::u8, tag::a}, scratch.get())}});
}

std::size_t PlanHash::operator()(const PlanKey& key) const {
  std::size_t h = static_cast<std::size_t>(key.kind);
  const auto mix = [&](int64_t value) { h = (h ^ static_cast<std::size_t>(value)) * 0x9E3779B97F4A7C15u + (h >> 7); };
  mix(static_cast<int64_t>(key.dtype) * 64 + static_cast<int64_t>(key.w_dtype) * 8 + key.bias * 4 + key.add * 2 +
      key.relu);
  const Convolution& c = key.c;
  for (int64_t v : {c.batch, c.groups, c.in_channels, c.out_channels, int64_t{c.channels_last}}) mix(v);
  for (const kernel::Spatial3* s : {&c.in, &c.kernel, &c.out, &c.stride, &c.dilation, &c.padding})
    for (int64_t v : *s) mix(v);
  return h;
}

std::shared_ptr<const Plan> plan_of(const PlanKey& key) {
  static Kept<PlanKey, Plan> plans;
  return plans.get(key, [&] {
    const core::OneOpenMPThread guard;
    return make_plan(key);
  });
}

}  // namespace gradus::onednn
