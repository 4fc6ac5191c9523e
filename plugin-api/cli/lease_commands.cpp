// Addresses: who has them, and for whom they are kept.
#include <algorithm>

#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/session.h"
#include "plugin-api/cli/text.h"

namespace fairlead::cli {

using native::Document;
using network::AddressLease;
using network::Network;
using network::NetworkText;

namespace {

Table table_of(const Session& session, const std::vector<AddressLease>& leases) {
  using enum Column::Fit;
  Table table(
      {{"ADDRESS"}, {"NETWORK", kShrink}, {"HOLDER", kShrink}, {"KEPT FOR", kShrink}, {"SINCE"}});
  for (const AddressLease& lease : leases)
    table.add({lease.address.to_string(), lease.network_name, lease.holder, lease.reserved_for,
               lease.since == 0 ? "" : ago(lease.since, session.context.now)});
  return table;
}

Status list(Session& session) {
  TRY(auto core, session.services());
  std::optional<network::NetworkRef> only;
  if (!session.line.network.empty()) only = NetworkText{session.line.network};
  TRY(const auto leases, core.networks->list_leases(only));
  if (session.line.json) {
    Document documents = Document::array();
    for (const AddressLease& lease : leases) documents.push_back(native::encode_lease(lease));
    session.print_json(documents);
  } else if (session.quiet()) {
    for (const AddressLease& lease : leases) session.print(lease.address.to_string());
  } else {
    session.print(table_of(session, leases));
  }
  return {};
}

Status show(Session& session, const Network& network) {
  if (session.line.json) session.print_json(native::encode_network(network));
  return {};
}

Status reserve(Session& session) {
  const auto& names = session.line.names;
  TRY(auto core, session.services());
  TRY(const auto address, IpAddress::parse(names[2]));
  TRY(const auto network, core.networks->reserve(NetworkText{names[0]}, {names[1], address}));
  return show(session, network);
}

// By its address, or by the name of the container, which may have several.
Status unreserve(Session& session) {
  const auto& names = session.line.names;
  TRY(auto core, session.services());
  const NetworkText ref{names[0]};
  TRY(auto network, core.networks->inspect_network(ref));
  std::vector<network::Reservation> ended = network.reservations;
  const auto address = IpAddress::parse(names[1]);
  std::erase_if(ended, [&](const network::Reservation& each) {
    return each.container != names[1] && !(address && each.address == *address);
  });
  if (ended.empty())
    return fail(Code::kNotFound,
                "nothing is kept for {}; `fairlead network inspect {}` shows what is", names[1],
                names[0]);
  for (const network::Reservation& each : ended) {
    TRY(network, core.networks->unreserve(ref, each.address));
  }
  return show(session, network);
}

}  // namespace

int network_reserve(Session& session) {
  const auto& names = session.line.names;
  return session.finish(
      fmt::format("keep {} of network {} for container {}", names[2], names[0], names[1]),
      reserve(session));
}

int network_unreserve(Session& session) {
  return session.finish(
      fmt::format("keep {} of network {} no longer", session.line.names[1], session.line.names[0]),
      unreserve(session));
}

int lease_list(Session& session) { return session.finish("list addresses", list(session)); }

int lease_remove(Session& session) {
  return session.for_each_name("free", [&](const std::string& name) -> Status {
    TRY(const auto address, IpAddress::parse(name));
    TRY(auto core, session.services_for_removal());
    TRY_STATUS(core.networks->release_lease(address, session.line.force));
    if (!session.quiet()) session.print(name);
    return {};
  });
}

}  // namespace fairlead::cli
