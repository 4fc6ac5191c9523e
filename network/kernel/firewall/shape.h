// What a table does to packets, apart from the elements of its sets, in the form in which the
// kernel lists it. Pure functions; any bytes are safe to read.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace fairlead::kernel {

// The parts of a table by their names for people ("chain forward", "rules of chain forward", "set
// bridges"), each with those bytes that decide about packets; handles, counters and numbers of
// users are left out. Two tables of the same kernel do the same when their shapes are equal; the
// shapes of two kernels cannot be compared.
using TableShape = std::map<std::string, std::string>;

// Adds one message of the table: NFT_MSG_NEWTABLE, _NEWCHAIN, _NEWRULE (the rules of a chain in
// their order) or _NEWSET. Other messages and other tables are ignored.
Status add_to_shape(std::span<const std::uint8_t> message, std::string_view table,
                    TableShape& shape);

// The first difference in words ("altered rules of chain forward"); empty when there is none.
std::string first_difference(const TableShape& have, const TableShape& want);

}  // namespace fairlead::kernel
