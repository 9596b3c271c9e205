// linear and bilinear.
#include <gradus/autocast.h>
#include <gradus/autograd/op.h>
#include <gradus/ops.h>

#include "core/tensor_access.h"
#include "ops/elementwise/rectifiers.h"
#include "ops/product/linear.h"
#include "ops/product/products.h"

namespace gradus {

using namespace ops;

namespace {

// x [..., k] as [rows, k].
Tensor as_rows(const Tensor& x) {
  const std::int64_t width = x.sizes().back();
  if (x.dim() == 2) return x;
  Shape outer = x.sizes();
  outer.resize(outer.rank() - 1);
  return reshape(x, {outer.numel(), width});
}

Shape with_width(const Shape& sizes, std::int64_t width) {
  Shape result = sizes;
  result[result.rank() - 1] = width;
  return result;
}

struct Nothing {};

// One node of the graph instead of three or four, and one pass over the result instead of two or three. F is what
// follows, a formula whose derivative is one of the result.
template <class F = Nothing>
struct Linear final : Op {
  static constexpr bool kEnds = std::is_same_v<F, Nothing>;
  F then;
  Shape x_sizes;
  explicit Linear(const F& f = {}) : then(f) {}
  const char* name() const override { return "linear"; }
  Tensor forward(const Tensor& x, const Tensor& weight, const Tensor& bias) {
    x_sizes = x.sizes();
    if (needs(1)) save(0, x);
    if (needs(0)) save(1, weight);
    const std::int64_t width = weight.sizes()[0];
    Tensor y = detail::make_empty(with_width(x_sizes, width), x.dtype(), x.device());
    Product product{.trans_b = true, .bias = bias};
    if constexpr (!kEnds) product.activation = kernel::activation_of(then);
    multiply_into(y, as_rows(x), weight, product);
    if constexpr (!kEnds) save_output(y);
    return y;
  }
  void backward(const Tensor& g, Grads gx) override {
    Tensor rows;
    if constexpr (kEnds) {
      rows = as_rows(g);
    } else {
      rows = as_rows(apply(UnaryBackward<F>(then), g, output()));
    }
    if (needs(0)) gx[0] = reshape(mm_unchecked(rows, saved(1), false, false), x_sizes);
    if (needs(1)) gx[1] = mm_unchecked(rows, as_rows(saved(0)), true, false);
    if (needs(2)) gx[2] = sum(rows, 0);
  }
  std::int64_t multiply_adds(const Tensor& y, const Tensor&, const Tensor& weight, const Tensor&) const {
    return y.numel() * weight.sizes()[1];
  }
};

void check_linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const bool vector = weight.dim() == 1;
  if (x.dim() < 1 || (weight.dim() != 2 && !vector) || x.sizes().back() != weight.sizes().back()) {
    throw ShapeError("linear: need x [..., in] and weight [out, in], got " + to_string(x.sizes()) + " and " +
                     to_string(weight.sizes()));
  }
  check_product_types("linear", x, weight);
  if (bias.defined()) {
    check_product_types("linear", x, bias);
    const Shape wanted = vector ? Shape{} : Shape{weight.sizes()[0]};
    if (bias.sizes() != wanted) {
      throw ShapeError("linear: need bias " + to_string(wanted) + " for weight " + to_string(weight.sizes()) +
                       ", got " + to_string(bias.sizes()));
    }
  }
}

// Results of the two must be rounded between them where they are stored as bfloat16.
bool takes_formula(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const Dtype dtype = weight.dtype();
  return (dtype == kFloat32 || dtype == kFloat64) && weight.dim() == 2 && !autocasts(x, weight, bias);
}

template <class F>
Tensor linear_then(const F& then, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  check_linear(x, weight, bias);
  return apply(Linear<F>(then), x, weight, bias);
}

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (autocasts(x, weight, bias)) return linear(autocast(x), autocast(weight), autocast(bias));
  check_linear(x, weight, bias);
  if (weight.dim() == 2) return apply(Linear<>{}, x, weight, bias);
  const Tensor y = matmul(x, weight);
  return bias.defined() ? add(y, bias) : y;
}

Tensor ops::linear_relu(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (takes_formula(x, weight, bias)) return linear_then(Relu{}, x, weight, bias);
  return relu(linear(x, weight, bias));
}

Tensor ops::linear_leaky_relu(const Tensor& x, const Tensor& weight, const Tensor& bias, double negative_slope) {
  if (negative_slope >= 0 && takes_formula(x, weight, bias)) {
    return linear_then(LeakyReluOfResult{{negative_slope}}, x, weight, bias);
  }
  return leaky_relu(linear(x, weight, bias), negative_slope);
}

Tensor bilinear(const Tensor& x1, const Tensor& x2, const Tensor& weight, const Tensor& bias) {
  const auto leading = [](const Tensor& x) {
    Shape sizes = x.sizes();
    sizes.resize(sizes.rank() - 1);
    return sizes;
  };
  if (weight.dim() != 3 || x1.dim() < 1 || x2.dim() < 1 || x1.sizes().back() != weight.sizes()[1] ||
      x2.sizes().back() != weight.sizes()[2] || leading(x1) != leading(x2)) {
    throw ShapeError("bilinear: need x1 [..., in1], x2 [..., in2] and weight [out, in1, in2], got " +
                     to_string(x1.sizes()) + ", " + to_string(x2.sizes()) + " and " + to_string(weight.sizes()));
  }
  const std::int64_t out = weight.sizes()[0];
  if (bias.defined() && bias.sizes() != Shape{out}) {
    throw ShapeError("bilinear: need bias [" + std::to_string(out) + "], got " + to_string(bias.sizes()));
  }
  const Tensor a = as_rows(x1), b = as_rows(x2);
  const std::int64_t rows = a.sizes()[0];
  // [out, rows, in2], then for each row the out x in2 matrix times its x2.
  const Tensor half = bmm(expand(unsqueeze(a, 0), {out, rows, a.sizes()[1]}), weight);
  const Tensor y = reshape(bmm(permute(half, {1, 0, 2}), unsqueeze(b, 2)), with_width(x1.sizes(), out));
  return bias.defined() ? add(y, bias) : y;
}

}  // namespace gradus
