// The life of a virtual device: found, made, corrected, deleted. Bridges, tunnels and WireGuard
// devices differ in what they are made of, and not in this.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/ip.h"
#include "base/names.h"
#include "network/kernel/links/route_socket.h"

namespace fairlead::kernel {

// One kind of device, in the words of its errors.
struct DeviceKind {
  std::string_view kind;      // of the kernel (IFLA_INFO_KIND)
  std::string_view noun;      // "tunnel", as in "make tunnel NAME: ..."
  std::string_view other;     // "no tunnel": what an interface of another kind is
  std::string_view advice{};  // ends the error about such an interface
};

struct Device {
  LinkDetails link;  // as it was before it was corrected
  bool made = false;
};

// What is particular about one device.
struct DeviceSteps {
  std::string making;                            // "make tunnel NAME ...", for errors
  std::function<bool(const LinkDetails&)> fits;  // false: it is deleted and made again
  std::function<Status()> make;
  std::function<Status(const LinkDetails&)> mend;
};

// The devices of one kind. As thread-safe as its socket; of two who make one device at a time, one
// gets the kernel's EEXIST.
class Devices {
 public:
  Devices(RouteSocket& socket, const DeviceKind& kind) : socket_(socket), kind_(kind) {}

  // The device, which may be missing. kExists when an interface of another kind has the name.
  Result<std::optional<LinkDetails>> find(const IfName& name);
  // The device, which has to be there: kNotFound, or kInvalid when it is of another kind.
  Result<LinkDetails> expect(const IfName& name);
  // Makes the device unless it is there, then corrects it. A device that was made and could not be
  // corrected is deleted.
  Result<Device> ensure(const IfName& name, const DeviceSteps& steps);
  // Succeeds when it is already gone. kExists when an interface of another kind has the name.
  Status remove(const IfName& name);

  // kExists when the link is of another kind.
  Status check(const IfName& name, const LinkDetails& present) const;

 private:
  bool is_one(const LinkDetails& details) const { return details.link.kind == kind_.kind; }
  std::string describe(std::string_view verb, const IfName& name) const;
  Result<LinkDetails> make(const IfName& name, const DeviceSteps& steps);

  RouteSocket& socket_;
  const DeviceKind& kind_;
};

// The settings that every link has.
struct LinkSettings {
  unsigned mtu = 0;
  std::string_view alias;
  std::optional<MacAddress> mac{};
  std::optional<int> master{};
};
// Puts the settings that the present link lacks into a change of it; false when it has them all.
bool put_difference(NetlinkMessage& change, const LinkSettings& wanted, const Link& present);

// Says of an EADDRINUSE of a tunnel that the UDP port is another program's.
Status explain_taken_port(std::uint16_t port, Status done);

// The change that keeps a link from getting a link-local address when it goes up. A kernel without
// IPv6 (EAFNOSUPPORT) makes no such addresses either.
NetlinkStep no_link_local(int index, std::string what);
// Whether a link would get one.
bool makes_link_local(const LinkDetails& present);

}  // namespace fairlead::kernel
