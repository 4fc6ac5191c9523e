// What a table does to packets, apart from the elements of its sets, in the form in which the
// kernel lists it. Pure functions; any bytes are safe to read.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace fairlead::kernel {

// Of each part those bytes that decide about packets; handles, counters and numbers of users are
// left out. Two tables of the same kernel do the same when their shapes are equal; the shapes of
// two kernels cannot be compared.
struct TableShape {
  std::map<std::string, std::string> parts;  // by names for people: "chain forward", "set bridges"
  std::map<std::string, std::vector<std::string>> rules;  // of each chain, in their order
};

// Adds one message of the table: NFT_MSG_NEWTABLE, _NEWCHAIN, _NEWRULE (the rules of a chain in
// their order), _NEWSET, _NEWOBJ or _NEWFLOWTABLE. Other messages and other tables are ignored.
Status add_to_shape(std::span<const std::uint8_t> message, std::string_view table,
                    TableShape& shape);

// Every difference in words: "rule 3 of chain forward is missing", "set evil is nobody's".
std::vector<std::string> shape_differences(const TableShape& have, const TableShape& want);

}  // namespace fairlead::kernel
