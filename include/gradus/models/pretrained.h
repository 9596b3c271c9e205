// Language models from folders in the layout of the Hugging Face Hub: config.json, and weights as safetensors (one
// file, or shards with their index) or as a PyTorch checkpoint.
//
//   auto net = models::from_pretrained<models::Llama>("Llama-3.2-1B");
//   auto any = models::from_pretrained("all-MiniLM-L6-v2");  // of the class that config.json names
#pragma once

#include <memory>
#include <string>

#include <gradus/io/options.h>
#include <gradus/models/bert.h>
#include <gradus/models/gpt2.h>
#include <gradus/models/llama.h>

namespace gradus::models {

struct PretrainedOptions {
  Dtype dtype = kFloat32;                       // of the parameters, whatever type the files have
  std::optional<std::int64_t> num_labels = {};  // for a classifier; unset: as config.json says
  io::LoadOptions load = {};
};

// The model in a folder, in evaluation mode: GPT2, Llama (model_type llama, mistral or qwen2), BERT or one of its
// classes for other tasks. All tensors of the body must be there, with the sizes that config.json says (IoError, which
// names file, field and value); this is checked before the model is made. Layers that another task added to the body
// are ignored. A classifier's own layer starts from initial values where the folder has none, or one of other sizes.
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
// The class is that of model_type in config.json and, for BERT, of architectures.
std::shared_ptr<nn::Module> from_pretrained(const std::string& folder, const PretrainedOptions& options = {});
// The same, for a folder that must hold a causal language model (IoError).
std::shared_ptr<CausalLM> causal_lm_from_pretrained(const std::string& folder, const PretrainedOptions& options = {});

// Writes config.json and model.safetensors, which this library and transformers load. The folder is created if it does
// not exist. Tied tensors are written once. ValueError for a model of another class, and for a Llama whose options its
// configuration cannot express.
void save_pretrained(const nn::Module& model, const std::string& folder);

}  // namespace gradus::models
