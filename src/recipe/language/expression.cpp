#include "recipe/language/expression.h"
#include "kernels/math.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace gradus::recipe {

namespace {

using Kind = Expression::Kind;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Recursive descent, with Python's precedences: + -, then * / @, then signs, then **.
class Parser {
 public:
  Parser(const Node& scalar, Mistakes& mistakes, bool paths)
      : scalar_(scalar), text_(scalar.text), mistakes_(mistakes), paths_(paths) {}

  bool parse(Expression& result) {
    if (!sum(result)) return false;
    skip_space();
    if (at_ == text_.size()) return true;
    return fail(at_, fmt::format("there is '{}' after the end of the expression", text_.substr(at_)));
  }

 private:
  static constexpr int kMaxDepth = 100;

  bool fail(std::size_t at, const std::string& what) {
    mistakes_.add(place_in(scalar_, at), what);
    return false;
  }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n')) ++at_;
  }
  bool take(std::string_view token) {
    skip_space();
    if (std::string_view(text_).substr(at_, token.size()) != token) return false;
    if (token == "*" && at_ + 1 < text_.size() && text_[at_ + 1] == '*') return false;
    at_ += token.size();
    return true;
  }
  Expression make(Kind kind, std::size_t at, std::string text) {
    Expression e;
    e.kind = kind;
    e.place = place_in(scalar_, at);
    e.text = std::move(text);
    return e;
  }
  void join(Expression& left, std::size_t at, const char* symbol, Expression right) {
    Expression e = make(Kind::Operator, at, symbol);
    e.operands = {std::move(left), std::move(right)};
    left = std::move(e);
  }

  bool sum(Expression& result) {
    if (!product(result)) return false;
    for (;;) {
      skip_space();
      const std::size_t at = at_;
      const char* symbol = take("+") ? "+" : take("-") ? "-" : nullptr;
      if (symbol == nullptr) return true;
      Expression right;
      if (!product(right)) return false;
      join(result, at, symbol, std::move(right));
    }
  }
  bool product(Expression& result) {
    if (!signed_one(result)) return false;
    for (;;) {
      skip_space();
      const std::size_t at = at_;
      const char* symbol = take("*") ? "*" : take("/") ? "/" : take("@") ? "@" : nullptr;
      if (symbol == nullptr) return true;
      Expression right;
      if (!signed_one(right)) return false;
      join(result, at, symbol, std::move(right));
    }
  }
  bool signed_one(Expression& result) {
    skip_space();
    const std::size_t at = at_;
    if (++depth_ > kMaxDepth) return fail(at, "the expression is nested too deeply");
    bool fine = false;
    if (take("-")) {
      Expression inner;
      fine = signed_one(inner);
      if (inner.kind == Kind::Number) {
        inner.number = -inner.number;
        inner.text = "-" + inner.text;
        inner.place = place_in(scalar_, at);
        result = std::move(inner);
      } else {
        result = make(Kind::Operator, at, "neg");
        result.operands.push_back(std::move(inner));
      }
    } else if (take("+")) {
      fine = signed_one(result);
    } else {
      fine = power(result);
    }
    --depth_;
    return fine;
  }
  bool power(Expression& result) {
    if (!followed(result)) return false;
    skip_space();
    const std::size_t at = at_;
    if (!take("**")) return true;
    Expression right;
    if (!signed_one(right)) return false;
    join(result, at, "**", std::move(right));
    return true;
  }

