#include <gradus/autocast.h>

#include <string>

namespace gradus {

namespace {
constinit thread_local bool enabled_here [[gnu::tls_model("initial-exec")]] = false;
constinit thread_local Dtype dtype_here [[gnu::tls_model("initial-exec")]] = kBFloat16;
}  // namespace

Autocast::Autocast(Dtype dtype, bool enabled) : dtype_before_(dtype_here), enabled_before_(enabled_here) {
  if (dtype != kBFloat16 && dtype != kFloat16) {
    throw DtypeError(std::string("Autocast: the type must be bfloat16 or float16, got ") + to_string(dtype));
  }
  dtype_here = dtype;
  enabled_here = enabled;
}

Autocast::~Autocast() {
  dtype_here = dtype_before_;
  enabled_here = enabled_before_;
}

bool is_autocast_enabled() { return enabled_here; }
Dtype get_autocast_dtype() { return dtype_here; }

Tensor autocast(const Tensor& x) { return autocasts(x) ? x.to(dtype_here) : x; }
Tensor autocast_loss(const Tensor& x) { return autocasts_loss(x) ? x.to(kFloat32) : x; }

}  // namespace gradus
