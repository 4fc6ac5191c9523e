// What each key of the configuration means, for fairlead.json(5). A test holds it against the keys
// that config.cpp reads.
#pragma once

#include <span>
#include <string_view>

namespace fairlead {

struct ConfigWords {
  std::string_view key;    // "log_level"; of an object in it "cluster.etcd"
  std::string_view value;  // what it is without the key, as JSON, or in words
  std::string_view meaning;
  bool at_reload = false;  // taken up by SIGHUP
};

std::span<const ConfigWords> config_words();

}  // namespace fairlead