  // What may follow a term: arguments, and methods: x.mean(1) is mean(x, 1).
  bool followed(Expression& result) {
    if (!term(result)) return false;
    for (;;) {
      if (take("(")) {
        if (result.kind != Kind::Name) return fail(at_ - 1, "only functions and networks can be called");
        result.kind = Kind::Call;
        if (!arguments(result.operands)) return false;
      } else if (result.kind != Kind::Name && take(".")) {
        skip_space();
        const std::size_t at = at_;
        const std::string method = name();
        if (method.empty()) return fail(at, "a name must follow the point");
        if (!take("(")) return fail(at, "'" + method + "' is not a method call: '(' must follow");
        Expression call = make(Kind::Call, at, method);
        call.operands.push_back(std::move(result));
        if (!arguments(call.operands)) return false;
        result = std::move(call);
      } else {
        return true;
      }
    }
  }
  bool arguments(std::vector<Expression>& operands) {
    if (take(")")) return true;
    bool by_name = false;
    do {
      skip_space();
      if (take(")")) return true;  // a comma before it
      const std::size_t at = at_;
      std::string key = name();
      skip_space();
      const bool is_key = !key.empty() && at_ < text_.size() && text_[at_] == '=';
      if (is_key) {
        ++at_;
      } else {
        at_ = at;
        key.clear();
        if (by_name) return fail(at, "an argument without a name must not follow one with a name");
      }
      by_name = by_name || is_key;
      Expression value;
      if (!path(value) && !sum(value)) return false;
      value.key = key;
      value.key_place = place_in(scalar_, at);
      operands.push_back(std::move(value));
    } while (take(","));
    if (take(")")) return true;
    return fail(at_, at_ == text_.size() ? "')' is missing (within [ ] and { }, put a call with commas in quotes)"
                                         : fmt::format("',' or ')' must stand before '{}'", text_.substr(at_)));
  }

  // An argument that can only be a path: /data/x, ../x.csv, ~/x, my-table.csv, 2024.csv.
  bool path(Expression& result) {
    if (!paths_) return false;
    skip_space();
    std::size_t end = at_;
    for (int depth = 0; end < text_.size(); ++end) {
      const char c = text_[end];
      if (depth == 0 && (c == ',' || c == ')')) break;
      if (std::string_view("[]{}'\"=\n").find(c) != std::string_view::npos) return false;
      depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    }
    std::string_view word = std::string_view(text_).substr(at_, end - at_);
    while (word.ends_with(' ')) word.remove_suffix(1);
    const std::size_t dot = word.rfind('.');
    const bool letters = std::any_of(word.begin(), word.end(), is_letter);
    const bool ending = dot != word.npos && dot + 1 < word.size() &&
                        std::all_of(word.begin() + static_cast<std::ptrdiff_t>(dot) + 1, word.end(),
                                    [](char c) { return is_letter(c) || is_digit(c); }) &&
                        is_letter(word[dot + 1]);
    if (word.find('(') != word.npos && !ending) return false;  // a call
    double number = 0;
    const bool is_number =
        std::from_chars(word.data(), word.data() + word.size(), number).ptr == word.data() + word.size();
    if (word.empty() || is_number ||
        !(word.starts_with('~') || word.starts_with("..") || ending || (letters && word.find('/') != word.npos) ||
          word == "." || word == "/"))
      return false;
    result = make(Kind::Text, at_, std::string(word));
    at_ = end;
    return true;
  }

  bool term(Expression& result) {
    skip_space();
    const std::size_t at = at_;
    if (at_ == text_.size()) return fail(at, "an expression must stand here");
    const char c = text_[at_];
    if (is_digit(c) || c == '.') return number(result);
    if (c == '\'' || c == '"') return quoted(result, c);
    if (take("(")) {
      if (!sum(result)) return false;
      if (take(")")) return true;
      if (!take(",")) return fail(at_, "')' is missing");
      Expression list = make(Kind::List, at, "");
      list.operands.push_back(std::move(result));
      result = std::move(list);
      return items(result, ")");
    }
    if (take("[")) {
      result = make(Kind::List, at, "");
      return items(result, "]");
    }
    std::string word = name();
    if (word.empty()) return fail(at, fmt::format("'{}' cannot begin an expression", c));
    while (at_ + 1 < text_.size() && text_[at_] == '.' && (is_letter(text_[at_ + 1]) || is_digit(text_[at_ + 1]))) {
      word += '.';
      ++at_;
      while (at_ < text_.size() && (is_letter(text_[at_]) || is_digit(text_[at_]))) word += text_[at_++];
    }
    result = make(Kind::Name, at, word);
    if (word == "True" || word == "true" || word == "False" || word == "false") {
      result.kind = Kind::Flag;
      result.flag = word[0] == 'T' || word[0] == 't';
    } else if (word == "None" || word == "null") {
      result.kind = Kind::None;
    }
    return true;
  }
  bool items(Expression& list, const char* end) {
    for (;;) {
      if (take(end)) return true;
      Expression item;
      if (!sum(item)) return false;
      list.operands.push_back(std::move(item));
      if (take(end)) return true;
      if (!take(",")) return fail(at_, fmt::format("'{}' is missing", end));
    }
  }
  bool quoted(Expression& result, char quote) {
    const std::size_t at = at_, end = text_.find(quote, at + 1);
    if (end == std::string::npos) return fail(at, fmt::format("the closing {} is missing", quote));
    result = make(Kind::Text, at, text_.substr(at + 1, end - at - 1));
    at_ = end + 1;
    return true;
  }
  bool number(Expression& result) {
    const std::size_t at = at_;
    double value = 0;
    const auto [end, error] = std::from_chars(text_.data() + at, text_.data() + text_.size(), value);
    if (error != std::errc()) return fail(at, "this is not a number");
    at_ = static_cast<std::size_t>(end - text_.data());
    if (at_ < text_.size() && is_letter(text_[at_])) return fail(at, "a number must not be followed by a letter");
    result = make(Kind::Number, at, text_.substr(at, at_ - at));
    result.number = value;
    result.whole = result.text.find_first_of(".eE") == std::string::npos;
    return true;
  }
  std::string name() {
    const std::size_t first = at_;
    if (at_ < text_.size() && is_letter(text_[at_]))
      while (at_ < text_.size() && (is_letter(text_[at_]) || is_digit(text_[at_]))) ++at_;
    return text_.substr(first, at_ - first);
  }

