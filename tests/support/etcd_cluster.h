// Runs real etcd on loopback, from Debian's etcd-server: one member or several, each a process that
// is killed, stopped and started again by its pid. Processes and data are removed with the object.
//
//   EtcdCluster etcd({.members = 3});
//   auto store = open_etcd_store({.endpoints = etcd.endpoints(), .prefix = etcd.new_prefix()});
//   etcd.kill(etcd.leader());
//
// Failures throw, which fails the test.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/state/etcd_store.h"

namespace fairlead::testing {

// A temporary folder that is removed with the object.
class EtcdFolder {
 public:
  EtcdFolder();
  EtcdFolder(const EtcdFolder&) = delete;
  EtcdFolder& operator=(const EtcdFolder&) = delete;
  ~EtcdFolder();
  std::string path(const std::string& name = "") const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

class EtcdCluster {
 public:
  struct Options {
    int members = 1;
    std::string heartbeat = "20", election = "200";  // milliseconds; etcd's defaults: 100, 1000
    std::string progress = "500ms";                  // of watches
    // When set, a folder of PEM files (ca.pem, server.pem, server.key, client.pem, client.key). The
    // members then require certificates of their clients.
    std::string certificates;
    // Where each member runs, when not on loopback in the present namespace: its address and its
    // network namespace (borrowed).
    struct Place {
      std::string address;
      int netns = -1;
    };
    std::vector<Place> places = {};
  };
  explicit EtcdCluster(Options options);
  EtcdCluster(const EtcdCluster&) = delete;
  EtcdCluster& operator=(const EtcdCluster&) = delete;
  ~EtcdCluster();

  std::vector<std::string> endpoints() const;
  std::string endpoint(int member) const;
  std::string new_prefix();  // a prefix that nobody has used

  void kill(int member);    // as a power cut
  void pause(int member);   // stops answering, keeps its connections
  void resume(int member);  // after pause
  void start(int member);   // after kill, with its data; returns before the member answers
  // Save and restore the data of a cluster of one member, which must not be running.
  void save_data();
  void restore_data();
  // Waits until all members that run answer and have the same leader.
  void wait_until_ready();
  // Waits until no member that answers has a leader.
  void wait_until_leaderless();
  // Compacts the history before the revision.
  void compact(std::int64_t revision);
  int leader();  // waits until there is one
  // Returns the body of the response; throws unless its status is 200. The body of an empty request
  // is "{}".
  std::string post(int member, const std::string& path, const std::string& body);

 private:
  struct Member {
    std::string name;
    std::string client_url, peer_url;
    pid_t pid = -1;
    bool is_paused = false;
  };
  std::vector<std::string> arguments_of(const Member& member) const;
  std::string new_url(int member, const char* scheme) const;
  bool try_to_start();
  bool is_dead(Member& member);
  void end_all();
  std::string log_of(const Member& member) const;
  std::unique_ptr<state::EtcdStore> open() const;  // over all members

  Options options_;
  EtcdFolder folder_;
  std::vector<Member> members_;
  int prefixes_ = 0;
};

}  // namespace fairlead::testing
