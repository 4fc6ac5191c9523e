#include "base/json/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead::json {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

// A document and a view of it.
class Document {
 public:
  explicit Document(std::string_view text, Keys keys = Keys::kExact)
      : value_(parse(text).value()), object_(Object::of(value_, "", keys).value()) {}
  const Object* operator->() const { return &object_; }

 private:
  Json value_;
  Object object_;
};

template <class T>
std::string error_of(const Result<T>& result) {
  EXPECT_FALSE(result) << "should have been refused";
  if (result) return "";
  EXPECT_EQ(result.error().code, Code::kInvalid);
  return result.error().text;
}

TEST(JsonParse, ReadsAnyValue) {
  EXPECT_EQ(parse(R"({"a":[1,null,true,"x"]})").value()["a"].size(), 4U);
  EXPECT_EQ(parse(" 7 ").value(), 7);
  EXPECT_TRUE(parse("null").value().is_null());
}

TEST(JsonParse, RefusesWhatIsNotOneValueAndSaysWhere) {
  for (const char* bad : {"{", "[1,]", "{\"a\":}", "{'a':1}", "{\"a\":1}x", "1 2", "nul", "\"a",
                          "{\"a\" 1}", "NaN", "01", "\"\t\"", "/*x*/1"})
    EXPECT_THAT(error_of(parse(bad)), HasSubstr("not valid JSON (at byte")) << bad;
  EXPECT_THAT(error_of(parse(R"({"a":1,"b":x})")), HasSubstr("at byte 12 of 13"));
}

TEST(JsonParse, AnEmptyTextIsSaidToBeEmpty) {
  for (const char* empty : {"", " ", "\n\t "})
    EXPECT_EQ(error_of(parse(empty)), "the JSON is empty");
}

TEST(JsonParse, BytesThatAreNotUtf8AreRefused) {
  for (const char* bad :
       {"\"\xff\"", "\"\xc3\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", "{\"\xfe\":1}"})
    EXPECT_FALSE(parse(bad));
  EXPECT_EQ(parse("\"h\xc3\xa9\"").value(), "h\xc3\xa9");
}

std::string nested(int levels) {
  return std::string(static_cast<std::size_t>(levels), '[') +
         std::string(static_cast<std::size_t>(levels), ']');
}

TEST(JsonParse, TheDepthHasALimit) {
  EXPECT_TRUE(parse(nested(64)));
  EXPECT_THAT(error_of(parse(nested(65))), HasSubstr("64 levels"));
  EXPECT_FALSE(parse(std::string(1'000'000, '[')));
  std::string objects;
  for (int i = 0; i < 65; ++i) objects += "{\"a\":";
  EXPECT_THAT(error_of(parse(objects)), HasSubstr("64 levels"));
}

TEST(JsonParse, BracketsInStringsAreNoDepth) {
  EXPECT_TRUE(parse("\"" + std::string(100, '[') + "\""));
  EXPECT_TRUE(parse("\"\\\"" + std::string(100, '{') + "\""));
  EXPECT_FALSE(parse("[\"\\\\\"," + nested(64) + "]"))
      << "the string ends behind an escaped backslash";
}

TEST(JsonDump, IsCompactAndNeverFails) {
  EXPECT_EQ(dump(Json{{"a", 1}}), R"({"a":1})");
  EXPECT_EQ(dump(Json("a\xff")), "\"a\xef\xbf\xbd\"");
  EXPECT_EQ((Json{{"a", 1}}).dump(2), "{\n  \"a\": 1\n}");
}

TEST(JsonObject, MustBeOne) {
  const Json array = parse("[1]").value();
  EXPECT_EQ(error_of(Object::of(array)), "the document must be a JSON object, not array");
  EXPECT_EQ(error_of(Object::of(array, "ipam")), "field ipam must be a JSON object, not array");
}