  const Node& scalar_;
  const std::string& text_;
  Mistakes& mistakes_;
  bool paths_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

// The value of arithmetic with numbers alone.
bool compute(const Expression& e, double& value) {
  if (e.kind == Kind::Number) {
    value = e.number;
    return true;
  }
  if (e.kind != Kind::Operator || e.operands.empty()) return false;
  double a = 0, b = 0;
  if (!compute(e.operands[0], a)) return false;
  if (e.operands.size() > 1 && !compute(e.operands[1], b)) return false;
  if (e.text == "neg") value = -a;
  if (e.text == "+") value = a + b;
  if (e.text == "-") value = a - b;
  if (e.text == "*") value = a * b;
  if (e.text == "/") value = a / b;
  if (e.text == "**") value = math::pow(a, b);
  return e.text != "@";
}

}  // namespace

bool parse_expression(const Node& scalar, Expression& result, Mistakes& mistakes) {
  if (scalar.kind != Node::Kind::Scalar) {
    mistakes.add(scalar.place, "needs an expression such as cross_entropy(net(x), y), got " + scalar.describe());
    return false;
  }
  return Parser(scalar, mistakes, false).parse(result);
}

bool parse_call(const Node& scalar, Expression& result, Mistakes& mistakes) {
  return Parser(scalar, mistakes, true).parse(result);
}

bool to_literal(const Expression& e, Node& result, Mistakes& mistakes) {
  result.kind = Node::Kind::Scalar;
  result.place = e.place;
  result.text = e.text;
  result.key = e.key;
  result.key_place = e.key_place;
  switch (e.kind) {
    case Kind::Number:
    case Kind::Name:
      return true;
    case Kind::Flag:
      result.text = e.flag ? "true" : "false";
      return true;
    case Kind::Text:
      result.quoted = true;
      return true;
    case Kind::None:
      result.kind = Node::Kind::Null;
      return true;
    case Kind::List:
      result.kind = Node::Kind::List;
      for (const Expression& item : e.operands)
        if (!to_literal(item, result.children.emplace_back(), mistakes)) return false;
      return true;
    case Kind::Operator: {
      double value = 0;
      if (!compute(e, value)) break;
      result.text = fmt::format("{}", value);
      return true;
    }
    case Kind::Call: {
      result.kind = Node::Kind::Map;
      Node& type = result.children.emplace_back();
      type.kind = Node::Kind::Scalar;
      type.key = "type";
      type.key_place = type.place = e.place;
      type.text = e.text;
      for (const Expression& argument : e.operands)
        if (!to_literal(argument, result.children.emplace_back(), mistakes)) return false;
      return true;
    }
  }
  mistakes.add(e.place, "needs a number, a text or a list; put a text that is not a name, such as a path, in quotes");
  return false;
}

}  // namespace gradus::recipe
