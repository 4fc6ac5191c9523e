// The validator that the API is judged by can itself fail.
#include "tests/plugin-api/native/schema_validator.h"

#include <gtest/gtest.h>

namespace fairlead::testing {
namespace {

using json::Json;

const Json kDocument = Json::parse(
    R"({"components": {"schemas": {"Name": {"type": "string", "pattern": "^[a-z]+$"}}}})");

std::size_t faults(std::string_view schema, std::string_view value) {
  return SchemaValidator(kDocument).violations(Json::parse(schema), Json::parse(value)).size();
}

struct Row {
  const char *schema, *good, *bad;
};
class EachKeyword : public ::testing::TestWithParam<Row> {};

TEST_P(EachKeyword, AcceptsTheGoodAndRefusesTheBad) {
  EXPECT_EQ(faults(GetParam().schema, GetParam().good), 0U) << GetParam().schema;
  EXPECT_GT(faults(GetParam().schema, GetParam().bad), 0U) << GetParam().schema;
}

INSTANTIATE_TEST_SUITE_P(
    Schema, EachKeyword,
    ::testing::Values(
        Row{R"({"type": "string"})", R"("a")", "1"}, Row{R"({"type": "integer"})", "1", "1.5"},
        Row{R"({"type": "boolean"})", "true", R"("true")"},
        Row{R"({"type": ["string", "null"]})", "null", "1"},
        Row{R"({"enum": ["a", "b"]})", R"("b")", R"("c")"},
        Row{R"({"properties": {"a": {"type": "string"}}})", R"({"a": "x"})", R"({"a": 1})"},
        Row{R"({"required": ["a"]})", R"({"a": 1})", R"({"b": 1})"},
        Row{R"({"properties": {"a": {}}, "additionalProperties": false})", R"({"a": 1})",
            R"({"b": 1})"},
        Row{R"({"additionalProperties": {"type": "string"}})", R"({"a": "x"})", R"({"a": 1})"},
        Row{R"({"items": {"type": "string"}})", R"(["a"])", R"(["a", 1])"},
        Row{R"({"pattern": "^a"})", R"("ab")", R"("ba")"},
        Row{R"({"minLength": 2})", R"("ab")", R"("a")"},
        Row{R"({"maxLength": 2})", R"("ab")", R"("abc")"}, Row{R"({"minimum": 1})", "1", "0"},
        Row{R"({"maximum": 1})", "1", "2"},
        Row{R"({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]})", R"({"a": 1})",
            R"({"a": 1, "b": 1})"},
        Row{R"({"$ref": "#/components/schemas/Name"})", R"("shop")", R"("SHOP")"}));

TEST(Schema, AnUnknownKeywordIsAFault) { EXPECT_GT(faults(R"({"minItems": 1})", "[1]"), 0U); }

}  // namespace
}  // namespace fairlead::testing
