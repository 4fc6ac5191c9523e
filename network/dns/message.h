// What of a message of the DNS matters to a server that passes it on. Pure; every function takes bytes from anybody.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "network/dns/responder.h"

namespace fairlead::dns {

enum class Failure { kFormat = 1, kServer = 2, kRefused = 5 };  // RCODEs (RFC 1035 section 4.1.1)

// The answer to a query that failed: its id, its question as far as there is one, EDNS where it has some. Empty when it is
// shorter than a header, or no query: nobody can be made to answer answers.
Message failure(std::span<const std::uint8_t> query, Failure why);
// The most bytes that the asker takes over UDP: 512, or what its EDNS says, at most 1232 (RFC 6891 section 6.2.3, RFC 9715).
std::size_t udp_limit(std::span<const std::uint8_t> query);
// The answer within `limit`, which is at least 512: with the flag TC, the question and the EDNS alone where it is larger.
Message shortened(Message answer, std::size_t limit);

}  // namespace fairlead::dns
