// The agent's work without its threads.
//
//   watch threads --events--> queue --step()--> table --differences--> apply
//
// A scope is a prefix with its watch: "host/", and "ep/<nid>/" of each attached network. It begins
// with the snapshot on disk, if there is one, and watches from its revision; when the store has
// forgotten that, or there is no snapshot, it lists and watches from there. What a watch lost is
// listed again, and every so often everything is, in case something was lost in silence. A store
// whose revision went back was restored from a backup: everything is listed at once. Only
// differences come out, and nothing is removed because of one list alone (peer_table.h).
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <random>
#include <stop_token>

#include "network/cluster/clock.h"
#include "network/cluster/peer_table.h"

namespace fairlead::network::cluster {

struct PeerOptions {
  std::string host_id;
  std::string folder;  // of snapshots; empty: none
  std::chrono::milliseconds debounce{5};
  std::size_t batch = 512;                 // entries in one call of `apply`; so many do not wait
  std::chrono::milliseconds retry{1'000};  // after the store or `apply` failed
  std::chrono::milliseconds snapshots{30'000};
  std::chrono::milliseconds full_lists{300'000};  // a quarter more or less, by chance
  std::chrono::milliseconds looks{10'000};        // whether the store's revision went back
  // Told Peers::hosts() when they have changed, in the same thread as `apply` and before the
  // entries behind them; after an error again a second later.
  std::function<Status(const std::vector<HostInfo>&)> apply_hosts;
};

class PeerSync {
 public:
  PeerSync(state::Store& shared, PeerOptions options, Clock clock, Peers::Apply apply,
           Peers::Replace replace);
  ~PeerSync();

  // Thread-safe.
  void attach(const std::string& network_id);
  void detach(const std::string& network_id);
  void refresh(const std::string& network_id);
  std::vector<RemoteEntry> entries(const std::string& network_id);
  bool complete(const std::string& network_id);
  std::vector<HostInfo> hosts();
  PeerStatus status();
  Status save_snapshots();  // of what changed; one thread at a time
  std::size_t queued();
  // Waits until something is queued, `most` has passed or a stop is asked for.
  void wait(std::stop_token stop, std::chrono::milliseconds most);

  // Does what is due and returns how long nothing more will be, unless something is queued. One
  // thread at a time.
  std::chrono::milliseconds step();

 private:
  using Time = std::chrono::milliseconds;
  struct Scope;
  struct Delivery {
    std::uint64_t watch = 0;  // its number: what an earlier watch still says does not count
    std::vector<state::Event> events;
  };
  struct Order {
    enum class Kind { kAttach, kDetach, kRefresh };
    std::string network_id;
    Kind kind = Kind::kAttach;
  };
  // How far the table follows a scope. Guarded, because snapshots are written by another thread.
  struct Progress {
    std::int64_t revision = 0;
    bool changed = false;       // since the last snapshot
    bool is_whole = false;      // nothing is missing but what changed since a snapshot
    std::optional<Time> ready;  // when what changed since will have come, too
    bool is_complete = false;   // and has been given
  };

  void order(const std::string& network_id, Order::Kind kind);
  void add_scope(const std::string& network_id);  // empty: the hosts
  void drop_scope(const std::string& network_id);
  void adopt(Scope& scope);
  void take_orders();
  void take_deliveries();
  void take(Scope& scope, const Delivery& delivery);
  Status put_record(const std::string& network_id, const state::Record& record);
  void drop_record(const std::string& network_id, const state::Record& record);
  void look(Time now);
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

  // The stepping thread's own.
  std::map<std::string, std::unique_ptr<Scope>> scopes_;  // by network id
  std::uint64_t next_watch_ = 1;
  std::optional<Time> dirty_since_;
  Time apply_not_before_{}, hosts_not_before_{};
  Time next_look_{};
  std::optional<std::vector<HostInfo>> given_hosts_;
  std::map<std::string, Time> refreshes_;  // asked for, by network id; not before
  std::minstd_rand random_{std::random_device{}()};

  std::mutex guard_;
  PeerTable table_;
  std::map<std::string, Progress> progress_;  // by network id
  PeerStatus counters_;
  bool hosts_changed_ = true;  // since they were given

  std::mutex queue_guard_;
  std::condition_variable_any queue_changed_;
  std::deque<Delivery> queue_;
  std::deque<Order> orders_;
};

}  // namespace fairlead::network::cluster
