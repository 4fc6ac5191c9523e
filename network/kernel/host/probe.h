// One packet that is sent to see what becomes of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/ip.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace fairlead::kernel {

// A socket that is ready to send a TCP SYN, an UDP datagram or an echo request, non-blocking, in a namespace of its own.
class Probe {
 public:
  enum class Kind { kTcp, kUdp, kPing };
  // In the namespace, or (-1) in that of the calling thread.
  static Result<Probe> open(int netns_fd, Kind kind, Family family);

  // The port that it sends from, or the number of its echo requests: it tells its packets from others.
  std::uint16_t sender() const { return sender_; }
  int fd() const { return socket_.get(); }

  // The error is the kernel's refusal to send.
  Status send(const IpAddress& to, std::uint16_t port);

  // What has come back: true an answer, false a refusal; std::nullopt nothing yet. To be called when poll(2) says so.
  struct Outcome {
    bool answered = false;
    std::string said;  // "connected", "connection refused", "an echo reply"
  };
  std::optional<Outcome> outcome();

 private:
  Probe(UniqueFd socket, Kind kind, Family family)
      : socket_(std::move(socket)), kind_(kind), family_(family) {}
  Status bind_any();
  std::optional<Outcome> connected();
  std::optional<Outcome> received();

  UniqueFd socket_;
  Kind kind_;
  Family family_;
  std::uint16_t sender_ = 0;
};

}  // namespace fairlead::kernel
