// Cases that differential.py wrote, run by Gradus and compared with PyTorch's results.
#pragma once

#include <gradus/tensor.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace gradus::differential {

using nlohmann::json;

// A tensor as programs.py packs it.
Tensor unpacked(const json& packed);

// One operation of programs.py; `all` are the tensors so far, for an index.
Tensor operation(const std::string& name, const std::vector<Tensor>& in, const json& k, const std::vector<Tensor>& all);
// Those of further.cpp among them.
Tensor further_operation(const std::string& name, const std::vector<Tensor>& in, const json& k);

// What is different, in words; nothing where all is as it should be. `what` names the place. `exact`, where there is
// one, is what PyTorch has in float64; kNearer ends the words where that is nearer to ours.
inline const std::string kNearer = " (ours is nearer to float64)";
std::optional<std::string> difference(const std::string& what, const Tensor& got, const json& want,
                                      const json& exact = nullptr);

std::optional<std::string> run_program(const json& test);
std::optional<std::string> run_optimizer(const json& test);
std::optional<std::string> run_schedule(const json& test);

}  // namespace gradus::differential