TEST(JsonObject, AbsentAndNullAreTheSame) {
  const Document document(R"({"null":null,"x":1})");
  EXPECT_EQ(document->find("null"), nullptr);
  EXPECT_EQ(document->find("absent"), nullptr);
  EXPECT_NE(document->find("x"), nullptr);
  EXPECT_EQ(error_of(document->string("null")), "field null is missing");
  EXPECT_EQ(error_of(document->string("absent")), "field absent is missing");
}

TEST(JsonString, IsReadOrRefusedByName) {
  const Document document(R"({"s":"text","empty":"","n":1})");
  EXPECT_EQ(document->string("s").value(), "text");
  EXPECT_EQ(document->string("empty").value(), "");
  EXPECT_EQ(error_of(document->string("n")), "field n must be a string, not number");
  EXPECT_EQ(document->string_or("absent", "else").value(), "else");
  EXPECT_EQ(document->string_or("s", "else").value(), "text");
  EXPECT_EQ(error_of(document->string_or("n", "else")), "field n must be a string, not number");
}

TEST(JsonInteger, HasBounds) {
  const Document document(
      R"({"n":7,"low":-1,"f":1.5,"whole":2.0,"s":"7","b":true,"huge":18446744073709551615,"big":9223372036854775807})");
  EXPECT_EQ(document->integer("n", 0, 10).value(), 7);
  EXPECT_EQ(document->integer("n", 7, 7).value(), 7);
  EXPECT_EQ(error_of(document->integer("n", 8, 10)), "field n must be 8 to 10, not 7");
  EXPECT_EQ(error_of(document->integer("n", 0, 6)), "field n must be 0 to 6, not 7");
  EXPECT_EQ(error_of(document->integer("low", 0, 10)), "field low must be 0 to 10, not -1");
  for (const char* wrong : {"f", "whole", "s", "b"})
    EXPECT_THAT(error_of(document->integer(wrong, 0, 10)), HasSubstr("must be an integer"))
        << wrong;
  EXPECT_THAT(error_of(document->integer("huge", INT64_MIN, INT64_MAX)),
              HasSubstr("18446744073709551615"));
  EXPECT_EQ(document->integer("big", 0, INT64_MAX).value(), INT64_MAX);
  EXPECT_EQ(error_of(document->integer("absent", 0, 1)), "field absent is missing");
  EXPECT_EQ(document->integer_or("absent", 0, 1, 42).value(), 42);
  EXPECT_FALSE(document->integer_or("s", 0, 1, 42));
}

TEST(JsonBool, IsAlsoReadFromTextAsCniWritesIt) {
  const Document document(R"({"t":true,"f":false,"ts":"True","fs":"false","x":"yes","n":1})");
  EXPECT_TRUE(document->bool_or("t", false).value());
  EXPECT_FALSE(document->bool_or("f", true).value());
  EXPECT_TRUE(document->bool_or("ts", false).value());
  EXPECT_FALSE(document->bool_or("fs", true).value());
  EXPECT_TRUE(document->bool_or("absent", true).value());
  EXPECT_THAT(error_of(document->bool_or("x", true)), HasSubstr("field x must be true or false"));
  EXPECT_FALSE(document->bool_or("n", true));
}

TEST(JsonNested, FieldsAreNamedWithTheirPath) {
  const Document document(R"({"ipam":{"ranges":[{"subnet":1}]},"list":[1]})");
  const auto ipam = document->object("ipam");
  ASSERT_TRUE(ipam);
  const auto ranges = ipam->objects_or_empty("ranges");
  ASSERT_TRUE(ranges);
  EXPECT_EQ(error_of(ranges->front().string("subnet")),
            "field ipam.ranges[0].subnet must be a string, not number");
  EXPECT_EQ(error_of(ipam->string("type")), "field ipam.type is missing");
  EXPECT_EQ(error_of(document->object("list")), "field list must be a JSON object, not array");
  EXPECT_EQ(error_of(document->object("absent")), "field absent is missing");
}

