// Makes the kernel match the store, wholly or where an event has told of damage, and reports the same
// differences.
#pragma once

#include <chrono>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/rate_limit.h"
#include "network/service/addresses.h"
#include "network/service/claim_audit.h"
#include "network/service/collector.h"
#include "network/service/mender.h"
#include "network/service/other_firewalls.h"
#include "network/service/ports.h"
#include "network/service/removal.h"
#include "network/service/service_context.h"
#include "network/service/sorted_status.h"
#include "network/service/surroundings.h"
#include "network/service/underlay.h"

namespace fairlead::network {

class Reconciler : public Mender {
 public:
  struct With {
    Addresses& addresses;
    Removal& removal;
    Collector& collector;
    Ports& ports;
    Underlay& underlay;
    OtherFirewalls& other_firewalls;
    Surroundings& surroundings;
  };
  Reconciler(ServiceContext& context, const With& with)
      : context_(context),
        addresses_(with.addresses),
        removal_(with.removal),
        collector_(with.collector),
        ports_(with.ports),
        underlay_(with.underlay),
        other_firewalls_(with.other_firewalls),
        surroundings_(with.surroundings) {}

  Result<ReconcileReport> reconcile();
  Result<ServiceStatus> status();
  Result<SortedStatus> sorted_status();
  Result<ReconcileReport> mend(const Damage& damage) override;
  Result<ReconcileReport> look_around() override;

 private:
  // reconcile.cpp
  Status ensure_links(Driver& driver, Network& network);
  // What becomes of a network in another phase than kReady. With the lock of all networks held it
  // was left by a crash, and goes; without, a call may be creating or removing it at this moment.
  enum class Unfinished { kRemove, kLeave };
  void tidy_network(const Network& network, Unfinished unfinished, ReconcileReport& report);
  void tidy_endpoint(LockedNetwork& held, const Endpoint& endpoint, ReconcileReport& report);
  void tidy_ports(const Network& network, ReconcileReport& report);
  void tidy_orphans(const std::vector<Network>& networks, ReconcileReport& report);
  void regain_claims(ReconcileReport& report);
  Result<std::vector<state::Record>> list_claims();
  Result<std::vector<LostClaim>> find_lost_claims();
  Result<bool> regain_claim(const LostClaim& lost);
  void tidy_pools(const std::vector<Network>& networks, ReconcileReport& report);
  void tidy_links(ReconcileReport& report);
  Result<std::set<std::string>> recorded_links();
  struct LeftLink {
    Driver* driver = nullptr;
    IfName name;
  };
  Result<std::vector<LeftLink>> left_links();

  // status.cpp
  Status look_for_lost_claims(ServiceStatus& status);
  Status look_for_left_links(SortedStatus& sorted);
  Status look_for_overlaps(const std::vector<Network>& networks, SortedStatus& sorted);
  Status look_for_strays(const Network& network, ServiceStatus& status);
  void look_for_missing(const Network& network, ServiceStatus& status);

  // mend.cpp
  // kPerhapsStale: a call was at work on a network, whose changes the table may lack.
  enum class TableState { kRight, kPerhapsStale, kWrong };
  TableState mend_table(const std::vector<Network>& networks, std::chrono::milliseconds most_wait,
                        ReconcileReport& report);
  void forget_flows();
  void mend_links(const Network& listed, std::span<const LinkDamage> damages,
                  ReconcileReport& report);
  Status mend_link(LockedNetwork& held, const LinkDamage& damage, ReconcileReport& report);
  void follow_routes(ReconcileReport& report);
  void mend_uplinks(const std::vector<Network>& networks, ReconcileReport& report);
  void note_mended(ReconcileReport& report, std::string action);

  ServiceContext& context_;
  Addresses& addresses_;
  Removal& removal_;
  Collector& collector_;
  Ports& ports_;
  Underlay& underlay_;
  OtherFirewalls& other_firewalls_;
  Surroundings& surroundings_;
  std::mutex log_guard_;
  // Somebody may break something many times in a second.
  RateLimit mended_log_{30, std::chrono::seconds(10)};
};

}  // namespace fairlead::network
