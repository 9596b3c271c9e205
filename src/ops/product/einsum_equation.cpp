#include "ops/product/einsum_equation.h"

#include <algorithm>
#include <array>

namespace gradus::ops {

void refuse_equation(std::string_view equation, const std::string& why) {
  throw ValueError("einsum: " + why + ", got \"" + std::string(equation) + "\"");
}

Labels Subscript::expanded(int count) const {
  Labels labels = letters;
  if (ellipsis >= 0)
    for (int i = 0; i < count; ++i) labels.insert(labels.begin() + ellipsis, kLetters + i);
  return labels;
}

std::string label_name(int label) {
  if (label >= kLetters) return "'...'";
  return {'\'', static_cast<char>(label < 26 ? 'A' + label : 'a' + label - 26), '\''};
}

namespace {

Subscript parse_subscript(std::string_view equation, std::string_view text) {
  Subscript subscript;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c >= 'A' && c <= 'Z') {
      subscript.letters.push_back(c - 'A');
    } else if (c >= 'a' && c <= 'z') {
      subscript.letters.push_back(c - 'a' + 26);
    } else if (text.substr(i, 3) == "..." && subscript.ellipsis < 0) {
      subscript.ellipsis = static_cast<int>(subscript.letters.size());
      i += 2;
    } else {
      refuse_equation(equation, "subscripts are letters and at most one ellipsis (...)");
    }
  }
  return subscript;
}

}  // namespace

Equation parse_equation(std::string_view equation) {
  std::string text;
  for (char c : equation)
    if (c != ' ') text += c;
  Equation parsed;
  std::string_view rest = text;
  if (const std::size_t arrow = rest.find("->"); arrow != std::string_view::npos) {
    parsed.has_result = true;
    parsed.result = parse_subscript(equation, rest.substr(arrow + 2));
    rest = rest.substr(0, arrow);
  }
  for (;;) {
    const std::size_t comma = rest.find(',');
    parsed.operands.push_back(parse_subscript(equation, rest.substr(0, comma)));
    if (comma == std::string_view::npos) return parsed;
    rest.remove_prefix(comma + 1);
  }
}

Labels result_labels(const Equation& parsed, std::string_view equation, int ellipsis) {
  std::array<int, kLetters> count{};
  for (const Subscript& operand : parsed.operands)
    for (int label : operand.letters) ++count[static_cast<std::size_t>(label)];
  if (!parsed.has_result) {
    Subscript result;
    result.ellipsis = 0;
    for (int label = 0; label < kLetters; ++label)
      if (count[static_cast<std::size_t>(label)] == 1) result.letters.push_back(label);
    return result.expanded(ellipsis);
  }
  const Labels& letters = parsed.result.letters;
  for (std::size_t i = 0; i < letters.size(); ++i) {
    const std::string name = label_name(letters[i]);
    if (count[static_cast<std::size_t>(letters[i])] == 0)
      refuse_equation(equation, "no operand has the result's " + name);
    if (std::find(letters.begin(), letters.begin() + static_cast<std::ptrdiff_t>(i), letters[i]) !=
        letters.begin() + static_cast<std::ptrdiff_t>(i)) {
      refuse_equation(equation, "the result has " + name + " more than once");
    }
  }
  return parsed.result.expanded(ellipsis);
}

int ellipsis_rank(const Equation& parsed, std::string_view equation, const std::vector<Tensor>& operands) {
  int most = 0;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const Subscript& subscript = parsed.operands[i];
    const int letters = static_cast<int>(subscript.letters.size()), rank = operands[i].sizes().rank();
    if (letters > rank || (letters < rank && subscript.ellipsis < 0)) {
      throw ShapeError("einsum: operand " + std::to_string(i) + " has " + std::to_string(letters) +
                       " subscripts for sizes " + to_string(operands[i].sizes()) + ", in \"" + std::string(equation) +
                       "\"");
    }
    if (subscript.ellipsis >= 0) most = std::max(most, rank - letters);
  }
  return most;
}

}  // namespace gradus::ops
