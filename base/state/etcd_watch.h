// A watch of etcd: one stream at a time, followed from member to member.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/state/etcd_client.h"
#include "base/state/store.h"

namespace fairlead::state::etcd {

// Reports every commit after `after` once, whatever happens to members. Ends with kLost when they
// have forgotten some of it, when a commit is longer than what can be held, or when the cluster is
// another one (restored from a copy). Must not be destroyed from within its own callback.
class EtcdWatch : public Watch {
 public:
  struct Options {
    std::string root;  // is taken from the front of each key
    std::string key;   // with the root
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
  bool is_failing_ = false;  // and the log says so already
  std::string failure_;      // why the last stream ended
  std::jthread thread_;      // last: it stops before the rest goes away
};

}  // namespace fairlead::state::etcd
