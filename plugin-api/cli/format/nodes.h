// A template as a tree: parse.cpp makes it, run.cpp walks over it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json/value.h"
#include "base/result.h"

namespace fairlead::format {

// One step of a path: .key, [2] or [].
struct Step {
  enum class Kind { kKey, kIndex, kEach } kind = Kind::kKey;
  std::string key;
  std::size_t index = 0;
  std::size_t at = 0;  // where it stands in the template
};

struct Pipe;

// One word of a command, and the path behind it.
struct Operand {
  enum class Kind { kDot, kVariable, kLiteral, kPipe, kFunction } kind = Kind::kDot;
  std::string name;  // of a variable, without its $, or a function
  json::Json literal = {};
  std::shared_ptr<const Pipe> pipe = {};
  std::vector<Step> path = {};
  std::size_t at = 0;
};

using Command = std::vector<Operand>;  // a function and its arguments, or one value

struct Pipe {
  std::vector<std::string> variables;  // set by it: $i, $one :=
  bool assigns = false;                // with =, to one that is there
  std::vector<Command> commands;
  std::size_t at = 0;
};

struct Node {
  enum class Kind { kText, kShow, kSet, kIf, kWith, kRange } kind = Kind::kText;
  std::string text = {};
  Pipe pipe = {};
  std::vector<Node> body = {}, otherwise = {};
};

struct Parsed {
  std::vector<Node> nodes;
  bool is_path = false;  // no {{ in it
};
Result<Parsed> parse_template(std::string_view text);

// kInvalid: the message, the line of the template, and a mark below the place.
tl::unexpected<Error> fail_at(std::string_view text, std::size_t at, std::string_view message);

// ---- functions.cpp

bool is_function(std::string_view name);
std::string closest_function(std::string_view name);
// The value of a function; kInvalid says what is wrong with its arguments. Not `and` and `or`,
// which do not look at all of theirs.
Result<json::Json> call(std::string_view name, const std::vector<json::Json>& arguments);

// As {{...}} shows a value.
std::string text_of(const json::Json& value);
// As {{if}} takes it: not false, 0, "", null, and not empty.
bool is_true(const json::Json& value);

// ---- fields.cpp

// A member by its key or by docker's name of it; nullptr when there is none. `made` holds a value
// that is in no document.
const json::Json* find_field(const json::Json& object, std::string_view name, json::Json& made);
// The key that is nearly called so; else empty.
std::string closest_field(const json::Json& object, std::string_view name);

}  // namespace fairlead::format
