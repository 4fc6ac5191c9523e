// One connection of the server: reads requests, passes them to the workers, sends the responses.
// Internal to the server.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "plugin-api/http/request_reader.h"
#include "plugin-api/http/server.h"
#include "plugin-api/http/worker_pool.h"

namespace fairlead::http {

using Clock = std::chrono::steady_clock;

class Session;

// What a session needs of its server. Everything but `io` and `workers` is for the io thread only.
struct SessionHost {
  boost::asio::io_context& io;
  WorkerPool& workers;
  const Limits limits;
  bool stopping = false;
  // read buffer, shared by all connections because there is one read at a time
  std::vector<char> scratch;
  std::function<void(Clock::time_point)> check_no_later;  // tells the server of a new deadline
  std::function<void(const std::shared_ptr<Session>&)> closed;
};

// Lives as long as a wait, a handler or the server's list refers to it. All methods are called on
// the io thread.
class Session : public std::enable_shared_from_this<Session> {
 public:
  // `handler` and `host` must outlive the session.
  Session(SessionHost& host, const Handler& handler, UniqueFd socket);

  void start();
  // Acts when the deadline has passed: answers 408, or closes.
  void check_deadline(Clock::time_point now);
  Clock::time_point deadline() const { return deadline_; }
  // Closes an idle connection. A request that has arrived is answered first, and a new connection
  // gets a second to send its first request, because its client would take the end for a refusal.
  void wind_up();
  void close();

 private:
  enum class Phase { kReading, kHandling, kSending, kStreaming, kLingering, kClosed };

  void wait_readable();
  void receive();
  void received(std::string_view bytes);
  void act_on(RequestReader::State state);
  void end_of_input();
  void handle(Request request);
  void answer(Response response, bool head_only);
  void refuse(const Refusal& refusal);
  void send_rest();
  void answered();
  void begin_stream(std::string header, std::shared_ptr<BodyStream> stream);
  void send_stream();
  bool send_part();
  bool take_part();
  void wait_writable();
  void linger();
  void set_deadline(std::chrono::milliseconds from_now);

  SessionHost& host_;
  const Handler& handler_;
  boost::asio::posix::stream_descriptor socket_;
  RequestReader reader_;
  Peer peer_;
  Phase phase_ = Phase::kReading;
  Clock::time_point deadline_ = Clock::time_point::max();
  std::string out_;                     // what is being sent
  std::size_t sent_ = 0;                // how much of it
  std::shared_ptr<BodyStream> stream_;  // in kStreaming
  bool stream_ended_ = false;           // its last part was taken
  bool waiting_to_send_ = false;        // for room in the socket
  bool keep_ = false;                   // keep the connection after this response
  bool used_ = false;                   // a request was answered
  bool refused_ = false;                // the rest of the input is to be dropped
};

}  // namespace fairlead::http
