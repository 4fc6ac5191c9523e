// One element of a set or map of a table, and its two encodings: nft text, and the bytes of the
// kernel's registers.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/ip.h"
#include "base/names.h"
#include "network/api/types.h"
#include "network/kernel/firewall/firewall.h"
#include "network/nat/nat.h"

namespace fairlead::nat {

struct Vni {
  std::uint32_t number = 0;
};

// An address as ICMP carries it, for which nft has no type.
struct RawAddress {
  IpAddress address;
};

// Of a packet and of a flow.
struct Mark {
  std::uint32_t number = 0;
};

struct ProtoRange {
  std::uint8_t first = 0, last = 255;
};

// All interfaces whose names begin so.
struct Beginning {
  IfName name;
};

using Field =
    std::variant<Family, network::Proto, std::uint16_t, Vni, IpAddress, Cidr, IfName, MacAddress,
                 RawAddress, AddressRange, ProtoRange, network::PortRange, Mark, Beginning>;

struct Entry {
  std::string set;
  std::vector<Field> key;
  std::vector<Field> data{};  // empty for sets and verdict maps
  std::optional<kernel::Verdict> verdict{};
};

std::string to_text(const AddressRange& range);       // "10.1.0.0/24", "10.1.0.2-10.1.0.9"
std::string to_text(const kernel::Verdict& verdict);  // "goto routed_only"
// Whether to_text() means the same to nft: not with a name from an old record that would end or
// widen it there. Such entries are given to the kernel as elements alone.
bool has_text(const Entry& entry);
std::string to_text(const Entry& entry);  // "tcp . 8080 : 10.1.0.2 . 80"
kernel::Element to_element(const Entry& entry);

// The elements that a network, a published port, a confined or reporting endpoint, the underlay, the host and a
// sender have in their table.
std::vector<Entry> entries_of(const NatNetwork& network);
std::vector<Entry> entries_of(const NatPort& port);
std::vector<Entry> entries_of(const NatConfined& confined);
std::vector<Entry> entries_of(const NatReporter& reporter);
std::vector<Entry> entries_of(const NatUnderlay& underlay);
std::vector<Entry> entries_of(const NatHost& host);
std::vector<Entry> entries_of(const NatSender& sender);
// All of one table.
std::vector<Entry> entries_of(const NatState& state, kernel::TableFamily family);

}  // namespace fairlead::nat
