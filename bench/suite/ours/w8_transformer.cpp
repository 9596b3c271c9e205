// W8: transformers. A causal language model of 6 layers of 384 with 5,000 words, 256 positions, batch 4; ViT-Ti/16 on 8
// images. AdamW.
#include <memory>
#include <utility>

#include "ours/workloads.h"

namespace suite {
namespace {

using namespace gradus;
namespace F = nn::functional;

constexpr std::int64_t kWords = 5000, kWidth = 384, kLength = 256, kBatch = 4;

struct LanguageModel : nn::Module {
  nn::Embedding words = add("words", nn::Embedding(kWords, kWidth));
  nn::Embedding places = add("places", nn::Embedding(kLength, kWidth));
  nn::TransformerEncoder encoder =
      add("encoder", nn::TransformerEncoder(nn::TransformerEncoderLayer(kWidth, 6,
                                                                        {.dim_feedforward = 4 * kWidth,
                                                                         .dropout = 0,
                                                                         .activation = "gelu",
                                                                         .batch_first = true,
                                                                         .norm_first = true}),
                                            6, nn::LayerNorm(kWidth)));
  nn::Linear head = add("head", nn::Linear(kWidth, kWords, {.bias = false}));

  Tensor forward(const Tensor& text) override {
    return head(encoder(words(text) + places(arange(kLength)), {.is_causal = true}));
  }
};

template <class Net>
struct Training {
  Net net;
  Tensor x, target;
  optim::AdamW optimizer;

  Training(Net n, const Tensor& input, const Tensor& wanted)
      : net(std::move(n)), x(input), target(wanted), optimizer(net.parameters(), {.lr = 1e-4}) {
    set_weights(net);
  }

  Tensor step() {
    optimizer.zero_grad();
    const Tensor scores = net(x);
    const Tensor loss = F::cross_entropy(reshape(scores, {-1, scores.size(-1)}), reshape(target, {-1}));
    loss.backward();
    optimizer.step();
    return loss;
  }
};

template <class Net>
Case make(Net net, const Tensor& x, const Tensor& target) {
  const auto training = std::make_shared<Training<Net>>(std::move(net), x, target);
  return {.step = [=] { training->step(); }, .losses = [=] { return losses_of(3, [&] { return training->step(); }); }};
}

Case make_language_model() {
  const Tensor text = remainder(arange(kBatch * kLength) * 7919, tensor(kWords));
  return make(LanguageModel(), reshape(text, {kBatch, kLength}),
              reshape(remainder(text * 31 + 7, tensor(kWords)), {kBatch, kLength}));
}

Case make_vit() {
  return make(models::vit_ti_16(), numbers_like({8, 3, 224, 224}, 1000, 1), remainder(arange(8), tensor(10)));
}

const bool added = add("w8", {{"language/256", make_language_model}, {"vit-ti/8", make_vit}});

}  // namespace
}  // namespace suite
