#include "plugin-api/http/response_text.h"

#include <gtest/gtest.h>

namespace fairlead::http {
namespace {

TEST(ResponseText, PutsHeaderAndBodyTogether) {
  const Response response{
      .status = 200, .content_type = "application/json", .body = "{}", .headers = {}};
  EXPECT_EQ(to_text(response, Connection::kKeep),
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
}

TEST(ResponseText, SaysWhenTheConnectionIsClosed) {
  const Response response{
      .status = 405, .content_type = "text/plain", .body = "no", .headers = {{"Allow", "POST"}}};
  EXPECT_EQ(to_text(response, Connection::kClose),
            "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain\r\nContent-Length: "
            "2\r\nAllow: POST\r\n"
            "Connection: close\r\n\r\nno");
}

TEST(ResponseText, LeavesTheBodyOutForHeadAndForNoContent) {
  const Response response{
      .status = 200, .content_type = "text/plain", .body = "four", .headers = {}};
  EXPECT_TRUE(
      to_text(response, Connection::kKeep, Body::kLeaveOut).ends_with("Content-Length: 4\r\n\r\n"));
  const Response none{.status = 204, .content_type = "text/plain", .body = "", .headers = {}};
  EXPECT_EQ(to_text(none, Connection::kKeep), "HTTP/1.1 204 No Content\r\n\r\n");
}

TEST(ResponseText, LetsNoHeaderValueAddAHeader) {
  const Response response{.status = 200,
                          .content_type = "a\r\nX: 1",
                          .body = "",
                          .headers = {{"Location", "b\r\n\r\nc"}}};
  const std::string text = to_text(response, Connection::kKeep);
  EXPECT_EQ(
      text,
      "HTTP/1.1 200 OK\r\nContent-Type: a  X: 1\r\nContent-Length: 0\r\nLocation: b    c\r\n\r\n");
}

TEST(ResponseText, NamesAnUnknownStatus) { EXPECT_EQ(reason_phrase(299), "Unknown"); }

TEST(StreamHeader, HasTheHeadersOfTheResponseToo) {
  Response response;
  response.content_type = "application/x-ndjson";
  response.headers["Cache-Control"] = "no-store\r\nX: y";
  EXPECT_EQ(
      stream_header(response),
      "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n"
      "Cache-Control: no-store  X: y\r\nConnection: close\r\n\r\n");
}

}  // namespace
}  // namespace fairlead::http
