// Elements of the table in the words of nft.
#pragma once

#include <string>

#include "network/kernel/firewall/firewall.h"

namespace fairlead::nat {

// "tcp . 8080 : 10.1.0.2 . 80", for any element of a set of the table, whoever made it. The key's
// bytes in hexadecimal digits when the table has no such set, or the bytes are not of its type.
std::string describe(const kernel::Element& element);

}  // namespace fairlead::nat
