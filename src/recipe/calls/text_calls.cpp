// Texts for recipes.
#include <fmt/format.h>
#include <gradus/ops.h>

#include "recipe/calls/callables.h"
#include "text/token_file.h"

namespace gradus::recipe {

data::AnyDataset text_blocks(const Fields& f, const data::AnyTransform& transform) {
  const std::string path = f.text("path"), folder = f.text("tokenizer");
  const std::int64_t length = f.integer("length");
  const auto tokenizer = text::Tokenizer::from_pretrained(folder);
  const std::vector<std::int64_t> ends = text::ends_of_texts(folder, tokenizer);
  const std::vector<std::int64_t> ids = text::read_texts(path, [&](const std::string& text) {
    std::vector<std::int64_t> one = tokenizer.encode(text).ids;
    if (!ends.empty()) one.push_back(ends[0]);
    return one;
  });
  const std::int64_t count = static_cast<std::int64_t>(ids.size()) / length;
  if (count == 0)
    throw ValueError(
        fmt::format("TextBlocks: {} has {} tokens, which make no block of length {}", path, ids.size(), length));
  const Tensor blocks = tensor(std::span(ids.data(), static_cast<std::size_t>(count * length)), {count, length});
  return data::Transformed(data::TensorDataset(blocks), {.transform = transform});
}

}  // namespace gradus::recipe
