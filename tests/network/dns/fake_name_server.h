// A name server for tests: answers over UDP and TCP as the test says, on threads of its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "network/dns/responder.h"
#include "network/kernel/host/bound_sockets.h"

namespace fairlead::dns::tests {

class FakeNameServer {
 public:
  struct Received {
    Message message;
    bool stream = false;
    IpAddress from;
    std::uint16_t from_port = 0;
  };
  // None: it stays silent.
  using Answer = std::function<std::optional<Message>(const Received&)>;

  FakeNameServer(const std::string& address, Answer answer, std::uint16_t port = 53);
  ~FakeNameServer();

  std::vector<Received> received() const;
  // Sends a datagram from the server's own address and port.
  void send(const Message& message, const IpAddress& to, std::uint16_t port);

 private:
  void serve_datagrams();
  void serve_streams();
  std::optional<Message> handle(Received received);

  const Answer answer_;
  UniqueFd datagrams_, streams_, stop_;
  mutable std::mutex mutex_;
  std::vector<Received> received_;
  std::thread datagram_thread_, stream_thread_;
};

// A client that asks one question over UDP from a port of its own.
class DatagramClient {
 public:
  // `from`: an address of its own; empty: any.
  explicit DatagramClient(const std::string& server, std::uint16_t port = 53,
                          const std::string& from = "");
  void send(const Message& query);
  // What comes next; std::nullopt: nothing in that time.
  std::optional<Message> receive(std::chrono::milliseconds timeout = std::chrono::seconds(3));
  std::optional<Message> ask(const Message& query,
                             std::chrono::milliseconds timeout = std::chrono::seconds(3)) {
    send(query);
    return receive(timeout);
  }

 private:
  UniqueFd fd_;
};

class StreamClient {
 public:
  explicit StreamClient(const std::string& server, std::uint16_t port = 53,
                        const std::string& from = "");
  bool connected() const { return connected_; }
  void send(const Message& query);  // behind its length
  void send_bytes(const Message& bytes);
  std::optional<Message> receive(std::chrono::milliseconds timeout = std::chrono::seconds(3));
  // Whether the server closes the connection within that time.
  bool closed(std::chrono::milliseconds timeout);
  void shut_down_sending();
  void set_receive_buffer(int bytes);
  int fd() const { return fd_.get(); }

 private:
  std::optional<Message> read(std::size_t size, std::chrono::steady_clock::time_point until);

  UniqueFd fd_;
  bool connected_ = false;
};

}  // namespace fairlead::dns::tests
