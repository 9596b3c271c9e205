// Angles between vectors, and vectors of unit length.
#include <gradus/autocast.h>

#include <cmath>

#include "nn/loss/loss.h"

namespace gradus::nn::functional {

namespace {

void require_eps(const char* call, double eps) {
  if (!(std::isfinite(eps) && eps >= 0)) {
    throw ValueError(std::string(call) + ": eps must be finite and not negative, got " + to_string(eps));
  }
}

}  // namespace

Tensor normalize(const Tensor& x, double p, std::int64_t dim, double eps) {
  require_eps("normalize", eps);
  return x / clamp(norm(x, p, dim, true), eps);
}

Tensor cosine_similarity(const Tensor& x1, const Tensor& x2, std::int64_t dim, double eps) {
  require_eps("cosine_similarity", eps);
  require_floating("cosine_similarity", x1);
  require_floating("cosine_similarity", x2);
  const Shape sizes = broadcast_shapes("cosine_similarity", x1.sizes(), x2.sizes());
  return sum(normalize(expand(x1, sizes), 2, dim, eps) * normalize(expand(x2, sizes), 2, dim, eps), dim);
}

Tensor cosine_embedding_loss(const Tensor& input1, const Tensor& input2, const Tensor& target,
                             const CosineEmbeddingOptions& options) {
  if (autocasts_loss(input1, input2)) {
    return cosine_embedding_loss(autocast_loss(input1), autocast_loss(input2), target, options);
  }
  require_floating("cosine_embedding_loss", input1);
  require_floating("cosine_embedding_loss", input2);
  const bool single = target.dim() == 0;
  const bool fits = input1.sizes() == input2.sizes() && input1.dim() == (single ? 1 : 2) &&
                    (single || target.sizes() == Shape{input1.size(0)});
  if (!fits) {
    throw ShapeError("cosine_embedding_loss: need [N, D], [N, D] and [N], or [D], [D] and [], got " +
                     to_string(input1.sizes()) + ", " + to_string(input2.sizes()) + " and " +
                     to_string(target.sizes()));
  }
  if (!std::isfinite(options.margin)) {
    throw ValueError("cosine_embedding_loss: margin must be finite, got " + to_string(options.margin));
  }
  constexpr double kEpsilon = 1e-12;  // PyTorch's, added to the squared lengths
  const Tensor lengths = (sum(square(input1), -1) + kEpsilon) * (sum(square(input2), -1) + kEpsilon);
  const Tensor cosine = sum(input1 * input2, -1) / sqrt(lengths);
  const Tensor nothing = zeros_like(cosine);
  const Tensor alike = where(target == 1, 1 - cosine, nothing);
  const Tensor different = where(target == -1, clamp(cosine - options.margin, 0), nothing);
  return reduced("cosine_embedding_loss", alike + different, options.reduction);
}

}  // namespace gradus::nn::functional
