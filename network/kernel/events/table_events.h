// Turns messages of nf_tables into events for Fairlead. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "network/kernel/events/monitor.h"
#include "network/kernel/netlink/messages.h"

namespace fairlead::kernel {

// Reads the messages of NFNLGRP_NFTABLES. The changes of a transaction come first, and then
// NFT_MSG_NEWGEN, which names the process that made them. `table` is the name of Fairlead's tables,
// in the families inet and bridge.
class TableEvents {
 public:
  explicit TableEvents(std::string table) : table_(std::move(table)) {}

  // Fairlead's own programs change elements of the table at each attach. Changes by a process whose
  // name (/proc/<pid>/comm) begins like this are not reported. Process ids would not do: there are
  // many such processes, and other pid namespaces number them differently.
  static constexpr std::string_view kOwnPrograms = "fairlead";

  std::optional<KernelEvent> take(const MessageView& message);

 private:
  std::string table_;
  bool changed_ = false;  // the current transaction has changed table_
  bool told_ = false;     // and it was told that it has changed another table
};

}  // namespace fairlead::kernel
