// Tunnels over rtnetlink. vxlan.cpp has the devices, vxlan_entries.cpp the entries.
#pragma once

#include "network/kernel/links/device.h"
#include "network/kernel/links/route_socket.h"
#include "network/kernel/tunnels/vxlan.h"
#include "network/kernel/tunnels/vxlan_plan.h"

namespace fairlead::kernel {

inline constexpr DeviceKind kVxlanDevice{.kind = "vxlan", .noun = "tunnel", .other = "no tunnel"};

class NetlinkTunnels final : public Tunnels {
 public:
  NetlinkTunnels(NetlinkSocket devices, NetlinkSocket entries)
      : socket_(std::move(devices)), entries_(std::move(entries)) {}

  Result<Tunnel> ensure(const VxlanSpec& spec) override;
  Status remove(const IfName& name) override;
  Result<unsigned> underlay_mtu(const IpAddress& local) override;
  Status pin(const IfName& port, const MacAddress& mac) override;
  Result<EntryChanges> apply(const IfName& device, std::span<const RemoteEntry> to_set,
                             std::span<const RemoteEntry> to_remove) override;
  Result<std::vector<RemoteEntry>> dump(const IfName& device) override;
  Result<EntryChanges> sync(const IfName& device, std::span<const RemoteEntry> wanted) override;

 private:
  Status make(const VxlanSpec& spec, std::string_view what);
  Status mend(const VxlanSpec& spec, const LinkDetails& present);
  Error explain_taken_vni(const VxlanSpec& spec, Error error);

  Result<int> index_of(const IfName& device);
  Status carry_out(const IfName& device, int index, const EntryPlan& plan, EntryChanges& changes);
  Status read_neighbours(int index, EntryTables& tables);
  Status read_forwarding(int index, EntryTables& tables);
  // Reads the forwarding entries of the MACs of `entries` only, because a device may have very
  // many.
  Status look_up_forwarding(int index, std::span<const RemoteEntry> entries, EntryTables& tables);
  Result<EntryTables> read_tables(int index);

  // Devices and pin() have their own socket, so that they do not wait for a change of a hundred
  // thousand entries.
  RouteSocket socket_;
  RouteSocket entries_;
  Devices devices_{socket_, kVxlanDevice};
};

}  // namespace fairlead::kernel
