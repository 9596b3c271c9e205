// Adafactor on parameters too large for the traces, against a plain loop over each matrix.
#include <gradus/ops.h>
#include <gradus/optim/adafactor.h>
#include <gradus/random.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace gradus {
namespace {

// `rows` is 0 for a vector, whose squares are all kept, in `r`.
struct Plain {
  std::size_t matrices, rows, columns;
  std::vector<double> p, g, r, c;
  int step = 0;

  void update() {
    const double part = std::pow(++step, -0.8), eps = 2.220446049250313e-16;
    const double rho = std::min(0.01, 1 / std::sqrt(step));
    double p_squares = 0, u_squares = 0;
    for (double x : p) p_squares += x * x;
    std::vector<double> v(p.size());
    if (rows == 0) {
      for (std::size_t i = 0; i < p.size(); ++i) v[i] = r[i] = (1 - part) * r[i] + part * g[i] * g[i];
    }
    for (std::size_t m = 0; m < matrices && rows > 0; ++m) {
      const auto at = [&](std::size_t i, std::size_t j) { return (m * rows + i) * columns + j; };
      double mean = 0;
      for (std::size_t i = 0; i < rows; ++i) {
        double sum = 0;
        for (std::size_t j = 0; j < columns; ++j) sum += g[at(i, j)] * g[at(i, j)];
        double& kept = r[m * rows + i];
        kept = (1 - part) * kept + part * sum / columns;
        mean += kept / rows;
      }
      for (std::size_t j = 0; j < columns; ++j) {
        double sum = 0;
        for (std::size_t i = 0; i < rows; ++i) sum += g[at(i, j)] * g[at(i, j)];
        double& kept = c[m * columns + j];
        kept = (1 - part) * kept + part * sum / rows;
        for (std::size_t i = 0; i < rows; ++i) v[at(i, j)] = r[m * rows + i] * kept / std::max(mean, eps);
      }
    }
    const auto update_of = [&](std::size_t i) { return g[i] / std::sqrt(std::max(v[i], eps * eps)); };
    for (std::size_t i = 0; i < p.size(); ++i) u_squares += update_of(i) * update_of(i);
    const double n = static_cast<double>(p.size()), cut = std::max(1.0, std::sqrt(u_squares / n));
    const double size = std::max(1e-3, std::sqrt(p_squares / n)) * rho / cut;
    for (std::size_t i = 0; i < p.size(); ++i) p[i] = p[i] * (1 - 0.01 * 0.1) - size * update_of(i);
  }
};

TEST(Adafactor, LargeParameters) {
  for (const Shape& shape : {Shape{70, 1100}, Shape{40, 30, 3, 5}, Shape{10001}, Shape{3, 1}}) {
    SCOPED_TRACE(to_string(shape));
    Generator generator(3);
    const TensorOptions float64{.dtype = kFloat64};
    Tensor p = randn(shape, float64, &generator).requires_grad_();
    Plain plain{.matrices = 0, .rows = 0, .columns = 0, .p = p.to_vector<double>(), .g = {}, .r = {}, .c = {}};
    if (p.dim() > 1) {
      plain.rows = static_cast<std::size_t>(p.size(-2));
      plain.columns = static_cast<std::size_t>(p.size(-1));
      plain.matrices = plain.p.size() / (plain.rows * plain.columns);
    }
    plain.r.resize(plain.rows == 0 ? plain.p.size() : plain.matrices * plain.rows);
    plain.c.resize(plain.matrices * plain.columns);
    optim::Adafactor opt(p, {.weight_decay = 0.1});
    for (int step = 0; step < 5; ++step) {
      const Tensor g = randn(shape, float64, &generator);
      p.set_grad(g);
      plain.g = g.to_vector<double>();
      opt.step();
      plain.update();
    }
    const auto values = p.to_vector<double>();
    for (std::size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(values[i], plain.p[i], 1e-11) << i;
  }
}

}  // namespace
}  // namespace gradus
