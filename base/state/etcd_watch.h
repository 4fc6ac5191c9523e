// A watch of etcd. It reads one stream at a time, and goes on at another member when the stream
// breaks.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/state/etcd_client.h"
#include "base/state/store.h"

namespace fairlead::state::etcd {

// Reports every commit after `after` once, whatever happens to members. Ends with kLost when etcd
// has compacted commits that were not reported yet, when a commit is too long to be held, or when
// the cluster was replaced by another one (restored from a copy). Must not be destroyed from within
// its own callback.
class EtcdWatch : public Watch {
 public:
  struct Options {
    std::string root;  // is removed from the front of each reported key
    std::string key;   // begins with the root
    std::string range_end;
    std::int64_t after = 0;
  };
  EtcdWatch(std::shared_ptr<Client> client, Options options,
            std::function<void(const std::vector<Event>&)> on_events);

 private:
  enum class Next { kReconnect, kOver };

  void run(const std::stop_token& stop);
  Next follow_member(std::size_t member, const std::stop_token& stop);
  Next follow(Client::Stream& stream, const std::stop_token& stop);
  Next take(WatchAnswer answer, const std::string& token, const std::stop_token& stop);
  void take_events(std::vector<WatchEvent> events, const std::stop_token& stop);
  void take_heartbeat(std::int64_t revision);
  Next lose(std::string_view why);
  void note_failure(std::size_t member);
  std::chrono::milliseconds most_silence() const;

  std::shared_ptr<Client> client_;
  Options options_;
  std::function<void(const std::vector<Event>&)> on_events_;
  std::string cluster_id_;
  std::int64_t last_heartbeat_ = 0;  // revision of the heartbeat before this one
  bool has_heartbeats_ = false;
  bool is_open_ = false;     // the present stream was accepted
  bool is_failing_ = false;  // the failure has been logged
  std::string failure_;      // why the last stream ended
  std::jthread thread_;      // the last member: it stops before the others are destroyed
};

}  // namespace fairlead::state::etcd
