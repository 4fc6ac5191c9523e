#include "plugin-api/http/request_reader.h"

#include <utility>

// Beast needs <utility> before it.
#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cctype>
#include <optional>

namespace fairlead::http {

namespace {

namespace beast = boost::beast;
using BeastParser = beast::http::request_parser<beast::http::string_body>;
using BeastError = beast::http::error;

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Percent-decoding (RFC 3986, 2.1). An invalid escape is kept as it is.
std::string percent_decode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
                        hex_digit(text[i + 2]) >= 0;
    if (!escape) {
      decoded += text[i];
      continue;
    }
    decoded += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
    i += 2;
  }
  return decoded;
}

std::map<std::string, std::string> parse_query(std::string_view text) {
  std::map<std::string, std::string> query;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (!pair.empty())
      query[percent_decode(pair.substr(0, equals))] =
          percent_decode(pair.substr(std::min(equals + 1, pair.size())));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return query;
}

Refusal refusal_of(const beast::error_code& error) {
  if (error == BeastError::header_limit) return {431, "the request's header is too large"};
  if (error == BeastError::body_limit) return {413, "the request's body is too large"};
  if (error == BeastError::bad_version) return {400, "only HTTP/1.0 and HTTP/1.1 are spoken here"};
  return {400, "the request is not valid HTTP: " + error.message()};
}

Request to_request(BeastParser::value_type&& message) {
  Request request;
  request.method = view(message.method_string());
  const std::string_view target = view(message.target());
  const std::size_t question = std::min(target.find('?'), target.size());
  request.path = target.substr(0, question);
  if (question < target.size()) request.query = parse_query(target.substr(question + 1));
  for (const auto& field : message) {
    std::string& value = request.headers[lower_case(view(field.name_string()))];
    if (!value.empty()) value += ", ";
    value += view(field.value());
  }
  request.body = std::move(message.body());
  return request;
}

}  // namespace

struct RequestReader::Parser {
  explicit Parser(ReaderLimits reader_limits) : limits(reader_limits) { restart(); }

  void restart() {
    parser.emplace();
    parser->eager(false);  // each put() ends with the header, or with a part of the body
    parser->header_limit(static_cast<std::uint32_t>(limits.header_bytes));
    parser->body_limit(limits.body_bytes);
    header_size = 0;
    continue_said = false;
    started = false;
  }

  State refuse(Refusal reason) {
    refusal = std::move(reason);
    waiting = {};
    return State::kRefused;
  }

  // Beast asserts that a last chunk which it has seen in part is passed again as a whole
  // ("0\r\n\r\n"). At least that much is still to come of any unfinished chunked message.
  bool too_short_for_a_chunk(std::size_t size) const {
    constexpr std::size_t kShortestLastChunk = 5;
    return size < kShortestLastChunk && parser->is_header_done() && parser->chunked();
  }

  // Passes to the parser as much of `bytes` as it takes; returns the number of bytes.
  std::size_t put(std::string_view bytes, beast::error_code& error) {
    std::size_t used = 0;
    while (used < bytes.size() && !parser->is_done()) {
      if (too_short_for_a_chunk(bytes.size() - used)) break;
      const bool in_header = !parser->is_header_done();
      const std::size_t step =
          parser->put(boost::asio::buffer(bytes.data() + used, bytes.size() - used), error);
      used += step;
      if (in_header) header_size += step;
      if (error || step == 0) break;
    }
    return used;
  }

  State state_after(const beast::error_code& error) {
    if (error && error != BeastError::need_more) return refuse(refusal_of(error));
    // Whether Beast counts the first line depends on how the bytes arrived.
    if (header_size > limits.header_bytes) return refuse(refusal_of(BeastError::header_limit));
    if (parser->is_header_done() && parser->get().version() != 11 && parser->get().version() != 10)
      return refuse(refusal_of(BeastError::bad_version));
    if (parser->is_done()) return State::kComplete;
    // Only an unfinished line of the header, or of a chunk's header, can be waiting here.
    if (!parser->is_header_done() && header_size + waiting.size() > limits.header_bytes)
      return refuse(refusal_of(BeastError::header_limit));
    if (waiting.size() > limits.header_bytes) return refuse({400, "a chunk's header is too large"});
    if (!continue_said && parser->is_header_done() && expects_continue()) {
      continue_said = true;
      return State::kContinue;
    }
    return State::kMore;
  }

  bool expects_continue() const {
    return lower_case(view(parser->get()[beast::http::field::expect])) == "100-continue";
  }

  ReaderLimits limits;
  std::optional<BeastParser> parser;
  std::string waiting;          // arrived, but not taken by the parser
  std::size_t header_size = 0;  // bytes of the header that the parser took
  Refusal refusal;
  bool continue_said = false;
  bool keep_alive = true;
  bool started = false;  // a byte of the request has arrived
};

RequestReader::RequestReader(ReaderLimits limits) : parser_(std::make_unique<Parser>(limits)) {}
RequestReader::~RequestReader() = default;
RequestReader::RequestReader(RequestReader&&) noexcept = default;
RequestReader& RequestReader::operator=(RequestReader&&) noexcept = default;

RequestReader::State RequestReader::feed(std::string_view bytes) {
  Parser& p = *parser_;
  if (p.refusal.text.size() != 0) return State::kRefused;
  std::string joined;
  if (!p.waiting.empty()) {
    joined = std::move(p.waiting);
    joined += bytes;
    bytes = joined;
  }
  p.started = p.started || !bytes.empty();
  beast::error_code error;
  const std::size_t used = p.put(bytes, error);
  p.waiting.assign(bytes.substr(used));
  return p.state_after(error);
}

Request RequestReader::take() {
  parser_->keep_alive = parser_->parser->keep_alive();
  Request request = to_request(parser_->parser->release());
  parser_->restart();
  return request;
}

bool RequestReader::keep_alive() const { return parser_->keep_alive; }
bool RequestReader::idle() const { return !parser_->started && parser_->waiting.empty(); }
std::size_t RequestReader::body_memory() const { return parser_->parser->get().body().capacity(); }
const Refusal& RequestReader::refusal() const { return parser_->refusal; }

}  // namespace fairlead::http
