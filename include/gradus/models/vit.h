// Vision transformers: Dosovitskiy et al., "An Image is Worth 16x16 Words" (2021). Names, shapes and initial values are
// torchvision's.
#pragma once

#include <gradus/nn/containers.h>
#include <gradus/nn/layers/attention.h>
#include <gradus/nn/layers/convolution.h>
#include <gradus/nn/layers/dropout.h>
#include <gradus/nn/layers/normalization.h>

namespace gradus::models {

// By default ViT-Ti/16, the small one: 5.7 million parameters.
struct VisionTransformerOptions {
  std::int64_t image_size = 224;  // a multiple of patch_size
  std::int64_t patch_size = 16;
  std::int64_t num_layers = 12;
  std::int64_t num_heads = 3;
  std::int64_t hidden_dim = 192;
  std::int64_t mlp_dim = 768;
  double dropout = 0;
  double attention_dropout = 0;
  std::int64_t num_classes = 1000;
  std::optional<std::int64_t> representation_size = {};  // of a hidden layer in the head
};

// Self-attention and two linear layers, each normalised first and added to its input: [batch, positions, hidden_dim].
class EncoderBlock : public nn::Module {
 public:
  nn::LayerNorm ln_1;
  nn::MultiheadAttention self_attention;
  nn::Dropout dropout;
  nn::LayerNorm ln_2;
  nn::Sequential mlp;
  explicit EncoderBlock(const VisionTransformerOptions& options);
  Tensor forward(const Tensor& x) override;
};

// Adds pos_embedding [1, positions, hidden_dim] and runs the blocks.
class VisionEncoder : public nn::Module {
 public:
  nn::Parameter pos_embedding;
  nn::Dropout dropout;
  nn::Sequential layers;
  nn::LayerNorm ln;
  explicit VisionEncoder(const VisionTransformerOptions& options);
  Tensor forward(const Tensor& x) override;
};

// Images [batch, 3, image_size, image_size] (ShapeError for others) -> scores [batch, num_classes]. They are cut into
// patches, which a class token precedes; the scores come from what becomes of that.
class VisionTransformer : public nn::Module {
 public:
  nn::Parameter class_token;
  nn::Conv2d conv_proj;
  VisionEncoder encoder;
  nn::Sequential heads;
  explicit VisionTransformer(const VisionTransformerOptions& options = {});
  Tensor forward(const Tensor& x) override;

 private:
  std::int64_t image_size_;
};

VisionTransformer vit_ti_16(std::int64_t num_classes = 1000);  // torchvision has none that small
VisionTransformer vit_b_16(std::int64_t num_classes = 1000);

}  // namespace gradus::models
