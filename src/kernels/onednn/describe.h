// What changed between oneDNN 2, which Debian 12 has, and oneDNN 3: how a primitive is described.
#pragma once

#include <dnnl.hpp>

namespace gradus::onednn {

#if DNNL_VERSION_MAJOR >= 3
inline dnnl::memory::dims dims_of(const dnnl::memory::desc& md) { return md.get_dims(); }

template <class Primitive, class... Parts>
typename Primitive::primitive_desc describe(const dnnl::engine& engine, const dnnl::primitive_attr& attr,
                                            const Parts&... parts) {
  return {engine, parts..., attr};
}

template <class Primitive, class Forward, class... Parts>
typename Primitive::primitive_desc describe_backward(const dnnl::engine& engine, const dnnl::primitive_attr& attr,
                                                     const Forward& forward, const Parts&... parts) {
  return {engine, parts..., forward, attr};
}
inline void append_relu(dnnl::post_ops& ops) { ops.append_eltwise(dnnl::algorithm::eltwise_relu, 0, 0); }
#else
inline dnnl::memory::dims dims_of(const dnnl::memory::desc& md) { return md.dims(); }

template <class Primitive, class... Parts>
typename Primitive::primitive_desc describe(const dnnl::engine& engine, const dnnl::primitive_attr& attr,
                                            const Parts&... parts) {
  return {typename Primitive::desc(parts...), attr, engine};
}

template <class Primitive, class Forward, class... Parts>
typename Primitive::primitive_desc describe_backward(const dnnl::engine& engine, const dnnl::primitive_attr& attr,
                                                     const Forward& forward, const Parts&... parts) {
  return {typename Primitive::desc(parts...), attr, engine, forward};
}
inline void append_relu(dnnl::post_ops& ops) { ops.append_eltwise(1, dnnl::algorithm::eltwise_relu, 0, 0); }
#endif

}  // namespace gradus::onednn
