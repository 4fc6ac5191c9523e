// What a table does to packets, apart from the elements of its sets, as the kernel tells it. Pure
// functions; any bytes are safe to read.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace fairlead::kernel {

// By what people call them ("chain forward", "rules of chain forward", "set bridges"), the bytes
// that decide about packets. Not among them: handles, counters, numbers of users. Two tables of one
// kernel do the same when their shapes are equal; those of two kernels cannot be compared.
using TableShape = std::map<std::string, std::string>;

// NFT_MSG_NEWTABLE, NEWCHAIN, NEWRULE (in their order) and NEWSET of the table; others are passed
// over. Chains come before their rules.
Status add_to_shape(std::span<const std::uint8_t> message, std::string_view table,
                    TableShape& shape);

// The first difference in words ("altered rules of chain forward"); empty when there is none.
std::string first_difference(const TableShape& have, const TableShape& want);

}  // namespace fairlead::kernel
