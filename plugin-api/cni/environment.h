// The CNI_* variables: what they are, which verb needs which, and what a valid value is.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/names.h"
#include "plugin-api/cni/failure.h"

namespace fairlead::cni {

// As the runtime set them. Empty = unset: libcni always sets all, with empty values where a verb
// has none.
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
  std::string_view header;  // its name when the thin client hands a call over, in lower case
  std::string Environment::*field;
};
std::span<const Variable> variables();

// `get` is getenv(3) or a test's table.
Environment read_environment(const std::function<const char*(const char*)>& get);

enum class Verb { kAdd, kDel, kCheck, kGc, kStatus, kVersion };

// What the environment asks for, checked. Fields that the verb does not use are empty.
struct Invocation {
  Verb verb = Verb::kVersion;
  ContainerId container;
  IfName ifname;
  std::string netns;
  bool own_netns_allowed = false;  // CNI_NETNS_OVERRIDE
};

// kEnvironment: an unknown command, missing variables (one message with all of them), a bad value.
Decoded<Invocation> check_environment(const Environment& environment);

}  // namespace fairlead::cni
