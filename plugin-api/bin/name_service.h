// The name service of the daemon: answers the names of containers at the gateways of their networks, and tells the core
// where it does.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>

#include "network/api/names.h"
#include "network/dns/directory.h"
#include "network/dns/follow.h"
#include "network/dns/server.h"
#include "plugin-api/bin/core.h"
#include "plugin-api/bin/repair.h"

namespace fairlead {

// What runs until it is destroyed; then nobody is led to it any more.
class NameAnswering {
 public:
  // `port`: of each gateway, to which the firewall leads what is asked at port 53. `core` must outlive it.
  static Result<std::unique_ptr<NameAnswering>> start(Core& core, std::uint16_t port);
  ~NameAnswering();
  NameAnswering(const NameAnswering&) = delete;
  NameAnswering& operator=(const NameAnswering&) = delete;

  dns::ServerCounters counters() const { return server_->counters(); }

 private:
  explicit NameAnswering(Core& core);
  void tell();

  Core& core_;
  const std::unique_ptr<dns::Directory> directory_;
  std::mutex telling_, guard_;  // the second is of what is told
  network::NameServers told_{.running = true};
  // Telling takes the lock of networks, for which neither the server nor the follower waits.
  Periodic teller_;
  std::unique_ptr<dns::Server> server_;
  std::unique_ptr<dns::Follower> follower_;
};

}  // namespace fairlead
