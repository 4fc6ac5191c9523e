#include "plugin-api/engine/engine_client.h"

#include <fmt/format.h>

#include <chrono>

#include "base/http_client/http_client.h"

namespace fairlead::engine {

namespace {

// dockerd answers slowly while it starts many containers, and a start waits for its plugins.
constexpr std::chrono::seconds kPatience{60}, kStartPatience{180};
constexpr std::size_t kMostAnswer = 16U << 20;

// {"status":["created","exited"]}
constexpr std::string_view kStoppedPath =
    "/containers/json?all=true&filters=%7B%22status%22%3A%5B%22created%22%2C%22exited%22%5D%7D";

class SocketEngine : public Engine {
 public:
  explicit SocketEngine(const std::string& socket) : server_(http_client::unix_server(socket)) {}

  Result<std::vector<std::string>> stopped(std::stop_token stop) override {
    TRY(const Answer answer, call("GET", std::string(kStoppedPath), kPatience, stop));
    if (answer.status != 200) return refusal(answer);
    return decode_ids(answer.body);
  }

  Result<StoppedContainer> inspect(const std::string& id, std::stop_token stop) override {
    TRY(const Answer answer, call("GET", fmt::format("/containers/{}/json", id), kPatience, stop));
    if (answer.status != 200) return refusal(answer);
    return decode_container(answer.body);
  }

  Status start(const std::string& id, std::stop_token stop) override {
    TRY(const Answer answer,
        call("POST", fmt::format("/containers/{}/start", id), kStartPatience, stop));
    if (answer.status != 204 && answer.status != 304) return refusal(answer);
    return {};
  }

 private:
  struct Answer {
    int status = 0;
    std::string body;
  };

  static tl::unexpected<Error> refusal(const Answer& answer) {
    return fail(answer.status == 404 ? Code::kNotFound : Code::kConflict, "dockerd says: {}",
                decode_message(answer.body));
  }

  // By a stream, because that can be stopped while dockerd takes its time.
  Result<Answer> call(std::string method, std::string path, std::chrono::milliseconds patience,
                      const std::stop_token& stop) {
    const http_client::Request request{
        .path = std::move(path), .headers = {}, .body = {}, .method = std::move(method)};
    TRY(const auto stream, http_client::LineStream::open(server_, request, patience, stop));
    Answer answer{.status = stream->status(), .body = {}};
    while (true) {
      TRY(const auto line, stream->next_line(patience));
      if (!line) break;
      if (answer.body.size() + line->size() > kMostAnswer)
        return fail(Code::kExhausted, "dockerd's answer is longer than {} bytes", kMostAnswer);
      (answer.body += *line) += '\n';
    }
    if (stop.stop_requested()) return fail(Code::kUnavailable, "stopped");
    return answer;
  }

  http_client::Server server_;
};

}  // namespace

std::unique_ptr<Engine> make_engine(const std::string& socket) {
  return std::make_unique<SocketEngine>(socket);
}

}  // namespace fairlead::engine
