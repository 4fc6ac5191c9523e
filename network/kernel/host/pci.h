// Network cards by their place on the PCI bus, as sysfs shows them
// (Documentation/ABI/testing/sysfs-bus-pci and sysfs-class-net of Linux).
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace fairlead::kernel {

// The interfaces of the device at the address, "0000:03:00.1", in the network namespace that `sysfs`
// was mounted in; empty: it has none there. kNotFound when there is no such device.
Result<std::vector<std::string>> interfaces_of_pci(const std::string& address,
                                                   const std::string& sysfs = "/sys");
// The driver that has the device, "vfio-pci"; empty: none, or no such device.
std::string driver_of_pci(const std::string& address, const std::string& sysfs = "/sys");

}  // namespace fairlead::kernel
