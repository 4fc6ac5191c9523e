// A host whose kernel is in memory, with the whole network service on it.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "base/hash.h"
#include "base/lock.h"
#include "network/drivers/registry.h"
#include "network/service/network_service.h"
#include "tests/support/failing_store.h"
#include "tests/support/fake_firewall.h"
#include "tests/support/fake_links.h"
#include "tests/support/fake_tunnels.h"

namespace fairlead::testing {

// Without entries; keeps what was to be forgotten.
class NoConntrack : public kernel::Conntrack {
 public:
  Result<std::size_t> forget(std::span<const kernel::FlowFilter> filters) override {
    const std::scoped_lock hold(guard_);
    asked_.insert(asked_.end(), filters.begin(), filters.end());
    return 0U;
  }
  std::vector<kernel::FlowFilter> take() {
    const std::scoped_lock hold(guard_);
    return std::exchange(asked_, {});
  }

 private:
  std::mutex guard_;
  std::vector<kernel::FlowFilter> asked_;
};

class AllPortsFree : public kernel::HostPorts {
 public:
  Status check_free(std::span<const kernel::HostPort>, const kernel::PortUser&) override {
    return {};
  }
  std::pair<std::uint16_t, std::uint16_t> ephemeral_range() override { return {32768, 60999}; }
};

class NoOtherFirewall : public kernel::ForeignFirewall {
 public:
  Result<kernel::ForeignReport> admit(const std::vector<IfName>&) override {
    return kernel::ForeignReport();
  }
  Result<kernel::ForeignReport> look() override { return kernel::ForeignReport(); }
  bool changed() override { return false; }
  Status withdraw() override { return {}; }
};

// Of names that have addresses here.
class FakeResolver : public kernel::Resolver {
 public:
  Result<kernel::ResolvedName> resolve(const std::string& name) override {
    ++questions;
    if (is_away)
      return fail(Code::kUnavailable, "no name server of the host has answered for {}", name);
    const auto known = names.find(name);
    if (known == names.end()) return fail(Code::kNotFound, "there is no name {}", name);
    return known->second;
  }

  std::map<std::string, kernel::ResolvedName> names;
  bool is_away = false;
  int questions = 0;
};

class FakeHost {
 public:
  // not an open descriptor: FakeLinks knows it by its number
  static constexpr int kNetns = 1'000'000;

  ~FakeHost() {
    close();
    std::filesystem::remove_all(folder);
  }

  // Opens the service; called again it acts as a restart. `cluster` may be nullptr.
  void open(network::cluster::ClusterClient* cluster = nullptr,
            network::OnTunnelMade on_tunnel_made = {}) {
    close();
    drivers = network::make_drivers({links, tunnels, boot_id, std::move(on_tunnel_made), mark});
    core = network::make_network_service({.store = store,
                                          .locks = locks,
                                          .drivers = drivers,
                                          .links = links,
                                          .firewall = firewall,
                                          .bridge_firewall = bridge_firewall,
                                          .conntrack = conntrack,
                                          .host_ports = ports,
                                          .foreign_firewall = foreign,
                                          .boot_id = boot_id,
                                          .unix_time = [this] { return now; },
                                          .cluster = cluster,
                                          .mark = mark,
                                          .resolver = &resolver});
    service = &core->networks();
  }
  // As after a reboot. (The links of the boot before are still there.)
  void open_in(std::string boot) {
    boot_id = std::move(boot);
    open();
  }
  void close() {
    service = nullptr;
    core.reset();
  }

  std::string boot_id = "boot-1";
  std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("fairlead-test-" + random_hex(8));
  FailingStore store;
  network::StoreMark mark;  // of the store, from the next open() on
  NamedLocks locks{folder.string()};
  FakeLinks links;
  FakeTunnels tunnels{links};
  FakeFirewall firewall;
  FakeFirewall bridge_firewall{{"fairlead", kernel::TableFamily::kBridge}};
  NoConntrack conntrack;
  FakeResolver resolver;
  AllPortsFree ports;
  NoOtherFirewall foreign;
  network::Drivers drivers;
  std::unique_ptr<network::CoreNetworkService> core;
  network::NetworkService* service = nullptr;  // of `core`
  long long now = 1'800'000'000;
};

}  // namespace fairlead::testing
