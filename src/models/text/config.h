// config.json of the Hub <-> the options of the language models, and the tensors that a file then must have.
#pragma once

#include <gradus/models/bert.h>
#include <gradus/models/gpt2.h>
#include <gradus/models/llama.h>

#include <functional>
#include <span>

#include "text/json_file.h"

namespace gradus::models {

// IoError, naming file, field and value, for a field of another type or range, and for what is not built here.
GPT2Options gpt2_options(const text::JsonObject& config);
LlamaOptions llama_options(const text::JsonObject& config);
BERTOptions bert_options(const text::JsonObject& config);

// config.json of a model whose parameters have this type. ValueError for options that no model of the Hub has.
std::string to_json(const GPT2Options& o, Dtype dtype);
std::string to_json(const LlamaOptions& o, Dtype dtype);
std::string to_json(const BERTOptions& o, const char* architecture, Dtype dtype);

// A tensor's size and the fields that say so.
struct Field {
  std::string name;
  std::int64_t value;
};
using NeedTensor = std::function<void(const std::string& name, std::initializer_list<Field> sizes)>;
// All tensors of a model's body, layer by layer.
void need_tensors(const GPT2Options& o, const NeedTensor& need);
void need_tensors(const LlamaOptions& o, const NeedTensor& need);
void need_tensors(const BERTOptions& o, const NeedTensor& need);

}  // namespace gradus::models
