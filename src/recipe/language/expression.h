// What losses, values and calls are written in: the part of Python that computes with tensors.
//
//   cross_entropy(net(x), y) + 1e-4 * norm(net.fc.weight)
//   Conv2d(3, 64, 7, stride=2, padding=[3, 3])
#pragma once

#include <string>
#include <vector>

#include "recipe/language/node.h"

namespace gradus::recipe {

struct Expression {
  // A name's text has its dots: "net.encoder". Of a call the text is the function, or the network, and the operands are
  // the arguments; an operator's text is "+", "neg" and so on.
  enum class Kind { Number, Text, Flag, None, Name, List, Operator, Call };
  Kind kind = Kind::None;
  Place place;
  std::string text;
  bool whole = false;  // a number without point or exponent
  double number = 0;
  bool flag = false;
  std::string key;  // of an argument that is given by name
  Place key_place;
  std::vector<Expression> operands;
};

// One expression, from a scalar. False, with a mistake, where it is none.
bool parse_expression(const Node& scalar, Expression& result, Mistakes& mistakes);

// The same for a call of literals, "CsvDataset(../data/my-table.csv, target=y)", in which a path needs no quotes.
bool parse_call(const Node& scalar, Expression& result, Mistakes& mistakes);

// What literals stand for, as YAML would have it: numbers, texts, flags, lists. A name counts as a text; arithmetic
// with numbers is done. Calls stay calls (as maps with `type`). False, with a mistake, for anything else.
bool to_literal(const Expression& expression, Node& result, Mistakes& mistakes);

}  // namespace gradus::recipe
