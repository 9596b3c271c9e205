// Language models from folders as the Hugging Face Hub has them: config.json, and weights as safetensors (one file, or
// shards with their index) or as a PyTorch checkpoint.
//
//   auto net = models::from_pretrained<models::Llama>("Llama-3.2-1B");
//   auto any = models::from_pretrained("all-MiniLM-L6-v2");  // whichever config.json says
#pragma once

#include <memory>
#include <string>

#include <gradus/io/options.h>
#include <gradus/models/bert.h>
#include <gradus/models/gpt2.h>
#include <gradus/models/llama.h>

namespace gradus::models {

struct PretrainedOptions {
  Dtype dtype = kFloat32;                       // of the parameters, whatever the files have
  std::optional<std::int64_t> num_labels = {};  // of a classifier; unset: what config.json says
  io::LoadOptions load = {};
};

// The model that a folder holds, in evaluation. GPT2, Llama (model_type llama, mistral or qwen2), BERT and its classes
// of other tasks. The body's tensors must all be there and have the sizes that config.json says (IoError naming file,
// field and value), and nothing is made before that is known. What another task added on top of a body is left out; a
// classifier's own layer starts anew where the folder has none, or one of other sizes.
template <class Model>
Model from_pretrained(const std::string& folder, const PretrainedOptions& options = {}) = delete;
template <>
GPT2 from_pretrained<GPT2>(const std::string& folder, const PretrainedOptions& options);
template <>
Llama from_pretrained<Llama>(const std::string& folder, const PretrainedOptions& options);
template <>
BERT from_pretrained<BERT>(const std::string& folder, const PretrainedOptions& options);
template <>
BERTForMaskedLM from_pretrained<BERTForMaskedLM>(const std::string& folder, const PretrainedOptions& options);
template <>
BERTForSequenceClassification from_pretrained<BERTForSequenceClassification>(const std::string& folder,
                                                                             const PretrainedOptions& options);
template <>
BERTForTokenClassification from_pretrained<BERTForTokenClassification>(const std::string& folder,
                                                                       const PretrainedOptions& options);
// By config.json's model_type and, for BERT, its architectures.
std::shared_ptr<nn::Module> from_pretrained(const std::string& folder, const PretrainedOptions& options = {});
// The same, of a folder that must hold a decoder.
std::shared_ptr<CausalLM> causal_lm_from_pretrained(const std::string& folder, const PretrainedOptions& options = {});

// Writes config.json and model.safetensors, which this library and transformers load, into a folder that is made where
// it is missing. Tied tensors are written once. ValueError for a model of another class.
void save_pretrained(const nn::Module& model, const std::string& folder);

}  // namespace gradus::models
