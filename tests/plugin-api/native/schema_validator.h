// A small subset of JSON Schema 2020-12, as far as openapi.json uses it: type, enum, properties,
// required, additionalProperties, items, oneOf, pattern, minLength, maxLength, minimum, maximum,
// $ref within the document. Any other keyword that restricts is refused, so that nothing is passed
// over in silence.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/json/json.h"

namespace fairlead::testing {

class SchemaValidator {
 public:
  explicit SchemaValidator(const json::Json& document) : document_(document) {}

  // What is wrong with `value`, one line each with its place; empty when it fits.
  std::vector<std::string> violations(const json::Json& schema, const json::Json& value);

  // Follows $ref.
  const json::Json& resolve(const json::Json& schema) const;

  // Every property that a valid value had, as "<$ref or place>/<name>", and the same of those that
  // schemas define.
  const std::set<std::string>& seen() const { return seen_; }

 private:
  void check(const json::Json& schema, const json::Json& value, const std::string& place);
  void check_keyword(const std::string& keyword, const json::Json& rule, const json::Json& schema,
                     const json::Json& value, const std::string& place);
  void check_properties(const json::Json& schema, const json::Json& value,
                        const std::string& place);
  void complain(const std::string& place, const std::string& what) {
    found_.push_back(place + ": " + what);
  }

  const json::Json& document_;
  std::string owner_;  // the $ref of the schema that is being checked
  std::vector<std::string> found_;
  std::set<std::string> seen_;
};

}  // namespace fairlead::testing
