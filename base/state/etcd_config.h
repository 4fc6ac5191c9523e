// The configuration of the connection to etcd.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace fairlead::state {

struct EtcdConfig {
  // URLs such as "https://10.0.0.1:2379". The first one is asked first; it should be the host's own
  // member, if it has one.
  std::vector<std::string> endpoints;
  std::string prefix = "/fairlead/v1/default/";  // of every key; begins and ends with '/'

  // PEM files, read anew for each connection. When a user and a password are configured, the
  // certificate must have an empty common name: etcd's gateway refuses any other.
  std::string ca_file;           // empty: the certificates of the system
  std::string certificate_file;  // empty: none
  std::string key_file;

  std::string user;           // empty: no authentication
  std::string password_file;  // its first line is the password; readable by its owner only

  // After `call_timeout` a member counts as silent, and another one is asked; after `deadline` the
  // call fails. (A member that has lost its leader answers after 7 s.)
  std::chrono::milliseconds call_timeout{1000};
  std::chrono::milliseconds deadline{5000};

  // How often the members tell idle watches that they are alive (etcd's
  // --experimental-watch-progress-notify-interval; its own default of 10 minutes is too long). A
  // stream that stays silent for three times as long is replaced, once it has sent a first progress
  // heartbeat. 0: streams are never replaced for silence.
  std::chrono::milliseconds progress_interval{5000};
};

}  // namespace fairlead::state
