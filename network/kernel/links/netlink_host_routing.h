// HostRouting over rtnetlink and sysctl.
#pragma once

#include "network/kernel/links/answer_routes.h"
#include "network/kernel/links/host_routing.h"
#include "network/kernel/links/route_socket.h"

namespace fairlead::kernel {

class NetlinkHostRouting final : public HostRouting {
 public:
  NetlinkHostRouting(RouteSocket& socket, int netns_fd) : socket_(socket), netns_(netns_fd) {}

  Result<HostSubnets> host_subnets() override;
  Result<std::optional<Link>> default_route_link() override;
  Result<bool> is_forwarding(Family family) override;
  Result<bool> enable_forwarding(Family family) override;
  Result<std::optional<std::size_t>> neighbour_limit(Family family) override;
  Result<std::vector<std::string>> keep_router_advertisements(Hearing of) override;
  Result<RoutingView> routing_view() override;  // answer_routes.cpp
  Result<bool> set_answer_routes(std::span<const AnswerRoute> answers) override;

 private:
  Result<std::vector<int>> learned_from();
  Result<LinkDetails> find(int index);
  Result<std::vector<RuleDetails>> rules(Family family);
  Result<bool> fill_table(const AnswerRoute& answer);
  Status let_marks_count(const AnswerRoute& answer);

  RouteSocket& socket_;
  int netns_;  // borrowed
};

}  // namespace fairlead::kernel
