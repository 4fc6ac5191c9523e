#include <algorithm>
#include <array>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cctype>
#include <cerrno>

#include "base/http_client/connection.h"
#include "base/http_client/http_client.h"

namespace fairlead::http_client {

namespace http = beast::http;

namespace {

constexpr std::size_t kMostIdle = 8;
constexpr std::uint32_t kMostHeader = 64U << 10;

std::string why(const beast::error_code& error) {
  if (error == beast::error::timeout) return "no answer in time";
  if (error == http::error::end_of_stream || error == asio::error::eof)
    return "the server closed the connection";
  return error.message();
}

std::string message(const Server& server, const Request& request) {
  std::string text =
      fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", request.method, request.path, server.host);
  if (!request.body.empty()) text += "Content-Type: application/json\r\n";
  for (const auto& [name, value] : request.headers) text += fmt::format("{}: {}\r\n", name, value);
  text += fmt::format("Content-Length: {}\r\n\r\n", request.body.size());
  return text += request.body;
}

Status send(Connection& connection, const Server& server, const Request& request,
            Deadline deadline) {
  connection.set_deadline(deadline);
  const auto error = connection.write(message(server, request));
  if (!error) return {};
  const bool has_hung_up =
      error == asio::error::broken_pipe || error == asio::error::connection_reset;
  return fail(Error{Code::kIo, has_hung_up ? EPIPE : 0, why(error)});
}

struct Received {
  Response response;
  bool keep_alive = false;
};

std::map<std::string, std::string> headers_of(const http::fields& fields) {
  std::map<std::string, std::string> headers;
  for (const auto& field : fields) {
    std::string name(field.name_string());
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    headers[std::move(name)] = std::string(field.value());
  }
  return headers;
}

Result<Received> receive(Connection& connection, std::size_t most, Deadline deadline) {
  http::response_parser<http::string_body> parser;
  parser.header_limit(kMostHeader);
  parser.body_limit(most);
  connection.set_deadline(deadline);
  beast::error_code error;
  http::read(connection, connection.buffer(), parser, error);
  if (error == http::error::body_limit)
    return fail(Code::kExhausted, "the answer is longer than {} bytes", most);
  if (error) return fail(Code::kIo, "{}", why(error));
  auto& response = parser.get();
  const auto status = static_cast<int>(response.result_int());
  if (status / 100 == 1) return receive(connection, most, deadline);  // 100 Continue
  return Received{{status, std::move(response.body()), headers_of(response)},
                  response.keep_alive()};
}

}  // namespace

Client::Client(Server server, std::size_t most_answer)
    : server_(std::move(server)), most_answer_(most_answer) {}
Client::~Client() = default;

std::unique_ptr<Connection> Client::take_idle() {
  const std::scoped_lock hold(mutex_);
  while (!idle_.empty()) {
    auto connection = std::move(idle_.back());
    idle_.pop_back();
    if (connection->is_quiet()) return connection;
  }
  return nullptr;
}

void Client::keep(std::unique_ptr<Connection> connection) {
  const std::scoped_lock hold(mutex_);
  if (idle_.size() < kMostIdle) idle_.push_back(std::move(connection));
}

Result<Response> Client::call(const Request& request, std::chrono::milliseconds timeout) {
  const Deadline deadline = std::chrono::steady_clock::now() + timeout;
  auto connection = take_idle();
  if (connection == nullptr) {
    TRY(connection, server_.connect(deadline));
  }
  const Status sent = send(*connection, server_, request, deadline);
  if (!sent && sent.error().sys_errno != EPIPE) return fail(sent.error());
  auto received = receive(*connection, most_answer_, deadline);
  if (!received) return fail(sent ? received.error() : sent.error());
  if (sent && received->keep_alive) keep(std::move(connection));
  return std::move(received->response);
}

// ---- LineStream

class LineStream::Reader {
 public:
  Reader(std::unique_ptr<Connection> connection, std::stop_token stop, std::size_t most_line)
      : connection_(std::move(connection)),
        most_line_(most_line),
        stop_(std::move(stop)),
        on_stop_(stop_, Interrupt{connection_.get()}) {
    parser_.header_limit(kMostHeader);
    parser_.body_limit(boost::none);
  }

  Status start(const Server& server, const Request& request, Deadline deadline) {
    TRY_STATUS(send(*connection_, server, request, deadline));
    beast::error_code error;
    http::read_header(*connection_, connection_->buffer(), parser_, error);
    if (error) return fail(Code::kIo, "{}", why(error));
    return {};
  }

  int status() const { return static_cast<int>(parser_.get().result_int()); }

  Result<std::optional<std::string>> next_line(std::chrono::milliseconds silence) {
    while (true) {
      if (auto line = take_line()) return line;
      if (stop_.stop_requested()) return std::optional<std::string>();
      if (parser_.is_done()) return take_rest();
      if (text_.size() > most_line_)
        return fail(Code::kExhausted, "a line is longer than {} bytes", most_line_);
      TRY_STATUS(read_more(std::chrono::steady_clock::now() + silence));
    }
  }

 private:
  struct Interrupt {
    Connection* connection;
    void operator()() const { connection->interrupt(); }
  };

  std::optional<std::string> take_line() {
    const std::size_t end = text_.find('\n', searched_);
    searched_ = text_.size();
    if (end == std::string::npos) return std::nullopt;
    std::string line = text_.substr(0, end);
    text_.erase(0, end + 1);
    searched_ = 0;
    return line;
  }

  std::optional<std::string> take_rest() {
    if (text_.empty()) return std::nullopt;
    searched_ = 0;
    return std::exchange(text_, {});
  }

  Status read_more(Deadline deadline) {
    auto& body = parser_.get().body();
    body.data = buffer_.data();
    body.size = buffer_.size();
    connection_->set_deadline(deadline);
    beast::error_code error;
    http::read_some(*connection_, connection_->buffer(), parser_, error);
    text_.append(buffer_.data(), buffer_.size() - body.size);
    if (!error || error == http::error::need_buffer || stop_.stop_requested()) return {};
    if (error == beast::error::timeout) return fail(Code::kIo, "the stream is silent");
    return fail(Code::kIo, "{}", why(error));
  }

  std::unique_ptr<Connection> connection_;
  const std::size_t most_line_;
  std::stop_token stop_;
  std::stop_callback<Interrupt> on_stop_;
  http::response_parser<http::buffer_body> parser_;
  std::array<char, 16U << 10> buffer_{};
  std::string text_;          // read and not given out
  std::size_t searched_ = 0;  // bytes of it that have no line end
};

LineStream::LineStream(std::unique_ptr<Reader> reader) : reader_(std::move(reader)) {}
LineStream::~LineStream() = default;

Result<std::unique_ptr<LineStream>> LineStream::open(const Server& server, const Request& request,
                                                     std::chrono::milliseconds timeout,
                                                     std::stop_token stop, std::size_t most_line) {
  const Deadline deadline = std::chrono::steady_clock::now() + timeout;
  TRY(auto connection, server.connect(deadline));
  auto reader = std::make_unique<Reader>(std::move(connection), std::move(stop), most_line);
  TRY_STATUS(reader->start(server, request, deadline));
  return std::unique_ptr<LineStream>(new LineStream(std::move(reader)));
}

int LineStream::status() const { return reader_->status(); }

Result<std::optional<std::string>> LineStream::next_line(std::chrono::milliseconds silence) {
  return reader_->next_line(silence);
}

}  // namespace fairlead::http_client
