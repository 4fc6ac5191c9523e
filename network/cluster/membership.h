// Membership over the shared store.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "base/state/leases.h"
#include "network/cluster/fence.h"
#include "network/cluster/host_table.h"

namespace fairlead::network::cluster {

struct MembershipParts {
  state::Store& shared;
  state::Store& local;
  state::Leases& leases;
  HostInfo info;
  std::string boot_id;  // of this boot: base/host.h
};

// The stores, the leases and the fence must outlive the object.
class StoreMembership : public Membership {
 public:
  StoreMembership(MembershipParts parts, Fence& fence);
  ~StoreMembership() override;

  Result<MembershipState> join() override;
  Status join_again() override;
  Result<MembershipState> keep_alive() override;
  Status leave() override;
  Result<std::vector<Host>> hosts() override;
  Result<HostRemoval> remove_host(std::string_view host) override;
  bool is_holding() override;
  void release_hold() override;
  std::vector<std::string> problems() override;
  std::vector<std::string> unreadable() override;

 private:
  using StoredHost = std::optional<Stored<HostRecord>>;
  using StoredLive = std::optional<Stored<LiveRecord>>;

  HostTable::Now now() const;
  Result<ClusterMeta> ensure_meta(const MemberRecord& member);
  Result<MemberRecord> own_record();
  Result<StoredHost> host_record();
  Result<StoredLive> live_record();
  Status enter(const StoredHost& host, const StoredLive& live, const MemberRecord& member);
  Status check_life(const StoredHost& host, const StoredLive& live, const MemberRecord& member);
  HostRecord wanted_record(const StoredHost& host, std::uint64_t epoch) const;
  void note_intruder(const HostRecord& record);
  bool may_leave(const StoredHost& host, const StoredLive& live) const;
  Status save(const MemberRecord& member);
  Result<MembershipState> removed();
  Status drop_own(std::uint64_t epoch);  // deletes what this host owned under lower epochs
  Status follow_hosts();  // lists the hosts and watches them; again when a watch was lost
  Status start_watches();
  void on_events(const std::vector<state::Event>& events);

  // host_removal.cpp
  Result<Stored<HostRecord>> find_host(std::string_view host);
  bool came_back(const HostRecord& host) const;
  Result<HostRecord> fence_off(const Stored<HostRecord>& host);
  long long still_to_wait(const HostRecord& removed);

  MembershipParts parts_;
  Fence& fence_;
  std::mutex guard_;                     // one join, heartbeat or leave at a time
  std::string nonce_;                    // nonce of the live key that this process made
  std::uint64_t epoch_ = 0;              // of that live key
  std::optional<state::LeaseId> lease_;  // of that live key
  std::optional<std::chrono::milliseconds> refused_since_;  // by Clock::running

  std::mutex intruder_guard_;
  std::string intruder_;  // whose record stood in place of this host's, in words; empty: none
  std::chrono::milliseconds intruder_seen_{};  // by Clock::running

  std::mutex unreadable_guard_;
  std::map<std::string, std::string> unreadable_;  // by key, in words: those that are logged

  std::mutex removals_guard_;
  // By host id: the epoch of the removal, and when this process first saw it, by Clock::running.
  std::map<std::string, std::pair<std::uint64_t, std::chrono::milliseconds>> removals_;

  std::mutex table_guard_;
  HostTable table_;
  bool followed_ = false;  // the watches run, and have lost no events
  // The last member, because they call into the table.
  std::vector<std::unique_ptr<state::Watch>> watches_;
};

}  // namespace fairlead::network::cluster
