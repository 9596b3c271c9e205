#include <gradus/autocast.h>

#include <string>

namespace gradus {

namespace {
constinit thread_local bool enabled_here [[gnu::tls_model("initial-exec")]] = false;
}

Autocast::Autocast(Dtype dtype, bool enabled) : before_(enabled_here) {
  if (dtype != kBFloat16) {
    throw DtypeError(std::string("Autocast: the type must be bfloat16, got ") + to_string(dtype));
  }
  enabled_here = enabled;
}

Autocast::~Autocast() { enabled_here = before_; }

bool is_autocast_enabled() { return enabled_here; }

Tensor autocast(const Tensor& x) { return enabled_here && x.defined() && x.dtype() == kFloat32 ? x.to(kBFloat16) : x; }

Tensor autocast_loss(const Tensor& x) {
  return enabled_here && x.defined() && x.dtype() == kBFloat16 ? x.to(kFloat32) : x;
}

}  // namespace gradus
