// What is wrong with a recipe, and where.
#pragma once

#include <gradus/core/error.h>
#include <gradus/distributed.h>

#include <string>
#include <vector>

namespace gradus::recipe {

// A place in a file, or an option of the command line ("--set data.batch_size"), which has no line.
struct Place {
  std::string file;
  int line = 0, column = 0;  // from 1
  std::string to_string() const;
};

struct Mistake {
  Place place;
  std::string what;       // what is wrong, what was expected, the nearest valid name
  bool of_index = false;  // an index that is out of range, such as a label
};

// All mistakes of a recipe: "FILE:LINE:COLUMN: WHAT", a line each, in the order of their places.
class RecipeError : public ValueError {
 public:
  explicit RecipeError(std::vector<Mistake> mistakes);
  const std::vector<Mistake>& mistakes() const { return mistakes_; }

 private:
  std::vector<Mistake> mistakes_;
};

// Collects them, so that one look at a recipe finds all.
class Mistakes {
 public:
  // The same mistake at the same place counts once.
  void add(const Place& place, const std::string& what);
  bool empty() const { return found_.empty(); }
  std::size_t size() const { return found_.size(); }
  // Throws a RecipeError if there are any.
  void raise() const;

 private:
  std::vector<Mistake> found_;
};

// An error of the library at a place of the recipe.
template <class Call>
void at_place(const Place& place, Call&& call) {
  try {
    call();
  } catch (const RecipeError&) {
    throw;
  } catch (const distributed::DistributedError&) {
    throw;
  } catch (const Error& e) {
    throw RecipeError({{place, e.what()}});
  }
}

}  // namespace gradus::recipe
