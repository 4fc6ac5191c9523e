// WireGuard devices in memory, whose links are those of a FakeLinks.
// tests/conformance/wireguard_links checks that they behave as the kernel's do.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "network/kernel/tunnels/wireguard.h"
#include "tests/support/fake_links.h"

namespace fairlead::testing {

class FakeWireguardLinks : public kernel::WireguardLinks {
 public:
  explicit FakeWireguardLinks(FakeLinks& links) : links_(links) {}

  // The next call of the verb ("ensure") fails with this error and changes nothing.
  void fail_next(const std::string& verb, Error error);
  // Whether the kernel has WireGuard.
  void set_supported(bool supported);
  std::vector<Cidr> addresses(const IfName& name) const;
  // Acts as a peer that moved to another address and sends from there.
  void move_peer(const IfName& device, const kernel::PublicKey& peer,
                 const kernel::UdpEndpoint& to);
  // A stand-in for the X25519 public key: different private keys give different ones.
  static kernel::PublicKey public_key(const kernel::PrivateKey& key);

  Status probe() override;
  Result<kernel::WireguardLink> ensure(const kernel::WireguardLinkSpec& spec) override;
  Status remove(const IfName& name) override;
  Result<kernel::WireguardPeerChanges> set_peers(
      const IfName& device, std::span<const kernel::WireguardPeer> wanted) override;
  Result<kernel::WireguardLinkState> dump(const IfName& device) override;

 private:
  struct Device {
    int index = 0;
    kernel::WireguardLinkSpec spec;
    std::map<kernel::PublicKey, kernel::WireguardPeerState> peers;
  };

  Status enter(const std::string& verb);
  Status supported() const;
  Result<Device*> device(const IfName& name);
  static kernel::WireguardLinkState state_of(const Device& device);

  FakeLinks& links_;
  mutable std::mutex mutex_;
  std::map<std::string, Error> failures_;
  std::map<IfName, Device> devices_;
  bool supported_ = true;
};

}  // namespace fairlead::testing