TEST(JsonNested, AnObjectMayBeAbsent) {
  const Document document(R"({"o":{},"n":1})");
  EXPECT_TRUE(document->object_or_none("o").value());
  EXPECT_FALSE(document->object_or_none("absent").value());
  EXPECT_FALSE(document->object_or_none("n"));
}

TEST(JsonArrays, OfStrings) {
  const Document document(R"({"a":["x","y"],"mixed":["x",1],"s":"x","empty":[]})");
  EXPECT_THAT(document->strings_or_empty("a").value(), ElementsAre("x", "y"));
  EXPECT_THAT(document->strings_or_empty("empty").value(), IsEmpty());
  EXPECT_THAT(document->strings_or_empty("absent").value(), IsEmpty());
  EXPECT_EQ(error_of(document->strings_or_empty("mixed")),
            "field mixed[1] must be a string, not number");
  EXPECT_THAT(error_of(document->strings_or_empty("s")),
              HasSubstr("field s must be an array of strings"));
}

TEST(JsonArrays, OfObjects) {
  const Document document(R"({"a":[{"x":"1"},{"x":"2"}],"mixed":[{},1],"o":{}})");
  const auto objects = document->objects_or_empty("a");
  ASSERT_TRUE(objects);
  ASSERT_EQ(objects->size(), 2U);
  EXPECT_EQ((*objects)[1].string("x").value(), "2");
  EXPECT_THAT(document->objects_or_empty("absent").value(), IsEmpty());
  EXPECT_EQ(error_of(document->objects_or_empty("mixed")),
            "field mixed[1] must be a JSON object, not number");
  EXPECT_THAT(error_of(document->objects_or_empty("o")),
              HasSubstr("field o must be an array of objects"));
}

TEST(JsonMap, TakesScalarsAsText) {
  const Document document(R"({"m":{"s":"x","n":1500,"b":true,"neg":-1},"bad":{"a":[1]},"s":"x"})");
  EXPECT_THAT(document->string_map_or_empty("m").value(),
              ElementsAre(Pair("b", "true"), Pair("n", "1500"), Pair("neg", "-1"), Pair("s", "x")));
  EXPECT_THAT(document->string_map_or_empty("absent").value(), IsEmpty());
  EXPECT_EQ(error_of(document->string_map_or_empty("bad")),
            "field bad.a must be a string, not array");
  EXPECT_FALSE(document->string_map_or_empty("s"));
}

TEST(JsonKeys, MayBeMatchedWithoutRegardToCase) {
  const Document document(R"({"HostPort":8080,"Inner":{"Name":"x"}})", Keys::kAnyCase);
  EXPECT_EQ(document->integer("hostPort", 1, 65535).value(), 8080);
  EXPECT_EQ(document->object("inner").value().string("NAME").value(), "x");
  EXPECT_EQ(document->find("hostPorts"), nullptr);
  EXPECT_TRUE(document->only({"hostport", "inner"}));
}

TEST(JsonKeys, TheExactOneWins) {
  const Document document(R"({"Name":"loose","name":"exact"})", Keys::kAnyCase);
  EXPECT_EQ(document->string("name").value(), "exact");
}

TEST(JsonKeys, AreExactUnlessSaidOtherwise) {
  const Document document(R"({"HostPort":8080})");
  EXPECT_EQ(document->find("hostPort"), nullptr);
}

TEST(JsonOnly, UnknownKeysAreRefusedWithASuggestion) {
  const Document document(R"({"log_levle":"info","o":{"x":1}})");
  const auto refused = document->only({"log_level", "o"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().text, "field log_levle is not known; did you mean \"log_level\"?");
  EXPECT_TRUE(document->only({"log_levle", "o"}));
  const auto nested_refusal = document->object("o").value().only({"something"});
  ASSERT_FALSE(nested_refusal);
  EXPECT_EQ(nested_refusal.error().text, "field o.x is not known");
}

}  // namespace
}  // namespace fairlead::json
