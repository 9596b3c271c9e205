// Layers whose initial values do not depend on the order in which a compiler makes the arguments of a call.
#include <gradus/autograd.h>
#include <gradus/nn/module.h>
#include <gradus/random.h>

#include <algorithm>

#include "core/tensor_access.h"

namespace gradus::nn::detail {

namespace {

using gradus::detail::InitialDraw;

struct Drawn {
  Tensor tensor;
  InitialDraw* draw;
};

struct Made {
  Module* module;
  std::uint64_t begin;       // where the generator stood before its first draw
  std::vector<Drawn> drawn;  // in order
};

// A container is made after what it holds.
std::uint64_t begin_of(Module& module) {
  std::uint64_t begin = module.state()->born;
  for (const Module* part : module.modules()) begin = std::min(begin, part->state()->born);
  return begin;
}

void collect(Made& made) {
  auto tensors = made.module->parameters();
  for (Tensor& buffer : made.module->buffers()) tensors.push_back(buffer);
  for (Tensor& x : tensors) {
    if (!x.impl()->extras) continue;
    for (InitialDraw& draw : x.impl()->extras->draws) made.drawn.push_back({x, &draw});
  }
  std::stable_sort(made.drawn.begin(), made.drawn.end(), [](const Drawn& a, const Drawn& b) {
    return std::pair(a.draw->begin, a.draw->end) < std::pair(b.draw->begin, b.draw->end);
  });
}

// Whether what is known of the draws is all that happened from the beginning of the first module until now, and nothing
// has changed the values since.
bool is_all(std::vector<const Made*> in_time) {
  std::sort(in_time.begin(), in_time.end(), [](const Made* a, const Made* b) { return a->begin < b->begin; });
  std::uint64_t now = in_time.front()->begin;
  for (const Made* made : in_time) {
    for (const Drawn& drawn : made->drawn) {
      if (drawn.draw->begin != now) return false;
      now = drawn.draw->end;
      const gradus::detail::TensorImpl& tensor = *drawn.tensor.impl();
      if (tensor.extras->draws.back().version != drawn.tensor.version()) return false;
      if (tensor.storage->exposed.load(std::memory_order_relaxed))
        return false;  // written to through a pointer, perhaps
    }
  }
  return now == default_generator().offset();
}

void draw_anew(Made& made) {
  Generator& generator = default_generator();
  const std::uint64_t further = generator.offset() - made.begin;  // may wrap around, and back
  for (Module* part : made.module->modules()) part->state()->born += further;
  for (Drawn& drawn : made.drawn) {
    drawn.draw->begin = generator.offset();
    drawn.draw->fill(drawn.tensor);
    drawn.draw->end = generator.offset();
    drawn.draw->version = drawn.tensor.version();
  }
}

}  // namespace

void draw_in_order(const char* call, std::vector<Module*> modules, bool by_reference) {
  // What was copied or moved here from something that still lives was not made for this call.
  std::erase_if(modules, [](const Module* module) { return module == nullptr || module->from_ != nullptr; });
  std::vector<Made> all;
  for (Module* module : modules) all.push_back({module, begin_of(*module), {}});
  const auto later = [](const Made& a, const Made& b) { return a.begin > b.begin; };
  const auto inverted = std::adjacent_find(all.begin(), all.end(), later);
  if (inverted == all.end()) return;
  std::vector<const Made*> in_time;
  for (Made& made : all) {
    collect(made);
    in_time.push_back(&made);
  }
  const std::uint64_t begin =
      std::min_element(all.begin(), all.end(), [&](const Made& a, const Made& b) { return a.begin < b.begin; })->begin;
  if (!is_all(in_time)) {
    if (by_reference) return;
    throw ValueError(
        std::string(call) + ": the compiler made " + inverted[1].module->type_name() + " before " +
        inverted[0].module->type_name() +
        ", and initial values that were not drawn by nn::init cannot be drawn anew in order; write braces, " + call +
        "{...}, which make the modules from left to right");
  }
  NoGrad guard;
  default_generator().set_offset(begin);
  for (Made& made : all) draw_anew(made);
}

}  // namespace gradus::nn::detail
