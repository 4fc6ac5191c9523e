// What the kernel of this host says of routes, links and addresses, to those who explain the way of a packet.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "network/explain/facts.h"
#include "network/kernel/links/route_lookups.h"

namespace fairlead::network {

// Of the network namespace of the thread that opens it. Not thread-safe.
class KernelFacts : public explain::Facts {
 public:
  static Result<std::unique_ptr<KernelFacts>> open();

  explain::Route route(const explain::RouteQuestion& question) const override;
  std::optional<explain::Route> route_inside(const std::string& netns_path,
                                             const IpAddress& to) const override;
  bool is_local(const IpAddress& address, std::string_view link) const override;
  std::string kind_of(std::string_view link) const override;
  bool forwards(Family family) const override;
  bool bridges_pass_packets(Family family) const override;
  bool is_isolated(std::string_view port) const override;

 private:
  explicit KernelFacts(std::unique_ptr<kernel::RouteLookups> host) : host_(std::move(host)) {}
  kernel::RouteLookups* inside(const std::string& netns_path) const;

  std::unique_ptr<kernel::RouteLookups> host_;
  // Those that were asked; nullptr: it cannot be looked into.
  mutable std::map<std::string, std::unique_ptr<kernel::RouteLookups>> inside_;
};

}  // namespace fairlead::network
