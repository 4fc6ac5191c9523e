#include "plugin-api/http/shares.h"

namespace fairlead::http {

PeerKey key_of(const Peer& peer) {
  constexpr PeerKey kUser = PeerKey{1} << 32;
  return peer.uid == 0 ? static_cast<unsigned>(peer.pid) : kUser | peer.uid;
}

std::size_t Shares::connections_of(PeerKey peer) const {
  const auto found = peers_.find(peer);
  return found == peers_.end() ? 0 : found->second.connections;
}

void Shares::add_connection(PeerKey peer) {
  ++peers_[peer].connections;
  ++all_.connections;
}

void Shares::remove_connection(PeerKey peer) {
  --all_.connections;
  const auto found = peers_.find(peer);
  if (--found->second.connections == 0) peers_.erase(found);
}

bool Shares::take_stream(PeerKey peer) {
  Held& own = peers_[peer];
  if (all_.streams >= limits_.streams || own.streams >= limits_.peer_streams) return false;
  ++all_.streams;
  ++own.streams;
  return true;
}

void Shares::give_stream(PeerKey peer) {
  --all_.streams;
  --peers_[peer].streams;
}

bool Shares::take_body(PeerKey peer, std::size_t bytes) {
  Held& own = peers_[peer];
  if (all_.body_bytes + bytes > limits_.bodies_bytes ||
      own.body_bytes + bytes > limits_.peer_bodies_bytes)
    return false;
  all_.body_bytes += bytes;
  own.body_bytes += bytes;
  return true;
}

void Shares::give_body(PeerKey peer, std::size_t bytes) {
  all_.body_bytes -= bytes;
  peers_[peer].body_bytes -= bytes;
}

}  // namespace fairlead::http
