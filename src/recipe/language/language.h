// The language of recipes: all its forms, by name.
#pragma once

#include "recipe/language/form.h"

namespace gradus::recipe {

// The sections: "recipe" is the file itself, and the others are what its fields say with `form NAME`.
const std::vector<Form>& sections();
const Form& section(const std::string& name);

// What a call may be of: "layer", "model", ... With a title, in the order of the reference.
struct CallKind {
  std::string name, about;
};
const std::vector<CallKind>& call_kinds();
std::vector<const Form*> forms_of(const std::string& kind);

// A JSON schema (draft 2020-12) for editors, and the reference for docs/recipes.md, both of these forms.
std::string json_schema();
std::string reference();

}  // namespace gradus::recipe
