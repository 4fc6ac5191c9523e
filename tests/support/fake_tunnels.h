// Tunnels in memory, whose links are those of a FakeLinks. tests/conformance/tunnels checks that
// they behave as the kernel's do.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>

#include "network/kernel/tunnels/vxlan.h"
#include "network/kernel/tunnels/vxlan_plan.h"
#include "tests/support/fake_links.h"

namespace fairlead::testing {

class FakeTunnels : public kernel::Tunnels {
 public:
  explicit FakeTunnels(FakeLinks& links) : links_(links) {}

  // The next call of the verb ("ensure") fails with this error and changes nothing.
  void fail_next(const std::string& verb, Error error);
  // Adds an address of the host in the underlay.
  void add_underlay(const IpAddress& local, unsigned mtu);
  std::set<MacAddress> pinned(const IfName& port) const;

  Result<kernel::Tunnel> ensure(const kernel::VxlanSpec& spec) override;
  Status remove(const IfName& name) override;
  Result<unsigned> underlay_mtu(const IpAddress& local) override;
  Status pin(const IfName& port, const MacAddress& mac) override;
  Result<kernel::EntryChanges> apply(const IfName& device,
                                     std::span<const kernel::RemoteEntry> to_set,
                                     std::span<const kernel::RemoteEntry> to_remove) override;
  Result<std::vector<kernel::RemoteEntry>> dump(const IfName& device) override;
  Result<kernel::EntryChanges> sync(const IfName& device,
                                    std::span<const kernel::RemoteEntry> wanted) override;

 private:
  struct Device {
    int index = 0;
    kernel::VxlanSpec spec;
    kernel::EntryTables tables;
  };

  Status enter(const std::string& verb);
  Result<Device*> device(const IfName& name);
  static kernel::EntryChanges carry_out(Device& device, const kernel::EntryPlan& plan);

  FakeLinks& links_;
  mutable std::mutex mutex_;
  std::map<std::string, Error> failures_;
  std::map<IfName, Device> devices_;
  std::map<IpAddress, unsigned> underlay_;
  std::map<std::pair<int, MacAddress>, int> pins_;  // bridge and MAC -> port
};

}  // namespace fairlead::testing
