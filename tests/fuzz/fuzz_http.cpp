// HTTP requests: any bytes, in any chunks. The chunks must not change what is understood, and what
// is held back while a request is not complete stays within the limits. Only the moment of a
// refusal may differ: Beast looks at a line that came in chunks once it has ended (basic_parser's
// skip_).
//
// Input: the first byte is the size of the chunks, the rest is what a client sends.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "plugin-api/http/request_reader.h"
#include "plugin-api/http/response_text.h"

namespace fairlead::http {
namespace {

constexpr ReaderLimits kLimits{.header_bytes = 512, .body_bytes = 256};
using State = RequestReader::State;
const std::string kLineEnds(2 * kLimits.header_bytes, '\n');

void must(bool holds) {
  if (!holds) std::abort();
}

struct Understood {
  std::vector<Request> requests;
  int refused_with = 0;
};

void check(const Request& request) {
  must(request.body.size() <= kLimits.body_bytes);
  must(request.path.find('?') == std::string::npos);
  for (const auto& [name, value] : request.headers)
    must(std::ranges::none_of(name, [](char c) { return c >= 'A' && c <= 'Z'; }));
}

Understood understand(RequestReader& reader, std::string_view bytes, std::size_t chunk) {
  Understood understood;
  while (!bytes.empty()) {
    State state = reader.feed(bytes.substr(0, chunk));
    bytes.remove_prefix(std::min(chunk, bytes.size()));
    while (state == State::kComplete) {
      understood.requests.push_back(reader.take());
      check(understood.requests.back());
      state = reader.feed({});
    }
    if (state == State::kRefused) {
      understood.refused_with = reader.refusal().status;
      return understood;
    }
  }
  return understood;
}

bool same(const Request& a, const Request& b) {
  return a.method == b.method && a.path == b.path && a.query == b.query && a.headers == b.headers &&
         a.body == b.body;
}

// What a handler echoes from a request must not break the answer.
void answer(const Request& request) {
  const Response response{
      .status = 200, .content_type = request.path, .body = request.body, .headers = request.query};
  const std::string text = to_text(response, Connection::kKeep);
  const std::size_t end = text.find("\r\n\r\n");
  must(end != std::string::npos && text.substr(end + 4) == request.body);
}

}  // namespace
}  // namespace fairlead::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fairlead::http;
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  RequestReader at_once(kLimits);
  RequestReader bit_by_bit(kLimits);
  const Understood whole = understand(at_once, bytes, bytes.size());
  const Understood chunks = understand(bit_by_bit, bytes, std::size_t{1} + data[0]);
  for (const Request& request : whole.requests) answer(request);
  // A chunk's extension with an open quote is read again with each chunk, and Beast counts the
  // chunk against the body's limit each time: refused too early, but nothing else.
  if (bytes.find('"') != std::string_view::npos) return 0;
  must(whole.requests.size() == chunks.requests.size());
  for (std::size_t i = 0; i < whole.requests.size(); ++i)
    must(same(whole.requests[i], chunks.requests[i]));
  const bool refused = whole.refused_with != 0;
  if (chunks.refused_with != 0) must(refused);
  if (refused && chunks.refused_with == 0)
    must(understand(bit_by_bit, kLineEnds, 2).refused_with != 0);
  return 0;
}
