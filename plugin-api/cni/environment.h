// The CNI_* variables: their names, which verb needs which, and their valid values.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/names.h"
#include "plugin-api/cni/failure.h"

namespace fairlead::cni {

// The variables as the runtime set them. Empty means unset, because libcni always sets all of them,
// with empty values where a verb has none.
struct Environment {
  std::string command;
  std::string container_id;
  std::string netns;
  std::string ifname;
  std::string args;
  std::string path;
  std::string netns_override;
};

struct Variable {
  std::string_view name;    // "CNI_COMMAND"
  std::string_view header;  // the header by which the thin client sends it, in lower case
  std::string Environment::*field;
};
std::span<const Variable> variables();

// `get` is getenv(3) or a test's table.
Environment read_environment(const std::function<const char*(const char*)>& get);

enum class Verb { kAdd, kDel, kCheck, kGc, kStatus, kVersion };

// The checked content of the environment. Fields that the verb does not use are empty.
struct Invocation {
  Verb verb = Verb::kVersion;
  ContainerId container;
  IfName ifname;
  std::string netns;
  bool own_netns_allowed = false;  // CNI_NETNS_OVERRIDE
};

// kEnvironment for an unknown command, for missing variables (one message names all of them) and
// for bad values.
Decoded<Invocation> check_environment(const Environment& environment);

}  // namespace fairlead::cni
