// Layers by name. Arguments have PyTorch's order and defaults.
#include <gradus/nn/containers.h>
#include <gradus/nn/init.h>
#include <gradus/nn/layers/activation.h>
#include <gradus/nn/layers/convolution.h>
#include <gradus/nn/layers/dropout.h>
#include <gradus/nn/layers/embedding.h>
#include <gradus/nn/layers/further_activations.h>
#include <gradus/nn/layers/further_layers.h>
#include <gradus/nn/layers/linear.h>
#include <gradus/nn/layers/normalization.h>
#include <gradus/nn/layers/padding.h>
#include <gradus/nn/layers/pooling.h>
#include <gradus/nn/layers/rnn.h>
#include <gradus/nn/layers/transformer.h>
#include <gradus/nn/layers/upsampling.h>

#include "recipe/calls/callables.h"

namespace gradus::recipe {

namespace {

template <int N>
Spatial<N> spatial(const std::vector<std::int64_t>& values) {
  if (values.size() == 1) return values[0];
  if (values.size() != static_cast<std::size_t>(N))
    throw ValueError("needs 1 or " + std::to_string(N) + " numbers, got " + std::to_string(values.size()));
  Spatial<N> result = 0;
  std::vector<std::int64_t> each = values;
  for (int i = 0; i < N; ++i) result[i] = each[static_cast<std::size_t>(i)];
  return result;
}
template <int N>
std::optional<Spatial<N>> maybe_spatial(const Fields& f, const char* field) {
  if (!f.has(field)) return {};
  return spatial<N>(f.integers(field));
}
std::optional<double> maybe_number(const Fields& f, const char* field) {
  return f.has(field) ? std::optional(f.number(field)) : std::nullopt;
}
std::optional<std::int64_t> maybe_integer(const Fields& f, const char* field) {
  return f.has(field) ? std::optional(f.integer(field)) : std::nullopt;
}

template <class M>
std::shared_ptr<nn::Module> keep(M module) {
  return std::make_shared<M>(std::move(module));
}
template <class M>
Layer plain(const char* name, const char* help) {
  return {parse_signature(std::string(name) + "()", help), [](const Fields&) { return keep(M()); }};
}
Layer layer(const std::string& signature, const char* help,
            std::function<std::shared_ptr<nn::Module>(const Fields&)> make) {
  return {parse_signature(signature, help), std::move(make)};
}

template <int N>
Layer conv(const char* name) {
  return layer(std::string(name) +
                   "(in_channels: int>=1, out_channels: int>=1, kernel_size: int>=1..., stride: int>=1... = 1, "
                   "padding: int>=0... | (same|valid) = 0, dilation: int>=1... = 1, groups: int>=1 = 1, "
                   "bias: flag = true, padding_mode: (zeros|reflect|replicate|circular) = zeros)",
               "convolution", [](const Fields& f) {
                 const std::string rule = f.get("padding").text;
                 nn::ConvOptions<N> options{.stride = spatial<N>(f.integers("stride")),
                                            .dilation = spatial<N>(f.integers("dilation")),
                                            .groups = f.integer("groups"),
                                            .bias = f.flag("bias"),
                                            .padding_mode = f.text("padding_mode")};
                 if (rule == "same" || rule == "valid")
                   options.padding = rule.c_str();
                 else
                   options.padding = spatial<N>(f.integers("padding"));
                 return keep(nn::Conv<N>(f.integer("in_channels"), f.integer("out_channels"),
                                         spatial<N>(f.integers("kernel_size")), options));
               });
}
template <int N>
Layer conv_transpose(const char* name) {
  return layer(std::string(name) +
                   "(in_channels: int>=1, out_channels: int>=1, kernel_size: int>=1..., stride: int>=1... = 1, "
                   "padding: int>=0... = 0, output_padding: int>=0... = 0, groups: int>=1 = 1, bias: flag = true, "
                   "dilation: int>=1... = 1)",
               "transposed convolution", [](const Fields& f) {
                 return keep(nn::ConvTranspose<N>(f.integer("in_channels"), f.integer("out_channels"),
                                                  spatial<N>(f.integers("kernel_size")),
                                                  {.stride = spatial<N>(f.integers("stride")),
                                                   .padding = spatial<N>(f.integers("padding")),
                                                   .output_padding = spatial<N>(f.integers("output_padding")),
                                                   .groups = f.integer("groups"),
                                                   .bias = f.flag("bias"),
                                                   .dilation = spatial<N>(f.integers("dilation"))}));
               });
}
template <int N>
Layer max_pool(const char* name) {
  return layer(std::string(name) +
                   "(kernel_size: int>=1..., stride: int>=1... = none, padding: int>=0... = 0, "
                   "dilation: int>=1... = 1, ceil_mode: flag = false)",
               "the maximum of each window", [](const Fields& f) {
                 return keep(nn::MaxPool<N>(spatial<N>(f.integers("kernel_size")),
                                            {.stride = maybe_spatial<N>(f, "stride"),
                                             .padding = spatial<N>(f.integers("padding")),
                                             .dilation = spatial<N>(f.integers("dilation")),
                                             .ceil_mode = f.flag("ceil_mode")}));
               });
}
template <int N>
Layer avg_pool(const char* name) {
  return layer(
      std::string(name) +
          "(kernel_size: int>=1..., stride: int>=1... = none, padding: int>=0... = 0, ceil_mode: flag = false, "
          "count_include_pad: flag = true)",
      "the mean of each window", [](const Fields& f) {
        nn::AvgPoolOptions<N> options;
        options.stride = maybe_spatial<N>(f, "stride");
        options.padding = spatial<N>(f.integers("padding"));
        options.ceil_mode = f.flag("ceil_mode");
        options.count_include_pad = f.flag("count_include_pad");
        return keep(nn::AvgPool<N>(spatial<N>(f.integers("kernel_size")), options));
      });
}
template <class Pool, int N>
Layer adaptive(const char* name, const char* help) {
  return layer(std::string(name) + "(output_size: int>=1...)", help,
               [](const Fields& f) { return keep(Pool(spatial<N>(f.integers("output_size")))); });
}
template <class Norm>
Layer batch_norm(const char* name) {
  return layer(std::string(name) +
                   "(num_features: int>=1, eps: number>=0 = 1e-5, momentum: number[0,1] = 0.1, affine: flag = true, "
                   "track_running_stats: flag = true)",
               "batch normalisation", [](const Fields& f) {
                 return keep(Norm(f.integer("num_features"), {.eps = f.number("eps"),
                                                              .momentum = maybe_number(f, "momentum"),
                                                              .affine = f.flag("affine"),
                                                              .track_running_stats = f.flag("track_running_stats")}));
               });
}
template <class Norm>
Layer instance_norm(const char* name) {
  return layer(std::string(name) +
                   "(num_features: int>=1, eps: number>=0 = 1e-5, momentum: number[0,1] = 0.1, affine: flag = false, "
                   "track_running_stats: flag = false)",
               "normalisation of each channel of each sample", [](const Fields& f) {
                 return keep(Norm(f.integer("num_features"), {.eps = f.number("eps"),
                                                              .momentum = maybe_number(f, "momentum"),
                                                              .affine = f.flag("affine"),
                                                              .track_running_stats = f.flag("track_running_stats")}));
               });
}
template <class Drop>
Layer dropout(const char* name, const char* help) {
  return layer(std::string(name) + "(p: number[0,1] = 0.5)", help,
               [](const Fields& f) { return keep(Drop(f.number("p"))); });
}
constexpr const char* kSides[] = {"left, right", "left, right, top, bottom", "left, right, top, bottom, front, back"};
template <template <int> class Pad, int N>
Layer padding(const char* name) {
  return layer(std::string(name) + "(padding: int...)", kSides[N - 1],
               [](const Fields& f) { return keep(Pad<N>(spatial<2 * N>(f.integers("padding")))); });
}
template <int N>
Layer constant_pad(const char* name) {
  return layer(std::string(name) + "(padding: int..., value: number)", kSides[N - 1], [](const Fields& f) {
    return keep(nn::ConstantPad<N>(spatial<2 * N>(f.integers("padding")), f.number("value")));
  });
}
nn::UpsampleOptions upsample_options(const Fields& f) {
  return {.size = f.integers("size"), .scale_factor = f.numbers("scale_factor")};
}
template <class Up>
Layer upsampling(const char* name, const char* help) {
  return layer(std::string(name) + "(size: int>=1... = none, scale_factor: number>0... = none)", help,
               [](const Fields& f) { return keep(Up(upsample_options(f))); });
}

// A recurrent layer whose result is the output of all positions, without the state.
template <class Recurrent>
struct OutputOf : Recurrent {
  using Recurrent::Recurrent;
  Tensor forward(const Tensor& x) override { return Recurrent::forward(x, {}).first; }
};
template <class Recurrent, class Options>
Layer recurrent(const char* name, const std::string& more, const char* help,
                void (*read_more)(Options&, const Fields&)) {
  return layer(
      std::string(name) + "(input_size: int>=1, hidden_size: int>=1, num_layers: int>=1 = 1, " + more +
          "bias: flag = true, batch_first: flag = false, dropout: number[0,1] = 0, bidirectional: flag = false)",
      help, [read_more](const Fields& f) {
        Options options;
        options.num_layers = f.integer("num_layers");
        options.bias = f.flag("bias");
        options.batch_first = f.flag("batch_first");
        options.dropout = f.number("dropout");
        options.bidirectional = f.flag("bidirectional");
        if (read_more != nullptr) read_more(options, f);
        return keep(OutputOf<Recurrent>(f.integer("input_size"), f.integer("hidden_size"), options));
      });
}
nn::TransformerEncoderLayer encoder_layer(const Fields& f) {
  nn::TransformerEncoderLayerOptions options;
  options.dim_feedforward = f.integer("dim_feedforward");
  options.dropout = f.number("dropout");
  options.activation = f.text("activation");
  options.layer_norm_eps = f.number("layer_norm_eps");
  options.batch_first = f.flag("batch_first");
  options.norm_first = f.flag("norm_first");
  options.bias = f.flag("bias");
  return {f.integer("d_model"), f.integer("nhead"), options};
}

}  // namespace

const std::vector<Layer>& layers() {
  static const std::vector<Layer> all{
      layer("Linear(in_features: int>=1, out_features: int>=1, bias: flag = true)", "x A^T + b",
            [](const Fields& f) {
              return keep(nn::Linear(f.integer("in_features"), f.integer("out_features"), {.bias = f.flag("bias")}));
            }),
      plain<nn::Identity>("Identity", "returns its input"),
      layer("Flatten(start_dim: int = 1, end_dim: int = -1)", "joins dimensions into one",
            [](const Fields& f) { return keep(nn::Flatten(f.integer("start_dim"), f.integer("end_dim"))); }),
      layer(
          "Unflatten(dim: int, unflattened_size: int>=1...)", "splits a dimension into several",
          [](const Fields& f) { return keep(nn::Unflatten(f.integer("dim"), Shape(f.integers("unflattened_size")))); }),
      layer("PReLU(num_parameters: int>=1 = 1, init: number = 0.25)", "a trainable slope below zero",
            [](const Fields& f) { return std::make_shared<nn::PReLU>(f.integer("num_parameters"), f.number("init")); }),
      layer("Embedding(num_embeddings: int>=1, embedding_dim: int>=1, padding_idx: int = none)",
            "looks up rows by index",
            [](const Fields& f) {
              return keep(nn::Embedding(f.integer("num_embeddings"), f.integer("embedding_dim"),
                                        {.padding_idx = maybe_integer(f, "padding_idx")}));
            }),
      conv<1>("Conv1d"),
      conv<2>("Conv2d"),
      conv<3>("Conv3d"),
      conv_transpose<1>("ConvTranspose1d"),
      conv_transpose<2>("ConvTranspose2d"),
      conv_transpose<3>("ConvTranspose3d"),
      max_pool<1>("MaxPool1d"),
      max_pool<2>("MaxPool2d"),
      max_pool<3>("MaxPool3d"),
      avg_pool<1>("AvgPool1d"),
      avg_pool<2>("AvgPool2d"),
      avg_pool<3>("AvgPool3d"),
      adaptive<nn::AdaptiveAvgPool1d, 1>("AdaptiveAvgPool1d", "means, for an output of this size"),
      adaptive<nn::AdaptiveAvgPool2d, 2>("AdaptiveAvgPool2d", "means, for an output of this size"),
      adaptive<nn::AdaptiveAvgPool3d, 3>("AdaptiveAvgPool3d", "means, for an output of this size"),
      adaptive<nn::AdaptiveMaxPool1d, 1>("AdaptiveMaxPool1d", "maxima, for an output of this size"),
      adaptive<nn::AdaptiveMaxPool2d, 2>("AdaptiveMaxPool2d", "maxima, for an output of this size"),
      adaptive<nn::AdaptiveMaxPool3d, 3>("AdaptiveMaxPool3d", "maxima, for an output of this size"),
      batch_norm<nn::BatchNorm1d>("BatchNorm1d"),
      batch_norm<nn::BatchNorm2d>("BatchNorm2d"),
      batch_norm<nn::BatchNorm3d>("BatchNorm3d"),
      instance_norm<nn::InstanceNorm1d>("InstanceNorm1d"),
      instance_norm<nn::InstanceNorm2d>("InstanceNorm2d"),
      instance_norm<nn::InstanceNorm3d>("InstanceNorm3d"),
      layer(
          "LayerNorm(normalized_shape: int>=1..., eps: number>=0 = 1e-5, elementwise_affine: flag = true, "
          "bias: flag = true)",
          "normalisation over the last dimensions",
          [](const Fields& f) {
            return keep(nn::LayerNorm(
                Shape(f.integers("normalized_shape")),
                {.eps = f.number("eps"), .elementwise_affine = f.flag("elementwise_affine"), .bias = f.flag("bias")}));
          }),
      layer("RMSNorm(normalized_shape: int>=1..., eps: number>=0 = none, elementwise_affine: flag = true)",
            "normalisation over the last dimensions, without subtracting a mean or adding a bias",
            [](const Fields& f) {
              return keep(
                  nn::RMSNorm(Shape(f.integers("normalized_shape")),
                              {.eps = maybe_number(f, "eps"), .elementwise_affine = f.flag("elementwise_affine")}));
            }),
      layer("GroupNorm(num_groups: int>=1, num_channels: int>=1, eps: number>=0 = 1e-5, affine: flag = true)",
            "normalisation over groups of channels",
            [](const Fields& f) {
              return keep(nn::GroupNorm(f.integer("num_groups"), f.integer("num_channels"),
                                        {.eps = f.number("eps"), .affine = f.flag("affine")}));
            }),
      layer("ReLU(inplace: flag = false)", "max(x, 0)",
            [](const Fields& f) { return keep(nn::ReLU(f.flag("inplace"))); }),
      layer("LeakyReLU(negative_slope: number = 0.01, inplace: flag = false)", "",
            [](const Fields& f) { return keep(nn::LeakyReLU(f.number("negative_slope"), f.flag("inplace"))); }),
      layer("Hardtanh(min_val: number = -1, max_val: number = 1, inplace: flag = false)",
            "min(max(x, min_val), max_val)",
            [](const Fields& f) {
              return keep(nn::Hardtanh(f.number("min_val"), f.number("max_val"), f.flag("inplace")));
            }),
      layer("ReLU6(inplace: flag = false)", "min(max(x, 0), 6)",
            [](const Fields& f) { return keep(nn::ReLU6(f.flag("inplace"))); }),
      layer("ELU(alpha: number = 1)", "", [](const Fields& f) { return keep(nn::ELU(f.number("alpha"))); }),
      layer("GELU(approximate: (none|tanh) = none)", "",
            [](const Fields& f) { return keep(nn::GELU(f.has("approximate") ? f.text("approximate") : "none")); }),
      layer("Softplus(beta: number>0 = 1, threshold: number = 20)", "",
            [](const Fields& f) { return keep(nn::Softplus(f.number("beta"), f.number("threshold"))); }),
      plain<nn::SiLU>("SiLU", "x sigmoid(x)"),
      plain<nn::Tanh>("Tanh", ""),
      plain<nn::Sigmoid>("Sigmoid", ""),
      plain<nn::LogSigmoid>("LogSigmoid", ""),
      layer("SELU(inplace: flag = false)", "for networks that keep their own mean and variance",
            [](const Fields& f) { return keep(nn::SELU(f.flag("inplace"))); }),
      layer("CELU(alpha: number = 1, inplace: flag = false)", "",
            [](const Fields& f) { return keep(nn::CELU(f.number("alpha"), f.flag("inplace"))); }),
      layer("Mish(inplace: flag = false)", "x tanh(softplus(x))",
            [](const Fields& f) { return keep(nn::Mish(f.flag("inplace"))); }),
      layer("Hardswish(inplace: flag = false)", "x hardsigmoid(x)",
            [](const Fields& f) { return keep(nn::Hardswish(f.flag("inplace"))); }),
      layer("Hardsigmoid(inplace: flag = false)", "min(max(x + 3, 0), 6) / 6",
            [](const Fields& f) { return keep(nn::Hardsigmoid(f.flag("inplace"))); }),
      layer("GLU(dim: int = -1)", "the first half times the sigmoid of the second",
            [](const Fields& f) { return keep(nn::GLU(f.integer("dim"))); }),
      layer("Softmax(dim: int)", "", [](const Fields& f) { return keep(nn::Softmax(f.integer("dim"))); }),
      layer("LogSoftmax(dim: int)", "", [](const Fields& f) { return keep(nn::LogSoftmax(f.integer("dim"))); }),
      dropout<nn::Dropout>("Dropout", "drops elements"),
      dropout<nn::Dropout1d>("Dropout1d", "drops channels"),
      dropout<nn::Dropout2d>("Dropout2d", "drops channels"),
      dropout<nn::Dropout3d>("Dropout3d", "drops channels"),
      dropout<nn::AlphaDropout>("AlphaDropout", "drops elements after SELU"),
      constant_pad<1>("ConstantPad1d"),
      constant_pad<2>("ConstantPad2d"),
      constant_pad<3>("ConstantPad3d"),
      padding<nn::ZeroPad, 1>("ZeroPad1d"),
      padding<nn::ZeroPad, 2>("ZeroPad2d"),
      padding<nn::ZeroPad, 3>("ZeroPad3d"),
      padding<nn::ReflectionPad, 1>("ReflectionPad1d"),
      padding<nn::ReflectionPad, 2>("ReflectionPad2d"),
      padding<nn::ReflectionPad, 3>("ReflectionPad3d"),
      padding<nn::ReplicationPad, 1>("ReplicationPad1d"),
      padding<nn::ReplicationPad, 2>("ReplicationPad2d"),
      padding<nn::ReplicationPad, 3>("ReplicationPad3d"),
      padding<nn::CircularPad, 1>("CircularPad1d"),
      padding<nn::CircularPad, 2>("CircularPad2d"),
      padding<nn::CircularPad, 3>("CircularPad3d"),
      layer("Upsample(size: int>=1... = none, scale_factor: number>0... = none, "
            "mode: (nearest|linear|bilinear|bicubic|trilinear) = nearest, align_corners: flag = none)",
            "resizes to a size or by a factor",
            [](const Fields& f) {
              nn::UpsampleOptions options = upsample_options(f);
              options.mode = f.text("mode");
              if (f.has("align_corners")) options.align_corners = f.flag("align_corners");
              return keep(nn::Upsample(options));
            }),
      layer("PixelShuffle(upscale_factor: int>=1)", "moves channels into pixels",
            [](const Fields& f) { return keep(nn::PixelShuffle(f.integer("upscale_factor"))); }),
      layer("PixelUnshuffle(downscale_factor: int>=1)", "moves pixels into channels",
            [](const Fields& f) { return keep(nn::PixelUnshuffle(f.integer("downscale_factor"))); }),
      upsampling<nn::UpsamplingNearest2d>("UpsamplingNearest2d", "takes the nearest pixel"),
      upsampling<nn::UpsamplingBilinear2d>("UpsamplingBilinear2d", "interpolates, with aligned corners"),
      recurrent<nn::RNN, nn::RNNOptions>(
          "RNN", "nonlinearity: (tanh|relu) = tanh, ",
          "Elman (1990); returns the output of all positions, without the state",
          [](nn::RNNOptions& options, const Fields& f) { options.nonlinearity = f.text("nonlinearity"); }),
      recurrent<nn::LSTM, nn::LSTMOptions>("LSTM", "", "returns the output of all positions, without the state",
                                           nullptr),
      recurrent<nn::GRU, nn::GRUOptions>("GRU", "", "returns the output of all positions, without the state", nullptr),
      layer("TransformerEncoderLayer(d_model: int>=1, nhead: int>=1, dim_feedforward: int>=1 = 2048, "
            "dropout: number[0,1] = 0.1, activation: (relu|gelu) = relu, layer_norm_eps: number>=0 = 1e-5, "
            "batch_first: flag = false, norm_first: flag = false, bias: flag = true)",
            "self-attention and a feed-forward network", [](const Fields& f) { return keep(encoder_layer(f)); }),
  };
  return all;
}

const std::vector<Init>& inits() {
  namespace init = nn::init;
  const auto row = [](const char* signature, const char* help, std::function<void(Tensor&, const Fields&)> make) {
    return Init{parse_signature(signature, help), std::move(make)};
  };
  const auto mode = [](const Fields& f) { return init::FanMode(std::string_view(f.text("mode"))); };
  static const std::vector<Init> all{
      row("zeros_()", "", [](Tensor& x, const Fields&) { init::zeros_(x); }),
      row("ones_()", "", [](Tensor& x, const Fields&) { init::ones_(x); }),
      row("constant_(value: number)", "", [](Tensor& x, const Fields& f) { init::constant_(x, f.number("value")); }),
      row("uniform_(a: number = 0, b: number = 1)", "",
          [](Tensor& x, const Fields& f) { init::uniform_(x, f.number("a"), f.number("b")); }),
      row("normal_(mean: number = 0, std: number>=0 = 1)", "",
          [](Tensor& x, const Fields& f) { init::normal_(x, f.number("mean"), f.number("std")); }),
      row("trunc_normal_(mean: number = 0, std: number>=0 = 1, a: number = -2, b: number = 2)", "",
          [](Tensor& x, const Fields& f) {
            init::trunc_normal_(x, f.number("mean"), f.number("std"), f.number("a"), f.number("b"));
          }),
      row("xavier_uniform_(gain: number>0 = 1)", "Glorot and Bengio (2010)",
          [](Tensor& x, const Fields& f) { init::xavier_uniform_(x, f.number("gain")); }),
      row("xavier_normal_(gain: number>0 = 1)", "Glorot and Bengio (2010)",
          [](Tensor& x, const Fields& f) { init::xavier_normal_(x, f.number("gain")); }),
      row("kaiming_uniform_(a: number = 0, mode: (fan_in|fan_out) = fan_in, nonlinearity: text = leaky_relu)",
          "He et al. (2015)",
          [mode](Tensor& x, const Fields& f) {
            init::kaiming_uniform_(x, f.number("a"), mode(f), f.text("nonlinearity"));
          }),
      row("kaiming_normal_(a: number = 0, mode: (fan_in|fan_out) = fan_in, nonlinearity: text = leaky_relu)",
          "He et al. (2015)",
          [mode](Tensor& x, const Fields& f) {
            init::kaiming_normal_(x, f.number("a"), mode(f), f.text("nonlinearity"));
          }),
      row("orthogonal_(gain: number>0 = 1)", "Saxe et al. (2013)",
          [](Tensor& x, const Fields& f) { init::orthogonal_(x, f.number("gain")); }),
  };
  return all;
}

}  // namespace gradus::recipe
