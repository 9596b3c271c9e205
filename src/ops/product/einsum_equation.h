// The equation of an einsum, read: "bij,bjk->bik".
#pragma once

#include <gradus/tensor.h>

#include <string_view>

namespace gradus::ops {

// Dimensions are known by numbers: letters first, in PyTorch's order (A-Z, a-z), then what an ellipsis stands for,
// counted from its last dimension.
inline constexpr int kLetters = 52;
using Labels = std::vector<int>;

// The letters of one operand or of the result, and where its ellipsis stands, if it has one.
struct Subscript {
  Labels letters;
  int ellipsis = -1;

  // With the ellipsis standing for `count` dimensions.
  Labels expanded(int count) const;
};

struct Equation {
  std::vector<Subscript> operands;
  Subscript result;
  bool has_result = false;
};

// ValueError, quoting the equation, where it is not one.
Equation parse_equation(std::string_view text);
[[noreturn]] void refuse_equation(std::string_view text, const std::string& why);

// The letter in quotes, or '...' for a dimension of the ellipsis.
std::string label_name(int label);

// How many dimensions the ellipses stand for: the most that an operand has beyond its letters. ShapeError where an
// operand's rank does not fit its subscripts.
int ellipsis_rank(const Equation& equation, std::string_view text, const std::vector<Tensor>& operands);

// The labels of the result. Without an arrow: the ellipsis, then the letters that occur once, in order.
Labels result_labels(const Equation& equation, std::string_view text, int ellipsis);

}  // namespace gradus::ops
