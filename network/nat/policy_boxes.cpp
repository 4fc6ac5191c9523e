#include "network/nat/policy_boxes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace fairlead::nat {

namespace {

__extension__ using Number = unsigned __int128;  // an address of either family, a protocol, a port

struct Span {
  Number first = 0, last = 0;
  auto operator<=>(const Span&) const = default;
};

// Source, destination, protocol, port.
constexpr std::size_t kDimensions = 4;
using Box = std::array<Span, kDimensions>;

constexpr Span kEveryPort{0, 65535};

Number number_of(const IpAddress& address) {
  Number number = 0;
  for (const std::uint8_t byte : address.bytes()) number = number << 8 | byte;
  return number;
}

IpAddress address_of(Family family, Number number) {
  std::array<std::uint8_t, 16> bytes{};
  const std::size_t size = family == Family::kV4 ? 4 : 16;
  for (std::size_t at = size; at-- > 0; number >>= 8) bytes[at] = static_cast<std::uint8_t>(number);
  return IpAddress::from_bytes(family, {bytes.data(), size});
}

bool meets(const Box& a, const Box& b) {
  for (std::size_t i = 0; i < kDimensions; ++i)
    if (a[i].last < b[i].first || b[i].last < a[i].first) return false;
  return true;
}

// What is left of the box without the other one: what lies before and behind it in each dimension.
void subtract(Box box, const Box& cut, std::vector<Box>& into) {
  if (!meets(box, cut)) return into.push_back(box);
  for (std::size_t i = 0; i < kDimensions; ++i) {
    if (box[i].first < cut[i].first) {
      into.push_back(box);
      into.back()[i].last = cut[i].first - 1;
      box[i].first = cut[i].first;
    }
    if (cut[i].last < box[i].last) {
      into.push_back(box);
      into.back()[i].first = cut[i].last + 1;
      box[i].last = cut[i].last;
    }
  }
}

std::vector<Box> without(std::vector<Box> boxes, const std::vector<Box>& cuts) {
  std::vector<Box> rest;
  for (const Box& cut : cuts) {
    rest.clear();
    for (const Box& box : boxes) subtract(box, cut, rest);
    boxes.swap(rest);
    if (boxes.empty()) break;
  }
  return boxes;
}

// How many of the dimensions are wider: those that hold others come first, which then vanish.
bool is_wider(const Box& a, const Box& b) {
  for (std::size_t i = 0; i < kDimensions; ++i) {
    const Number of_a = a[i].last - a[i].first, of_b = b[i].last - b[i].first;
    if (of_a != of_b) return of_a > of_b;
  }
  return a < b;
}

// Each box with each other one.
void part(std::vector<Box> boxes, std::vector<Box>& into) {
  std::ranges::sort(boxes, is_wider);
  boxes.erase(std::unique(boxes.begin(), boxes.end()), boxes.end());
  std::vector<Box> apart;
  for (const Box& box : boxes) {
    const auto rest = without({box}, apart);
    apart.insert(apart.end(), rest.begin(), rest.end());
  }
  into.insert(into.end(), apart.begin(), apart.end());
}

// Boxes that cannot meet in one dimension are not compared, so that many pairs of single addresses are no work.
void part(std::vector<Box> boxes, std::size_t dimension, std::vector<Box>& into) {
  if (boxes.size() < 2 || dimension == kDimensions) return part(std::move(boxes), into);
  std::ranges::sort(boxes, {}, [&](const Box& box) { return box[dimension].first; });
  for (auto first = boxes.begin(); first != boxes.end();) {
    Number last = (*first)[dimension].last;
    auto end = std::next(first);
    for (; end != boxes.end() && (*end)[dimension].first <= last; ++end)
      last = std::max(last, (*end)[dimension].last);
    part(std::vector<Box>(first, end), dimension + 1, into);
    first = end;
  }
}

// The same points in boxes that do not meet.
std::vector<Box> disjoint(std::vector<Box> boxes) {
  std::vector<Box> apart;
  part(std::move(boxes), 0, apart);
  return apart;
}

Span span_of(const AddressRange& range) { return {number_of(range.first), number_of(range.last)}; }

std::vector<Box> boxes_of(const std::vector<NatPolicy>& policies, Family family, bool to_host,
                          bool allow) {
  const auto is_of = [&](const AddressRange& range) { return range.first.family() == family; };
  std::vector<Box> boxes;
  for (const NatPolicy& policy : policies) {
    if (policy.allow != allow || policy.to_host != to_host) continue;
    for (const AddressRange& from : policy.from) {
      if (!is_of(from)) continue;
      for (const NatService& service : policy.services) {
        const Span proto{service.first_proto, service.last_proto};
        const Span port{service.first_port, service.last_port};
        if (to_host) boxes.push_back({span_of(from), Span{}, proto, port});
        if (to_host) continue;
        for (const AddressRange& to : policy.to)
          if (is_of(to)) boxes.push_back({span_of(from), span_of(to), proto, port});
      }
    }
  }
  return boxes;
}

bool has_ports(Number proto) { return proto == 6 || proto == 17 || proto == 132; }

class Writer {
 public:
  Writer(Family family, bool to_host, std::vector<Entry>& entries)
      : family_(family), to_host_(to_host), entries_(entries) {}

