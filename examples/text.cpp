// Language models, for docs/text.md.
// Usage: text [FOLDER FOR FILES [FOLDER WITH A TOKENIZER]]
#include <gradus/gradus.h>
#include <gradus/models/generation.h>
#include <gradus/models/pretrained.h>
#include <gradus/text/tokenizer.h>

#include <cstdio>
#include <string>

using namespace gradus;

// The numbers of a text's bytes, [1, positions].
Tensor bytes_of(const std::string& text) {
  std::vector<std::int64_t> ids;
  for (const unsigned char byte : text) ids.push_back(byte);
  return tensor(ids, {1, static_cast<std::int64_t>(ids.size())});
}

void train(const std::string& folder) {
  models::GPT2 net({.vocab_size = 256, .n_positions = 64, .n_embd = 32, .n_layer = 2, .n_head = 4});
  const Tensor ids = bytes_of("The quick brown fox jumps over the lazy dog. ");
  optim::AdamW optimizer(net.parameters(), {.lr = 1e-2});
  for (int step = 0; step < 30; ++step) {
    const Tensor loss = models::causal_lm_loss(net(ids), ids);  // of each token, given those before it
    optimizer.minimize(loss);
    if (step % 10 == 0) std::printf("step %d: loss %.3f\n", step, loss.item());
  }
  models::save_pretrained(net, folder + "/little-gpt2");  // config.json and model.safetensors
}

void load(const std::string& folder) {
  const auto net = models::from_pretrained<models::GPT2>(folder + "/little-gpt2");
  const auto any = models::from_pretrained(folder + "/little-gpt2");  // whichever config.json says
  std::printf("%s, %s\n", net.type_name().c_str(), any->type_name().c_str());
}

// Token by token, each computed once.
void continue_text(const std::string& folder) {
  auto net = models::from_pretrained<models::GPT2>(folder + "/little-gpt2");
  const Tensor prompt = bytes_of("The quick ");
  const Tensor ids =
      models::generate(net, prompt, {.max_new_tokens = 30, .do_sample = true, .temperature = 0.8, .top_p = 0.9});
  std::string text;
  for (const std::int64_t id : ids.to_vector<std::int64_t>()) text += static_cast<char>(id);
  std::printf("%s\nperplexity of the prompt %.2f\n", text.c_str(), models::perplexity(net, prompt));

  NoGrad guard;
  models::KVCache cache;  // what generate() uses, for loops of your own
  net(prompt, {.cache = &cache});
  const Tensor next = net(bytes_of("b"), {.cache = &cache, .last_only = true});  // [1, 1, 256]
  std::printf("after b: %c\n", static_cast<char>(argmax(next).item<std::int64_t>()));
}

// `model` is a folder with a tokenizer.
void tokenize(const std::string& model) {
  const auto tokenizer = text::Tokenizer::from_pretrained(model);
  const std::vector<std::int64_t> ids = tokenizer.encode("Hello world").ids;
  std::printf("%zu tokens: %s\n", ids.size(), tokenizer.decode(ids, true).c_str());
}

void encode() {
  models::BERT net({.vocab_size = 100,
                    .hidden_size = 32,
                    .num_hidden_layers = 2,
                    .num_attention_heads = 4,
                    .intermediate_size = 64});
  net.eval();
  const Tensor ids = tensor<std::int64_t>({{2, 5, 7, 3, 0}, {2, 8, 9, 6, 3}});
  const Tensor mask = tensor<std::int64_t>({{1, 1, 1, 1, 0}, {1, 1, 1, 1, 1}});
  const models::BERTOutput output = net(ids, {.attention_mask = mask});
  // One vector for each text, as sentence-transformers computes it.
  const Tensor vectors = nn::functional::normalize(models::mean_pooling(output.last_hidden_state, mask));
  std::printf("similarity %.3f\n", dot(vectors[0], vectors[1]).item());
}

int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : ".";
  manual_seed(1);
  train(folder);
  load(folder);
  continue_text(folder);
  encode();
  if (argc > 2) tokenize(argv[2]);
}
