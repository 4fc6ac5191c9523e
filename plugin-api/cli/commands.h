// The commands as a table: name, help and which options each takes. parse.cpp turns a row into a
// parser.
#pragma once

#include <span>
#include <string_view>

namespace fairlead::cli {

class Session;

// Which arguments and options a command takes, or'ed together.
enum Takes : unsigned {
  kNothing = 0,
  kName = 1 << 0,   // one NAME, may be left out
  kNames = 1 << 1,  // NAME...
  kForce = 1 << 2,  // -f: what is missing is no error
  kNoTrunc = 1 << 3,
  kFilter = 1 << 4,
  kNetworkFilter = 1 << 5,
  kNetworkSpec = 1 << 6,  // the options of network create
  kOptions = 1 << 7,      // -o k=v --label k=v
};

// `group` is "network" for `network ls`; empty for commands of their own.
struct Command {
  std::string_view group, name, alias, summary, argument;
  unsigned takes;
  std::string_view examples;  // one a line
  int (*run)(Session&);       // returns an exit code
};

struct Group {
  std::string_view name, summary;
};

std::span<const Command> commands();
std::span<const Group> groups();

int network_list(Session& session);
int network_inspect(Session& session);
int network_create(Session& session);
int network_remove(Session& session);
int endpoint_list(Session& session);
int endpoint_inspect(Session& session);
int endpoint_remove(Session& session);
int port_list(Session& session);
int volume_list(Session& session);
int volume_inspect(Session& session);
int volume_create(Session& session);
int volume_remove(Session& session);
int show_status(Session& session);
int run_reconcile(Session& session);
int show_version(Session& session);

}  // namespace fairlead::cli
