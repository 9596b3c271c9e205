#include <gradus/autograd.h>

namespace gradus {

namespace {
constinit thread_local bool grad_enabled [[gnu::tls_model("initial-exec")]] = true;
constinit thread_local bool inference_mode [[gnu::tls_model("initial-exec")]] = false;
}  // namespace

bool is_grad_enabled() { return grad_enabled; }
bool is_inference_mode() { return inference_mode; }

GradMode::GradMode(bool enabled) : previous_(grad_enabled) { grad_enabled = enabled; }
GradMode::~GradMode() { grad_enabled = previous_; }

InferenceMode::InferenceMode() : previous_(inference_mode) { inference_mode = true; }
InferenceMode::~InferenceMode() { inference_mode = previous_; }

}  // namespace gradus
