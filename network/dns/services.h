// Names of services, as SRV records are asked for by (RFC 2782).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

namespace fairlead::dns {

// The port of a service, as ("https", "tcp") in lower case; std::nullopt: there is no such service. Thread-safe.
using ServicePorts = std::function<std::optional<std::uint16_t>(std::string_view service,
                                                                std::string_view protocol)>;

// Those that the host knows (/etc/services), read once, now. To be called before other threads read them too.
ServicePorts service_ports_of_host();

}  // namespace fairlead::dns
