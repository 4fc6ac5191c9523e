// How etcd is reached.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace fairlead::state {

struct EtcdConfig {
  // "https://10.0.0.1:2379", the one to ask first at the front (the host's own member, if it has
  // one).
  std::vector<std::string> endpoints;
  std::string prefix = "/fairlead/v1/default/";  // of all our keys; begins and ends with '/'

  // PEM files, read anew for each connection. With user and password in etcd the certificate must
  // have an empty common name: etcd refuses any other at its gateway.
  std::string ca_file;           // empty: those of the system
  std::string certificate_file;  // empty: none
  std::string key_file;

  std::string user;           // empty: no authentication
  std::string password_file;  // its first line; readable by its owner only

  // After `call_timeout` a member counts as silent, and another one is asked; after `deadline` the
  // call fails. (A member that has lost its leader answers after 7 s.)
  std::chrono::milliseconds call_timeout{1000};
  std::chrono::milliseconds deadline{5000};

  // How often the members tell idle watches that they are alive (etcd's
  // --experimental-watch-progress-notify-interval; its own default of 10 minutes is too long). A
  // stream without a word for three times as long is replaced, once a first heartbeat was seen. 0:
  // never.
  std::chrono::milliseconds progress_interval{5000};
};

}  // namespace fairlead::state
