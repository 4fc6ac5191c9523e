// Opens the forward chains of other firewalls in nf_tables (foreign_chains.h says how), and closes
// them again.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/names.h"
#include "base/result.h"
#include "network/kernel/firewall/foreign_chains.h"
#include "network/kernel/firewall/socket.h"

namespace fairlead::kernel {

// Whose traffic has to pass, and the interfaces of the default routes.
struct Passage {
  std::vector<IfName> bridges;
  std::string uplink_v4, uplink_v6;
};

// A forward chain that drops what nobody accepts.
struct Obstacle {
  std::string chain;    // "inet mine, chain forward"
  std::string command;  // what opens it by hand; empty where that is not one command
  bool opened = false;  // by our rule
  std::string why{};    // it is not, in words; empty: nobody has tried
  bool owned = false;   // only the program that made the table may change it
};

// Works in the network namespace of the thread that uses it first. Not thread-safe.
class ForeignTables {
 public:
  // Describes the chains that matter, in a few words that change when they do; a dump of the
  // chains, without their rules. Chains that are jumped to and their rules are not looked at.
  Result<std::string> fingerprint();
  // Whether there are chains that only firewalld makes.
  Result<bool> has_firewalld();

  enum class Do { kOpen, kLook, kClose };
  // kOpen: opens the chains that drop, and takes our rules out of all others. kClose: takes all our
  // rules out. Each table is changed in one transaction of its own, and one that cannot be changed
  // is reported.
  Result<std::vector<Obstacle>> pass(Do what, const Passage& passage);

 private:
  using TableKey = std::pair<std::uint8_t, std::string>;
  struct Base {
    ForeignChain chain;
    Opening opening;
  };
  struct Table {
    std::vector<Base> bases;
    std::map<std::string, ForeignChain> chains;
  };

  Result<NetfilterSocket*> socket();
  Result<std::vector<ForeignChain>> chains();
  Result<std::vector<ForeignStep>> rules(const ForeignChain& chain);
  Result<std::vector<Obstacle>> try_pass(Do what, const Passage& passage);
  // Tables whose chains are asked by nobody.
  Result<std::set<TableKey>> dormant();
  Status look(const TableKey& key, Table& table);
  Result<std::vector<PassRule>> wanted(const TableKey& key, const Table& table,
                                       const Passage& passage);
  Status change(const Table& table, std::span<const PassRule> wanted);
  Status send(ForeignBatch batch);

  std::optional<NetfilterSocket> socket_;
};

}  // namespace fairlead::kernel
