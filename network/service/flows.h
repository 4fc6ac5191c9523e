// Connection tracking beside the rules that lead packets elsewhere: an entry stays when its rule comes or goes, and a client
// that keeps its UDP port would talk to the old owner, or to nobody, for as long as it asks.
#pragma once

#include <span>
#include <vector>

#include "network/api/types.h"
#include "network/kernel/firewall/conntrack.h"
#include "network/nat/nat.h"

namespace fairlead::network {

// Thread-safe. Entries that cannot be deleted are logged: they end by themselves when nobody asks for some minutes.
class Flows {
 public:
  explicit Flows(kernel::Conntrack& conntrack) : conntrack_(conntrack) {}

  // Of UDP ports, when the endpoint comes or goes: connections of the other protocols end with it.
  void forget(const Endpoint& endpoint, std::span<const PublishedPort> ports);
  // Of ports that come or go while the endpoint stays.
  void forget_all(const Endpoint& endpoint, std::vector<PublishedPort> ports);
  // Of questions by UDP that were led elsewhere, or nowhere.
  void forget(std::span<const nat::NatQuestions> questions);
  // After the table was not whole: of all UDP that the state leads elsewhere, and that came while nothing did. Others go on.
  void forget(const nat::NatState& state);

 private:
  void forget_filters(std::span<const kernel::FlowFilter> filters, std::string_view of);

  kernel::Conntrack& conntrack_;
};

}  // namespace fairlead::network
