#include "network/service/claim_audit.h"

#include <set>
#include <tuple>

#include "network/service/keys.h"
#include "network/service/records.h"

namespace fairlead::network {

Result<std::vector<LostClaim>> lost_claims(const std::vector<state::Record>& claims,
                                           const std::vector<Endpoint>& endpoints,
                                           const std::string& boot_id) {
  using Held =
      std::tuple<std::string, std::optional<IpAddress>, std::string, std::string, std::uint16_t>;
  std::set<Held> held;
  for (const state::Record& record : claims) {
    TRY(const auto claimed, decode_claims(record.value));
    for (const PortClaim& claim : claimed)
      if (claim.boot_id == boot_id)
        held.emplace(record.key, claim.host_ip, claim.network_id, claim.endpoint_id,
                     claim.host_port);
  }
  std::vector<LostClaim> lost;
  for (const Endpoint& endpoint : endpoints) {
    if (endpoint.phase != Phase::kReady || endpoint.boot_id != boot_id) continue;
    for (const PublishedPort& port : endpoint.ports) {
      // The claims of ranges are told apart by their first ports.
      const Held wanted{
          port.is_range() ? keys::port_ranges(port.proto) : keys::port(port.proto, port.host_port),
          port.host_ip, endpoint.network_id, endpoint.id,
          port.is_range() ? port.host_port : std::uint16_t{0}};
      if (!held.contains(wanted)) lost.push_back({endpoint.network_id, endpoint.id, port});
    }
  }
  return lost;
}

}  // namespace fairlead::network
