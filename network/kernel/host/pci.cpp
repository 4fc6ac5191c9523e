#include "network/kernel/host/pci.h"

#include <algorithm>
#include <filesystem>

namespace fairlead::kernel {

namespace {

namespace fs = std::filesystem;

fs::path device_at(const std::string& address, const std::string& sysfs) {
  return fs::path(sysfs) / "bus/pci/devices" / address;
}

}  // namespace

Result<std::vector<std::string>> interfaces_of_pci(const std::string& address,
                                                   const std::string& sysfs) {
  const fs::path device = device_at(address, sysfs);
  std::error_code error;
  if (!fs::exists(device, error))
    return fail(Code::kNotFound, "there is no PCI device {}; `lspci -D` shows those that there are",
                address);
  std::vector<std::string> names;
  for (fs::directory_iterator entry(device / "net", error), end; !error && entry != end;
       entry.increment(error))
    names.push_back(entry->path().filename().string());
  std::ranges::sort(names);
  return names;
}

std::string driver_of_pci(const std::string& address, const std::string& sysfs) {
  std::error_code error;
  return fs::read_symlink(device_at(address, sysfs) / "driver", error).filename().string();
}

}  // namespace fairlead::kernel
