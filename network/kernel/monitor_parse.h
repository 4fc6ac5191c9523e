// What an event of the kernel means to Fairlead. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "network/kernel/monitor.h"
#include "network/kernel/netlink_parse.h"

namespace fairlead::kernel {

// RTNLGRP_LINK. Changes of links are told for bridges and for names that begin with "fl".
std::optional<KernelEvent> link_event(const MessageView& message);
// NFNLGRP_NFTABLES: what was changed in a transaction comes first, and then NFT_MSG_NEWGEN, which
// says who changed it. `table` is ours, in the family inet.
class TableEvents {
 public:
  explicit TableEvents(std::string table) : table_(std::move(table)) {}

  // The programs of Fairlead change the table all the time, by elements at each attach: those whose
  // name (/proc/<pid>/comm) begins like this are not reported. Not by process id: there are many of
  // them, and namespaces number them otherwise.
  static constexpr std::string_view kOwnPrograms = "fairlead";

  std::optional<KernelEvent> take(const MessageView& message);

 private:
  std::string table_;
  bool changed_ = false;  // ours, in the transaction that is being told
};

}  // namespace fairlead::kernel
