// Who holds how much of one listening socket: connections, streams, and memory of bodies. Internal
// to the server; not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "plugin-api/http/message.h"
#include "plugin-api/http/server.h"

namespace fairlead::http {

// A process of root's, or all processes of another user.
using PeerKey = std::uint64_t;
PeerKey key_of(const Peer& peer);

class Shares {
 public:
  explicit Shares(const Limits& limits) : limits_(limits) {}

  // Whether the socket, or this peer, has all the connections that it may have.
  bool full() const { return all_.connections >= limits_.connections; }
  bool full_for(PeerKey peer) const { return connections_of(peer) >= limits_.peer_connections; }
  std::size_t connections_of(PeerKey peer) const;
  void add_connection(PeerKey peer);
  void remove_connection(PeerKey peer);

  // False, and nothing is taken, when it is too much.
  bool take_stream(PeerKey peer);
  void give_stream(PeerKey peer);
  bool take_body(PeerKey peer, std::size_t bytes);
  void give_body(PeerKey peer, std::size_t bytes);

 private:
  struct Held {
    std::size_t connections = 0, streams = 0, body_bytes = 0;
  };

  const Limits& limits_;
  Held all_;
  std::unordered_map<PeerKey, Held> peers_;  // that have connections
};

}  // namespace fairlead::http
