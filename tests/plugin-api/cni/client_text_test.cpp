#include <gtest/gtest.h>

#include <string>

#include "plugin-api/thin/cni_text.h"

namespace client {
namespace {

constexpr const char* kExit = "x-cni-exit:";

Text text_of(const std::string& text) { return {text.data(), text.size()}; }
std::string string_of(Text text) { return {text.data, text.size}; }

TEST(ClientText, FindsTheVersionOfAConfiguration) {
  const auto version = [](const std::string& text) { return string_of(version_of(text_of(text))); };
  EXPECT_EQ(version(R"({"bridge":"b","cniVersion":"0.4.0","name":"x"})"), "0.4.0");
  EXPECT_EQ(version("{ \"cniVersion\" :\n \"1.0.0\" }"), "1.0.0");
  for (const char* none :
       {"", "{}", R"({"cniVersion":7})", R"({"cniVersion":"1.0.0)", R"({"cniVersion":"1\"0"})",
        R"({"cniVersion":"11111111111111111"})", "\"cniVersion\""})
    EXPECT_EQ(version(none), "") << none;
}

TEST(ClientText, TakesAQuestionForTheVersionOnlyWhenThatIsAll) {
  const auto version = [](const std::string& text) {
    return string_of(only_version(text_of(text)));
  };
  EXPECT_EQ(version(R"({"cniVersion":"1.1.0"})"), "1.1.0");
  EXPECT_EQ(version(" {\n\t\"cniVersion\" : \"1.1.0\" }\n"), "1.1.0");
  for (const char* other : {"", R"({"cniVersion":"1.1.0"}})", R"({"cniVersion":"1.1.0","a":1})",
                            R"({"a":1,"cniVersion":"1.1.0"})", R"({"cniVersion":"x"})"})
    EXPECT_EQ(version(other), "") << other;
}

TEST(ClientText, AnAnswerIsCompleteWithItsLastByte) {
  const std::string whole =
      "HTTP/1.1 200 OK\r\nServer: x\r\nx-cni-EXIT: 1\r\nContent-Length: 4\r\n\r\nbody";
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(parse_answer(text_of(whole.substr(0, size)), kExit).complete) << size;
  const std::string longer = whole + "more";
  const Answer answer = parse_answer(text_of(longer), kExit);
  EXPECT_TRUE(answer.complete);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.exit_code, 1);
  EXPECT_EQ(string_of(answer.body), "body");
}

TEST(ClientText, HeadersAreFoundAtTheStartOfALineOnly) {
  const std::string text = "HTTP/1.1 200 OK\r\nA: x-cni-exit: 7\r\nContent-Length: 0\r\n\r\n";
  const Answer answer = parse_answer(text_of(text), kExit);
  EXPECT_TRUE(answer.complete);
  EXPECT_EQ(answer.exit_code, -1);
}

TEST(ClientText, AnswersWithoutASoundLengthAreNeverComplete) {
  for (const char* length : {"", "Content-Length: x\r\n", "Content-Length: -1\r\n",
                             "Content-Length: 99999999999999999999\r\n"})
    EXPECT_FALSE(
        parse_answer(text_of(std::string("HTTP/1.1 200 OK\r\n") + length + "\r\n"), kExit).complete)
        << length;
}

TEST(ClientText, ValuesThatHttpWouldChangeAreNotSent) {
  EXPECT_TRUE(can_be_header("/run/netns/web"));
  EXPECT_TRUE(can_be_header("a b"));
  for (const char* value : {" a", "a ", "a\nb", "a\rb", "\t", "a\x7f"})
    EXPECT_FALSE(can_be_header(value)) << value;
}

TEST(ClientText, ABuilderDoesNotOverflow) {
  Builder<8> builder;
  builder.add("12345");
  builder.add("6789");
  EXPECT_FALSE(builder.fits());
  EXPECT_EQ(string_of(builder.text()), "12345");
}

TEST(ClientText, JsonIsEscaped) {
  Builder<64> builder;
  builder.add_escaped("a\"b\\c\nd");
  EXPECT_EQ(string_of(builder.text()), "a\\\"b\\\\cd");
}

}  // namespace
}  // namespace client
