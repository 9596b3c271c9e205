#include <gradus/models/vit.h>
#include <gradus/nn/chain.h>
#include <gradus/nn/init.h>
#include <gradus/nn/layers/activation.h>
#include <gradus/nn/layers/linear.h>

#include <cmath>

namespace gradus::models {

namespace {

// Linear, GELU, dropout, linear, dropout.
nn::Sequential mlp_block(const VisionTransformerOptions& o) {
  nn::Linear in(o.hidden_dim, o.mlp_dim), out(o.mlp_dim, o.hidden_dim);
  for (nn::Linear* layer : {&in, &out}) {
    nn::init::xavier_uniform_(layer->weight);
    nn::init::normal_(layer->bias, 0, 1e-6);
  }
  nn::Sequential block(in, nn::GELU(), nn::Dropout(o.dropout), out, nn::Dropout(o.dropout));
  block.state()->type = "MLPBlock";
  return block;
}

Tensor truncated_normal(const Tensor& weight, std::int64_t fan_in) {
  Tensor x = weight;
  return nn::init::trunc_normal_(x, 0, std::sqrt(1 / static_cast<double>(fan_in)));
}

const VisionTransformerOptions& checked(const VisionTransformerOptions& o) {
  if (o.patch_size < 1 || o.image_size < 1 || o.image_size % o.patch_size != 0) {
    throw ValueError("VisionTransformer: image_size must be a multiple of patch_size, got " +
                     std::to_string(o.image_size) + " and " + std::to_string(o.patch_size));
  }
  return o;
}

}  // namespace

EncoderBlock::EncoderBlock(const VisionTransformerOptions& o)
    : Module("EncoderBlock"),
      ln_1(add("ln_1", nn::LayerNorm(o.hidden_dim, {.eps = 1e-6}))),
      self_attention(add(
          "self_attention",
          nn::MultiheadAttention(o.hidden_dim, o.num_heads, {.dropout = o.attention_dropout, .batch_first = true}))),
      dropout(add("dropout", nn::Dropout(o.dropout))),
      ln_2(add("ln_2", nn::LayerNorm(o.hidden_dim, {.eps = 1e-6}))),
      mlp(add("mlp", mlp_block(o))) {}

Tensor EncoderBlock::forward(const Tensor& x) {
  const Tensor normal = ln_1(x);
  const Tensor y = dropout(self_attention(normal, normal, normal, {.need_weights = false}).first) + x;
  return y + nn::chain(y, ln_2, mlp);
}

VisionEncoder::VisionEncoder(const VisionTransformerOptions& o)
    : Module("Encoder"), dropout(o.dropout), ln(o.hidden_dim, {.eps = 1e-6}) {
  const std::int64_t patches = checked(o).image_size / o.patch_size;
  Tensor positions = empty({1, patches * patches + 1, o.hidden_dim});
  pos_embedding = add("pos_embedding", nn::Parameter(nn::init::normal_(positions, 0, 0.02)));
  dropout = add("dropout", dropout);
  nn::Sequential blocks;
  for (std::int64_t i = 0; i < o.num_layers; ++i) blocks.append("encoder_layer_" + std::to_string(i), EncoderBlock(o));
  layers = add("layers", blocks);
  ln = add("ln", ln);
}

Tensor VisionEncoder::forward(const Tensor& x) { return nn::chain(x + pos_embedding, dropout, layers, ln); }

VisionTransformer::VisionTransformer(const VisionTransformerOptions& o)
    : Module("VisionTransformer"),
      class_token(add("class_token", nn::Parameter(zeros({1, 1, checked(o).hidden_dim})))),
      conv_proj(add("conv_proj", nn::Conv2d(3, o.hidden_dim, o.patch_size, {.stride = o.patch_size}))),
      encoder(add("encoder", VisionEncoder(o))),
      image_size_(o.image_size) {
  truncated_normal(conv_proj.weight, 3 * o.patch_size * o.patch_size);
  nn::init::zeros_(conv_proj.bias);
  nn::Linear head(o.representation_size.value_or(o.hidden_dim), o.num_classes);
  nn::init::zeros_(head.weight);
  nn::init::zeros_(head.bias);
  nn::Sequential layers;
  if (o.representation_size) {
    nn::Linear pre_logits(o.hidden_dim, *o.representation_size);
    truncated_normal(pre_logits.weight, o.hidden_dim);
    nn::init::zeros_(pre_logits.bias);
    layers.append("pre_logits", pre_logits).append("act", nn::Tanh());
  }
  heads = add("heads", layers.append("head", head));
}

Tensor VisionTransformer::forward(const Tensor& x) {
  if (x.dim() != 4 || x.size(2) != image_size_ || x.size(3) != image_size_) {
    const std::string n = std::to_string(image_size_);
    throw ShapeError("VisionTransformer: needs images [batch, 3, " + n + ", " + n + "], got " +
                     gradus::to_string(x.sizes()));
  }
  const Tensor patches = transpose(flatten(conv_proj(x), 2), 1, 2);  // [batch, patches, hidden_dim]
  const Tensor token = expand(class_token, {x.size(0), 1, patches.size(2)});
  return heads(select(encoder(cat({token, patches}, 1)), 1, 0));
}

VisionTransformer vit_ti_16(std::int64_t num_classes) { return VisionTransformer({.num_classes = num_classes}); }

VisionTransformer vit_b_16(std::int64_t num_classes) {
  return VisionTransformer({.num_heads = 12, .hidden_dim = 768, .mlp_dim = 3072, .num_classes = num_classes});
}

}  // namespace gradus::models
