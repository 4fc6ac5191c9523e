// What a question gets out of the tables. Pure but for the turns of answers with several addresses.
#pragma once

#include <string_view>
#include <variant>

#include "base/ip.h"
#include "network/dns/answer.h"
#include "network/dns/responder.h"
#include "network/dns/scan.h"
#include "network/dns/services.h"
#include "network/dns/tables.h"

namespace fairlead::dns {

// Types of records (RFC 1035 section 3.2.2 and others); those of which there is more to say than that there are none.
inline constexpr std::uint16_t kTypeA = 1, kTypeSoa = 6, kTypePtr = 12, kTypeAaaa = 28,
                               kTypeSrv = 33, kTypeAny = 255;

struct Asker {
  IpAddress client;          // its source address
  std::string_view network;  // at whose gateway it asks
};

// Of the class IN; `services` may be empty.
std::variant<Answer, Forward> resolve(Tables& tables, const ServicePorts& services,
                                      const Asker& asker, const Question& question);

}  // namespace fairlead::dns
