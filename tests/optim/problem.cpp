#include "problem.h"

#include <cmath>
#include <fstream>

#include "support/paths.h"

namespace gradus::test {

Problem::Problem(const nlohmann::json& trace, const std::string& layout) : frequency(trace["frequency"][layout]) {
  for (const auto& row : trace[layout]) {
    const std::string special = row["special"].is_null() ? "" : row["special"].get<std::string>();
    parameters.push_back({row["name"], Shape(row["shape"].get<std::vector<std::int64_t>>()), row["group"],
                          special == "frozen", special == "late" ? 50 : 0, row["data"], row["target"]});
  }
}

double Problem::gradient(std::size_t k, std::size_t i, int t, double p) const {
  return p - parameters[k].target[i] + 0.3 * std::sin(3 * p) +
         std::cos(frequency * t + static_cast<double>(i + 10 * k));
}

double Problem::loss(const std::vector<Tensor>& tensors, int t) const {
  double sum = 0;
  for (std::size_t k = 0; k < tensors.size(); ++k) {
    if (!has_gradient(k, t)) continue;
    for (std::size_t i = 0; i < parameters[k].start.size(); ++i) {
      const double p = tensors[k].data_ptr<double>()[i], off = p - parameters[k].target[i];
      sum += 0.5 * off * off - 0.1 * std::cos(3 * p) + p * std::cos(frequency * t + static_cast<double>(i + 10 * k));
    }
  }
  return sum;
}

std::vector<Tensor> Problem::tensors() const {
  std::vector<Tensor> made;
  for (const Parameter& p : parameters) {
    made.push_back(tensor(p.start, p.shape, {.dtype = kFloat64, .requires_grad = true}));
    made.back().set_name(p.name);
  }
  return made;
}

std::vector<optim::Params> Problem::groups(const std::vector<Tensor>& tensors) const {
  std::vector<std::vector<Tensor>> split(2);
  for (std::size_t k = 0; k < tensors.size(); ++k) split[parameters[k].group].push_back(tensors[k]);
  return {split[0], split[1]};
}

void Problem::set_gradients(std::vector<Tensor>& tensors, int t, bool maximize) const {
  for (std::size_t k = 0; k < tensors.size(); ++k) {
    if (!has_gradient(k, t)) continue;
    if (!tensors[k].grad().defined()) tensors[k].set_grad(zeros_like(tensors[k].detach()));
    const double* p = tensors[k].data_ptr<double>();
    double* g = tensors[k].grad().data_ptr<double>();
    for (std::size_t i = 0; i < parameters[k].start.size(); ++i) g[i] = (maximize ? -1 : 1) * gradient(k, i, t, p[i]);
  }
}

std::vector<double> Problem::values(const std::vector<Tensor>& tensors) const {
  std::vector<double> all;
  for (std::size_t k = 0; k < tensors.size(); ++k) {
    if (parameters[k].frozen) continue;
    const double* p = tensors[k].data_ptr<double>();
    all.insert(all.end(), p, p + tensors[k].numel());
  }
  return all;
}

const nlohmann::json& family_trace() {
  static const nlohmann::json trace = [] {
    std::ifstream file(source_path("tests/traces/optim_family.json"));
    return nlohmann::json::parse(file);
  }();
  return trace;
}

}  // namespace gradus::test
