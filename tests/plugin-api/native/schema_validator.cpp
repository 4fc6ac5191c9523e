#include "tests/plugin-api/native/schema_validator.h"

#include <algorithm>
#include <regex>
#include <sstream>

namespace fairlead::testing {

using json::Json;

namespace {

bool has_type(const Json& value, const std::string& type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  if (type == "boolean") return value.is_boolean();
  return type == "null" && value.is_null();
}

bool has_any_type(const Json& value, const Json& types) {
  if (types.is_string()) return has_type(value, types.get<std::string>());
  return std::ranges::any_of(
      types, [&](const Json& type) { return has_type(value, type.get<std::string>()); });
}

}  // namespace

const Json& SchemaValidator::resolve(const Json& schema) const {
  const Json* ref = schema.find("$ref");  // "#/components/schemas/Network"
  if (ref == nullptr) return schema;
  const Json* place = &document_;
  std::istringstream path(ref->string().substr(2));
  for (std::string name; std::getline(path, name, '/');) place = &place->at(name);
  return resolve(*place);
}

std::vector<std::string> SchemaValidator::violations(const Json& schema, const Json& value) {
  found_.clear();
  check(schema, value, "$");
  return found_;
}

void SchemaValidator::check(const Json& schema, const Json& value, const std::string& place) {
  const std::string before = owner_;
  if (schema.contains("$ref")) owner_ = schema["$ref"].get<std::string>();
  const Json& resolved = resolve(schema);
  for (const auto& [keyword, rule] : resolved.members())
    check_keyword(keyword, rule, resolved, value, place);
  owner_ = before;
}

void SchemaValidator::check_keyword(const std::string& keyword, const Json& rule,
                                    const Json& schema, const Json& value,
                                    const std::string& place) {
  static const std::set<std::string> kSilent{"description", "default", "format", "title"};
  const std::string text = value.is_string() ? value.get<std::string>() : "";
  if (kSilent.contains(keyword)) return;
  if (keyword == "type") {
    if (!has_any_type(value, rule))
      complain(place, "must be " + rule.dump() + ", is " + value.dump());
  } else if (keyword == "enum") {
    if (std::ranges::find(rule, value) == rule.end())
      complain(place, "must be one of " + rule.dump() + ", is " + value.dump());
  } else if (keyword == "properties") {
    if (value.is_object()) check_properties(schema, value, place);
  } else if (keyword == "additionalProperties") {
    if (value.is_object() && !schema.contains("properties")) check_properties(schema, value, place);
  } else if (keyword == "required") {
    for (const Json& name : rule)
      if (value.is_object() && !value.contains(name.get<std::string>()))
        complain(place, "lacks " + name.dump());
  } else if (keyword == "items") {
    for (std::size_t i = 0; value.is_array() && i < value.size(); ++i)
      check(rule, value[i], fmt::format("{}[{}]", place, i));
  } else if (keyword == "oneOf") {
    const auto fits = std::ranges::count_if(rule, [&](const Json& option) {
      return SchemaValidator(document_).violations(option, value).empty();
    });
    if (fits != 1) complain(place, fmt::format("fits {} of oneOf", fits));
  } else if (keyword == "pattern") {
    if (value.is_string() && !std::regex_search(text, std::regex(rule.get<std::string>())))
      complain(place, "does not match " + rule.dump());
  } else if (keyword == "minLength" || keyword == "maxLength") {
    const bool wrong = keyword == "minLength" ? text.size() < rule.get<std::size_t>()
                                              : text.size() > rule.get<std::size_t>();
    if (value.is_string() && wrong) complain(place, keyword + " " + rule.dump());
  } else if (keyword == "minimum" || keyword == "maximum") {
    const bool wrong = value.is_number() && (keyword == "minimum" ? value.real() < rule.real()
                                                                  : value.real() > rule.real());
    if (wrong) complain(place, keyword + " " + rule.dump());
  } else if (keyword != "x-driver") {  // ours: not from the codec's table
    complain(place, "this validator does not know the keyword " + keyword);
  }
}

void SchemaValidator::check_properties(const Json& schema, const Json& value,
                                       const std::string& place) {
  const Json properties = schema.value("properties", Json::object());
  const Json others = schema.value("additionalProperties", Json(true));
  for (const auto& [key, member] : value.members()) {
    const std::string at = place + "." + key;
    if (properties.contains(key)) {
      seen_.insert(owner_ + "/" + key);
      check(properties[key], member, at);
    } else if (others.is_object()) {
      check(others, member, at);
    } else if (others == false) {
      complain(at, "is not known");
    }
  }
}

}  // namespace fairlead::testing