  void write(const std::vector<Box>& boxes, bool allow) {
    for (const Box& box : boxes) {
      if (box[3] == kEveryPort) {
        add("", box, allow);
        continue;
      }
      for (Number proto = box[2].first; proto <= box[2].last; ++proto)
        if (has_ports(proto)) add_ports(box, proto, allow);
    }
  }

 private:
  void add_ports(Box box, Number proto, bool allow) {
    box[2] = {proto, proto};
    add("_ports", box, allow);
  }

  AddressRange range(const Span& span) const {
    return {address_of(family_, span.first), address_of(family_, span.last)};
  }

  void add(std::string_view kind, const Box& box, bool allow) {
    Entry entry{.set = fmt::format("policy{}{}_v{}", to_host_ ? "_host" : "", kind,
                                   static_cast<int>(family_)),
                .key = {range(box[0])}};
    if (!to_host_) entry.key.emplace_back(range(box[1]));
    entry.key.emplace_back(ProtoRange{static_cast<std::uint8_t>(box[2].first),
                                      static_cast<std::uint8_t>(box[2].last)});
    if (!kind.empty())
      entry.key.emplace_back(network::PortRange{static_cast<std::uint16_t>(box[3].first),
                                                static_cast<std::uint16_t>(box[3].last)});
    using Kind = kernel::Verdict::Kind;
    entry.verdict = kernel::Verdict{.kind = Kind::kDrop};
    if (allow) entry.verdict->kind = Kind::kAccept;
    if (allow && !to_host_)
      entry.verdict = kernel::Verdict{.kind = Kind::kGoto, .chain = "permitted"};
    entries_.push_back(std::move(entry));
  }

  const Family family_;
  const bool to_host_;
  std::vector<Entry>& entries_;
};

}  // namespace

std::vector<Entry> entries_of(const std::vector<NatPolicy>& policies) {
  std::vector<Entry> entries;
  for (const Family family : {Family::kV4, Family::kV6}) {
    const std::size_t before = entries.size();
    for (const bool to_host : {false, true}) {
      const auto denied = disjoint(boxes_of(policies, family, to_host, false));
      const auto allowed = without(disjoint(boxes_of(policies, family, to_host, true)), denied);
      Writer writer(family, to_host, entries);
      writer.write(denied, false);
      writer.write(allowed, true);
    }
    if (entries.size() > before) entries.push_back({.set = "policies", .key = {family}});
  }
  return entries;
}

}  // namespace fairlead::nat
