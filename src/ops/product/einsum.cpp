// einsum: the equation is read here; the work is done by permute, reshape, sum, mul and bmm, pair by pair from the
// left.
#include <gradus/autograd/op.h>
#include <gradus/ops.h>

#include <algorithm>
#include <array>

#include "core/tensor_access.h"
#include "ops/product/einsum_equation.h"
#include "ops/product/products.h"

namespace gradus {

using namespace ops;

namespace {

struct Operand {
  Tensor tensor;
  Labels labels;  // of each dimension
};

bool contains(const Labels& labels, int label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

// --- the diagonal of two dimensions of equal size, as a view: it replaces the first, the second goes
// --------------------

Tensor diagonal_view(const Tensor& x, int first, int second) {
  Shape sizes = x.sizes(), strides = x.strides();
  strides[first] += strides[second];
  sizes.erase(second);
  strides.erase(second);
  return detail::make_view(x, sizes, strides, 0);
}

Tensor diagonal(const Tensor& x, int first, int second);

struct DiagonalBackward final : Op {
  Shape from;
  int first, second;
  DiagonalBackward(const Shape& f, int i, int j) : from(f), first(i), second(j) {}
  const char* name() const override { return "diagonal_backward"; }
  Tensor forward(const Tensor& g) {
    Tensor x = zeros(from, {.dtype = g.dtype(), .device = g.device()});
    diagonal_view(x, first, second).copy_(g);
    return x;
  }
  void backward(const Tensor& gg, Grads gx) override { gx[0] = diagonal(gg, first, second); }
};

struct Diagonal final : Op {
  Shape from;
  int first, second;
  Diagonal(int i, int j) : first(i), second(j) {}
  const char* name() const override { return "diagonal"; }
  Tensor forward(const Tensor& x) {
    from = x.sizes();
    return diagonal_view(x, first, second);
  }
  void backward(const Tensor& g, Grads gx) override { gx[0] = apply(DiagonalBackward(from, first, second), g); }
};

Tensor diagonal(const Tensor& x, int first, int second) { return apply(Diagonal(first, second), x); }

// --- the work
// -----------------------------------------------------------------------------------------------------------

// Takes diagonals until each label stands once.
void take_diagonals(std::string_view equation, Operand& x) {
  for (std::size_t i = 0; i < x.labels.size(); ++i) {
    for (std::size_t j = x.labels.size() - 1; j > i; --j) {
      if (x.labels[j] != x.labels[i]) continue;
      const Shape& sizes = x.tensor.sizes();
      const int first = static_cast<int>(i), second = static_cast<int>(j);
      if (sizes[first] != sizes[second]) {
        throw ShapeError("einsum: " + label_name(x.labels[i]) + " stands twice in one operand, with sizes " +
                         std::to_string(sizes[first]) + " and " + std::to_string(sizes[second]) + ", in \"" +
                         std::string(equation) + "\"");
      }
      x.tensor = diagonal(x.tensor, first, second);
      x.labels.erase(x.labels.begin() + second);
    }
  }
}

// Sums over the labels that `keep` does not have.
template <class F>
void sum_out(Operand& x, F&& keep) {
  Dims dims;
  Labels kept;
  for (std::size_t i = 0; i < x.labels.size(); ++i) {
    if (keep(x.labels[i])) {
      kept.push_back(x.labels[i]);
    } else {
      dims.push_back(static_cast<std::int64_t>(i));
    }
  }
  if (dims.empty()) return;
  x.tensor = sum(x.tensor, dims, false, x.tensor.dtype());
  x.labels = kept;
}

Tensor arranged(const Operand& x, const Labels& order) {
  Shape dims;
  bool moved = false;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto at = std::find(x.labels.begin(), x.labels.end(), order[i]) - x.labels.begin();
    dims.push_back(at);
    moved |= at != static_cast<std::ptrdiff_t>(i);
  }
  return moved ? permute(x.tensor, dims) : x.tensor;
}

// Sizes, and their product, of some labels of an operand.
struct Group {
  Labels labels;
  Shape sizes;
  void add(const Operand& x, std::size_t i) {
    labels.push_back(x.labels[i]);
    sizes.push_back(x.tensor.sizes()[static_cast<int>(i)]);
  }
};

template <class Container>
void append(Container& to, const Container& more) {
  for (auto value : more) to.push_back(value);
}

// The product of a and b, summed over the labels that both have and `keep` has not.
template <class F>
Operand contract(Operand a, Operand b, F&& keep) {
  sum_out(a, [&](int label) { return keep(label) || contains(b.labels, label); });
  sum_out(b, [&](int label) { return keep(label) || contains(a.labels, label); });
  Group batch, summed, only_a, only_b;
  for (std::size_t i = 0; i < a.labels.size(); ++i) {
    const int label = a.labels[i];
    Group& group = !contains(b.labels, label) ? only_a : keep(label) ? batch : summed;
    group.add(a, i);
  }
  for (std::size_t i = 0; i < b.labels.size(); ++i)
    if (!contains(a.labels, b.labels[i])) only_b.add(b, i);

  const auto joined = [](Labels x, const Labels& y, const Labels& z) {
    append(x, y);
    append(x, z);
    return x;
  };
  Operand result{Tensor(), joined(batch.labels, only_a.labels, only_b.labels)};
  Shape sizes = batch.sizes;
  append(sizes, only_a.sizes);
  if (summed.labels.empty()) {
    // Nothing to sum: an outer or element-wise product.
    for (std::size_t i = 0; i < only_b.labels.size(); ++i) sizes.push_back(1);
    const Tensor left = reshape(arranged(a, joined(batch.labels, only_a.labels, {})), sizes);
    sizes = batch.sizes;
    for (std::size_t i = 0; i < only_a.labels.size(); ++i) sizes.push_back(1);
    append(sizes, only_b.sizes);
    result.tensor = mul(left, reshape(arranged(b, joined(batch.labels, only_b.labels, {})), sizes));
    return result;
  }
  append(sizes, only_b.sizes);
  const std::int64_t count = batch.sizes.numel(), m = only_a.sizes.numel(), n = only_b.sizes.numel(),
                     k = summed.sizes.numel();
  const Tensor left = arranged(a, joined(batch.labels, only_a.labels, summed.labels));
  const Tensor right = arranged(b, joined(batch.labels, summed.labels, only_b.labels));
  const Tensor product = batch.labels.empty() ? mm(reshape(left, {m, k}), reshape(right, {k, n}))
                                              : bmm(reshape(left, {count, m, k}), reshape(right, {count, k, n}));
  result.tensor = reshape(product, sizes);
  return result;
}

// Sizes must agree between operands; 1 stretches. A dimension that stretches is dropped from its operand.
void match_sizes(std::string_view equation, std::vector<Operand>& operands) {
  std::array<std::int64_t, kLetters + kMaxRank> size;
  size.fill(1);
  for (const Operand& x : operands) {
    for (std::size_t i = 0; i < x.labels.size(); ++i) {
      std::int64_t& known = size[static_cast<std::size_t>(x.labels[i])];
      const std::int64_t own = x.tensor.sizes()[static_cast<int>(i)];
      if (own == 1 || own == known) continue;
      if (known != 1) {
        throw ShapeError("einsum: " + label_name(x.labels[i]) + " has size " + std::to_string(known) +
                         " in one operand and " + std::to_string(own) + " in another, in \"" + std::string(equation) +
                         "\"");
      }
      known = own;
    }
  }
  for (Operand& x : operands) {
    for (std::size_t i = x.labels.size(); i-- > 0;) {
      if (x.tensor.sizes()[static_cast<int>(i)] == size[static_cast<std::size_t>(x.labels[i])]) continue;
      x.tensor = squeeze(x.tensor, static_cast<std::int64_t>(i));
      x.labels.erase(x.labels.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
}

}  // namespace

Tensor einsum(std::string_view equation, const std::vector<Tensor>& tensors) {
  if (tensors.empty()) throw ValueError("einsum: needs at least one operand");
  const Equation parsed = parse_equation(equation);
  if (parsed.operands.size() != tensors.size()) {
    refuse_equation(equation, "the equation has " + std::to_string(parsed.operands.size()) + " operands, given are " +
                                  std::to_string(tensors.size()));
  }
  for (const Tensor& x : tensors) check_product_types("einsum", tensors[0], x);
  const int ellipsis = ellipsis_rank(parsed, equation, tensors);
  const Labels result = result_labels(parsed, equation, ellipsis);

  std::vector<Operand> operands;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const Subscript& subscript = parsed.operands[i];
    const int own = tensors[i].sizes().rank() - static_cast<int>(subscript.letters.size());
    operands.push_back({tensors[i], subscript.expanded(own)});
    take_diagonals(equation, operands.back());
  }
  match_sizes(equation, operands);

  Operand product = operands[0];
  for (std::size_t i = 1; i < operands.size(); ++i) {
    product = contract(product, operands[i], [&](int label) {
      return contains(result, label) ||
             std::any_of(operands.begin() + static_cast<std::ptrdiff_t>(i) + 1, operands.end(),
                         [&](const Operand& x) { return contains(x.labels, label); });
    });
  }
  sum_out(product, [&](int label) { return contains(result, label); });
  return arranged(product, result);
}

}  // namespace gradus
