// What an event of the kernel means to Fairlead. Pure.
#pragma once

#include <optional>
#include <string_view>

#include "network/kernel/monitor.h"
#include "network/kernel/netlink_parse.h"

namespace fairlead::kernel {

// RTNLGRP_LINK. Changes of links are told for bridges and for names that begin with "fl".
std::optional<KernelEvent> link_event(const MessageView& message);
// NFNLGRP_NFTABLES. `table` is ours, in the family inet. New sets, maps, rules and elements are
// nobody's concern here.
std::optional<KernelEvent> table_event(const MessageView& message, std::string_view table);

}  // namespace fairlead::kernel
