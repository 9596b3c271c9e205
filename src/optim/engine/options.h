// The options of an optimizer as a table: names, defaults and ranges, checked in one place for all of them.
#pragma once

#include <gradus/optim/optimizer.h>

#include <array>
#include <cmath>
#include <tuple>

#include "core/range.h"

namespace gradus::optim {

// What an option with a number that may be missing, and another, is.
using MaybeAndNumber = std::pair<std::optional<double>, double>;

// One option: a field of Options, its default, and its range. `second` is that of a pair's second number.
template <class Options, class Member>
struct Field {
  const char* name;
  Member Options::*member;
  typename Member::value_type fallback;
  Range range = {}, second = {};
};
template <class Options, class Member, class... Rest>
Field(const char*, Member Options::*, Rest...) -> Field<Options, Member>;
// One whose absence means something: it has no default.
template <class Options, class Member>
struct OptionalField {
  const char* name;
  Member Options::*member;
  Range range = {};
};

// "Adam: group 1 ('head'): betas must be ..., got ..."
[[noreturn]] void refuse_option(const char* optimizer, const std::string& place, const char* option,
                                const std::string& rule, const std::string& value);
void check_number(const char* optimizer, const std::string& place, const char* option, const Range& range, double x);

template <class T>
void check_value(const char* optimizer, const std::string& place, const char* option, const Range& range,
                 const Range& second, const T& value) {
  if constexpr (std::is_same_v<T, double> || std::is_same_v<T, std::int64_t>) {
    if (!range.contains(static_cast<double>(value)))
      check_number(optimizer, place, option, range, static_cast<double>(value));
  } else if constexpr (std::is_same_v<T, std::pair<double, double>>) {
    if (!range.contains(value.first)) check_number(optimizer, place, option, range, value.first);
    if (!second.contains(value.second)) check_number(optimizer, place, option, second, value.second);
  } else if constexpr (std::is_same_v<T, MaybeAndNumber>) {
    if (value.first && !range.contains(*value.first)) check_number(optimizer, place, option, range, *value.first);
    if (!second.contains(value.second)) check_number(optimizer, place, option, second, value.second);
  } else if constexpr (std::is_same_v<T, std::array<double, 3>>) {
    for (double x : value)
      if (!range.contains(x)) check_number(optimizer, place, option, range, x);
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!range.contains(value)) refuse_option(optimizer, place, option, rule_of(range), "'" + value + "'");
  }
}

// An option as a value, and back. Throws ValueError unless `value` is of the option's type (an integer may stand for a
// floating-point number).
template <class T>
OptionValue to_value(const T& x) {
  if constexpr (std::is_same_v<T, MaybeAndNumber>)
    return NumberTuple{x.first, x.second};
  else if constexpr (std::is_same_v<T, std::array<double, 3>>)
    return NumberTuple(x.begin(), x.end());
  else
    return x;
}
template <class T>
T option_as(const char* optimizer, const char* option, const OptionValue& value) {
  if constexpr (std::is_same_v<T, MaybeAndNumber>) {
    const auto* both = std::get_if<NumberTuple>(&value);
    if (both && both->size() == 2 && (*both)[1]) return {(*both)[0], *(*both)[1]};
    if (const auto* pair = std::get_if<std::pair<double, double>>(&value)) return {pair->first, pair->second};
  } else if constexpr (std::is_same_v<T, std::array<double, 3>>) {
    const auto* all = std::get_if<NumberTuple>(&value);
    if (all && all->size() == 3 && (*all)[0] && (*all)[1] && (*all)[2]) return {*(*all)[0], *(*all)[1], *(*all)[2]};
  } else if (const T* exact = std::get_if<T>(&value)) {
    return *exact;
  }
  if constexpr (std::is_same_v<T, double>) {
    if (const auto* i = std::get_if<std::int64_t>(&value)) return static_cast<double>(*i);
  }
  if constexpr (std::is_same_v<T, std::int64_t>) {
    if (const auto* x = std::get_if<double>(&value); x && std::trunc(*x) == *x) return static_cast<std::int64_t>(*x);
  }
  throw ValueError(std::string(optimizer) + ": option " + option + " cannot be " + to_string(value));
}

// Calls fn(field) for each of a rule's options.
template <class Rule, class Fn>
void for_each_option(Fn&& fn) {
  std::apply([&](const auto&... field) { (fn(field), ...); }, Rule::options);
}

// The member of `options`, or what stands for it when it is unset.
template <class Options, class Member>
OptionValue option_value(const Field<Options, Member>& field, const Options& options) {
  return to_value((options.*field.member).value_or(field.fallback));
}
template <class Options, class Member>
OptionValue option_value(const OptionalField<Options, Member>& field, const Options& options) {
  const auto& member = options.*field.member;
  return member ? to_value(*member) : OptionValue();
}

// Sets what a group leaves unset: from the optimizer's defaults, then from the table.
template <class Options, class Member>
void resolve(const Field<Options, Member>& field, Options& group, const Options& defaults) {
  auto& member = group.*field.member;
  if (!member) member = (defaults.*field.member).value_or(field.fallback);
}
template <class Options, class Member>
void resolve(const OptionalField<Options, Member>& field, Options& group, const Options& defaults) {
  auto& member = group.*field.member;
  if (!member) member = defaults.*field.member;
}

template <class Options, class Member>
void check_field(const char* optimizer, const std::string& place, const Field<Options, Member>& field,
                 const Options& o) {
  check_value(optimizer, place, field.name, field.range, field.second, *(o.*field.member));
}
template <class Options, class Member>
void check_field(const char* optimizer, const std::string& place, const OptionalField<Options, Member>& field,
                 const Options& o) {
  if (o.*field.member) check_value(optimizer, place, field.name, field.range, field.range, *(o.*field.member));
}

template <class Options, class Member>
void assign_option(const char* optimizer, const Field<Options, Member>& field, Options& o, const OptionValue& value) {
  o.*field.member = option_as<typename Member::value_type>(optimizer, field.name, value);
}
template <class Options, class Member>
void assign_option(const char* optimizer, const OptionalField<Options, Member>& field, Options& o,
                   const OptionValue& value) {
  if (std::holds_alternative<std::monostate>(value)) {
    (o.*field.member).reset();
  } else {
    o.*field.member = option_as<typename Member::value_type>(optimizer, field.name, value);
  }
}

}  // namespace gradus::optim
