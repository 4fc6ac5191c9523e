#include "plugin-api/engine/names_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/http_client/http_client.h"

namespace fairlead::engine {

namespace {

// dockerd answers slowly while it starts many containers, and not at all before it is up.
constexpr std::chrono::seconds kPatience{30};
// A stream may be silent for as long as nothing happens; now and then it is opened anew.
constexpr std::chrono::hours kSilence{24};
constexpr std::size_t kMostAnswer = 64U << 20;
constexpr std::size_t kMostEvent = 1U << 20;

// The events that may change a name, or give an endpoint to a container. (Health checks alone are
// several a second elsewhere.) {"type":["container","network"],"event":["start","rename",...]}
constexpr std::string_view kEventsPath =
    "/events?filters=%7B%22type%22%3A%5B%22container%22%2C%22network%22%5D%2C%22event%22%3A%5B"
    "%22create%22%2C%22start%22%2C%22rename%22%2C%22connect%22%5D%7D";

// Ids of dockerd's own are safe in a path, and others are not asked for.
Status check_id(const std::string& id) {
  if (!id.empty() && std::ranges::all_of(id, [](unsigned char c) { return std::isalnum(c) != 0; }))
    return {};
  return fail(Code::kInvalid, "not an id of Docker's");
}

// {"id":["..."]}
Result<std::string> filtered(std::string_view path, const std::string& id) {
  if (id.empty()) return std::string(path);
  TRY_STATUS(check_id(id));
  return fmt::format("{}?filters=%7B%22id%22%3A%5B%22{}%22%5D%7D", path, id);
}

class SocketClient : public NamesClient {
 public:
  explicit SocketClient(const std::string& socket) : server_(http_client::unix_server(socket)) {}

  Result<std::vector<network::RuntimeNetwork>> networks(const std::string& id,
                                                        std::stop_token stop) override {
    TRY(const auto path, filtered("/networks", id));
    TRY(const auto body, get(path, stop));
    return decode_networks(body);
  }

  Result<std::vector<std::string>> containers(std::stop_token stop) override {
    TRY(const auto body, get("/containers/json", stop));
    return decode_containers(body);
  }

  Result<std::vector<network::NamedEndpoint>> endpoints(const std::string& container,
                                                        std::stop_token stop) override {
    TRY_STATUS(check_id(container));
    const auto body = get(fmt::format("/containers/{}/json", container), stop);
    if (!body && body.error().code == Code::kNotFound) return std::vector<network::NamedEndpoint>();
    if (!body) return fail(body.error());
    return decode_endpoints(*body);
  }

  Status follow(std::stop_token stop, const std::function<void()>& on_ready,
                const std::function<void(const NameEvent&)>& on_event) override {
    const http_client::Request request{
        .path = std::string(kEventsPath), .headers = {}, .body = {}, .method = "GET"};
    TRY(const auto stream,
        http_client::LineStream::open(server_, request, kPatience, stop, kMostEvent));
    if (stream->status() != 200)
      return fail(Code::kIo, "dockerd answers with status {}", stream->status());
    on_ready();
    while (true) {
      TRY(const auto line, stream->next_line(kSilence));
      if (!line) return {};
      if (line->empty()) continue;
      TRY(const auto event, decode_event(*line));
      on_event(event);
    }
  }

 private:
  // By a stream, because that can be stopped while dockerd takes its time.
  Result<std::string> get(const std::string& path, const std::stop_token& stop) {
    const http_client::Request request{.path = path, .headers = {}, .body = {}, .method = "GET"};
    TRY(const auto stream,
        http_client::LineStream::open(server_, request, kPatience, stop, kMostAnswer));
    if (stream->status() != 200)
      return fail(stream->status() == 404 ? Code::kNotFound : Code::kIo,
                  "dockerd answers {} with status {}", path, stream->status());
    std::string body;
    while (true) {
      TRY(const auto line, stream->next_line(kPatience));
      if (!line) break;
      if (body.size() + line->size() > kMostAnswer)
        return fail(Code::kExhausted, "the answer is longer than {} bytes", kMostAnswer);
      (body += *line) += '\n';
    }
    if (stop.stop_requested()) return fail(Code::kUnavailable, "stopped");
    return body;
  }

  http_client::Server server_;
};

}  // namespace

std::unique_ptr<NamesClient> make_names_client(const std::string& socket) {
  return std::make_unique<SocketClient>(socket);
}

}  // namespace fairlead::engine
