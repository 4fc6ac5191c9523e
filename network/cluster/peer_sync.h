// Keeps the peer table in step with the shared store. This is the work of Peers without its
// threads.
//
//   watch threads --events--> queue --step()--> table --differences--> apply
//
// A scope is a key prefix with its watch: "host/", and "in/<nid>/" for each attached network. A
// scope begins with the snapshot on disk, if there is one, and watches from the snapshot's
// revision. When there is no snapshot, or the store no longer has the revision, the scope lists its
// prefix, and watches from the revision of the list. A scope whose watch has lost events is listed
// again, and from time to time every scope is, in case events were lost unnoticed. A store whose
// revision went back was restored from a backup, and everything is listed at once. Only differences
// are passed to `apply`, and nothing is removed because of a single list (peer_table.h). A record
// that cannot be read is left out, and status() names it as long as it is there.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <stop_token>

#include "network/cluster/clock.h"
#include "network/cluster/peer_table.h"

namespace fairlead::network::cluster {

struct PeerOptions {
  HostInfo host;       // this one
  std::string folder;  // for snapshots; empty: no snapshots
  std::chrono::milliseconds debounce{5};
  // Entries in one call of `apply`; so many changes do not wait for the debounce.
  std::size_t batch = 512;
  std::chrono::milliseconds retry{1'000};  // after the store or `apply` failed
  std::chrono::milliseconds snapshots{30'000};
  // How often everything is listed; a random quarter more or less.
  std::chrono::milliseconds full_lists{300'000};
  // How often the store's revision is checked for having gone back.
  std::chrono::milliseconds looks{10'000};
  // Called with Peers::hosts() when they have changed, on the same thread as `apply`, and before
  // the entries of new hosts. After an error it is called again after `retry`.
  std::function<Status(const std::vector<HostInfo>&)> apply_hosts;
};

class PeerSync {
 public:
  PeerSync(state::Store& shared, PeerOptions options, Clock clock, Peers::Apply apply,
           Peers::Replace replace);
  ~PeerSync();

  // Thread-safe.
  void attach(const PeerNetwork& network);
  void set_local(const SharedEndpoint& endpoint);
  void drop_local(const std::string& network_id, const std::string& endpoint_id);
  void replace_local(const std::vector<SharedEndpoint>& endpoints);
  void detach(const std::string& network_id);
  void refresh(const std::string& network_id);
  std::vector<RemoteEntry> entries(const std::string& network_id);
  bool complete(const std::string& network_id);
  std::vector<HostInfo> hosts();
  PeerStatus status();
  Status save_snapshots();  // of the scopes that have changed; one thread at a time
  std::size_t queued();
  // Waits until something is queued, `most` has passed or a stop is requested.
  void wait(std::stop_token stop, std::chrono::milliseconds most);

  // Does everything that is due, and returns for how long nothing will be due unless something is
  // queued. One thread at a time.
  std::chrono::milliseconds step();

 private:
  using Time = std::chrono::milliseconds;
  struct Scope;
  struct Delivery {
    std::uint64_t watch = 0;  // its number; deliveries of earlier watches are ignored
    std::vector<state::Event> events;
  };
  // What is to be done on the thread of step().
  using Order = std::function<void()>;
  // How far the table has followed a scope. Under guard_, because another thread writes the
  // snapshots.
  struct Progress {
    std::int64_t revision = 0;
    bool changed = false;   // since the last snapshot was written
    bool is_whole = false;  // a list or a snapshot was loaded in full
    // From when on the changes since the snapshot count as received, too.
    std::optional<Time> ready;
    bool is_complete = false;  // and everything has been applied
  };

  void order(Order order);
  void add_scope(const PeerNetwork& network);  // an empty id: the hosts
  void drop_scope(const std::string& network_id);
  void adopt(Scope& scope);
  void take_orders();
  void take_deliveries();
  void take(Scope& scope, const Delivery& delivery);
  Status put_record(const std::string& network_id, const state::Record& record);
  void try_record(const std::string& network_id, const state::Record& record);
  void skip(const state::Record& record, const Error& error);
  Status take_member(const state::Record& record, PeerTable::Listed& into);
  void drop_record(const std::string& network_id, const state::Record& record);
  void look(Time now);
  void look_for_refusals(Time now);
  void sync(Scope& scope, Time now);
  Status resume(Scope& scope, Time now);
  Status start_watch(Scope& scope, std::int64_t after);
  Status list(Scope& scope, Time now);
  void replace(Scope& scope, Time now, std::int64_t revision,
               const std::vector<state::Record>& records);
  void flush_hosts(Time now);
  void flush(Time now);
  void complete_scopes(Time now);
  bool apply_changes(Time now);
  void refresh_due(Time now);
  Time jittered(Time period);
  Time until_due(Time now);
  std::string snapshot_path(const std::string& network_id) const;

  state::Store& shared_;
  const PeerOptions options_;
  const Clock clock_;
  const Peers::Apply apply_;
  const Peers::Replace replace_;

  // These belong to the thread that calls step().
  std::map<std::string, std::unique_ptr<Scope>> scopes_;  // by network id
  std::uint64_t next_watch_ = 1;
  std::optional<Time> dirty_since_;
  Time apply_not_before_{}, hosts_not_before_{};
  Time next_look_{}, next_refusals_{};
  bool may_refuse_ = false;  // something has changed since it was last looked for refusals
  std::optional<std::vector<HostInfo>> given_hosts_;
  // Requested refreshes: network id, and the time before which it is not tried.
  std::map<std::string, Time> refreshes_;
  std::minstd_rand random_{std::random_device{}()};

  std::mutex guard_;
  PeerTable table_;
  std::map<std::string, Progress> progress_;  // by network id
  PeerStatus counters_;
  std::map<std::string, std::string> unreadable_;  // by key, in words
  std::set<std::string> refused_;                  // in words
  bool hosts_changed_ = true;                      // since `apply_hosts` was last called

  std::mutex queue_guard_;
  std::condition_variable_any queue_changed_;
  std::deque<Delivery> queue_;
  std::deque<Order> orders_;
};

}  // namespace fairlead::network::cluster
