// One connection of the server: reads requests, passes them to the workers, sends the responses.
// Internal to the server.
#pragma once

#include <array>
#include <atomic>
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
#include "plugin-api/http/shares.h"
#include "plugin-api/http/worker_pool.h"

namespace fairlead::http {

using Clock = std::chrono::steady_clock;

class Session;

// What the connections of one listening socket have in common. `shares` is for the io thread only.
struct Door {
  Door(Listener taken, const Limits& limits);
  WorkerPool& workers_for(const Request& request);

  Listener listener;
  Shares shares;
  // last, so that they are joined before what their jobs refer to is destroyed
  std::array<std::unique_ptr<WorkerPool>, kWorkClasses> workers;
};

// What a session needs of its server. Everything but `io` is for the io thread only.
struct SessionHost {
  boost::asio::io_context& io;
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
  // `door` and `host` must outlive the session.
  Session(SessionHost& host, Door& door, UniqueFd socket, const Peer& peer);

  void start();
  // In place of start(): whatever the client asks is answered 503.
  void turn_away();
  // Acts when the deadline has passed: answers 408, or closes.
  void check_deadline(Clock::time_point now);
  Clock::time_point deadline() const { return deadline_; }
  // Closes an idle connection. A request that has arrived is answered first, and a new connection
  // gets a second to send its first request, because its client would take the end for a refusal.
  void wind_up();
  // Answers 503 for a handler that is still at work. The socket stays open but tells the handler
  // that the client is gone.
  void give_up();
  void close();

  PeerKey peer() const { return peer_key_; }
  const Door& door() const { return door_; }
  bool turned_away() const { return turned_away_; }
  // Whether the client has asked for nothing (more).
  bool idle() const;
  bool has_input();  // that is not read yet

 private:
  enum class Phase { kReading, kHandling, kSending, kStreaming, kLingering, kClosed };

  void wait_readable();
  void receive();
  void received(std::string_view bytes);
  void act_on(RequestReader::State state);
  bool account_body();
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
  Door& door_;
  boost::asio::posix::stream_descriptor socket_;
  RequestReader reader_;
  Peer peer_;
  const PeerKey peer_key_;
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
  bool turned_away_ = false;            // there is no room for this connection
  bool has_stream_share_ = false;
  std::size_t body_memory_ = 0;            // accounted for at the door
  std::atomic<bool> answer_taken_{false};  // by the worker, or by give_up()
};

}  // namespace fairlead::http
