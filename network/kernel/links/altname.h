// Alternative names of links, by which everybody finds them as by their own (Linux 5.5).
#pragma once

#include <string>

#include "base/names.h"
#include "base/result.h"

namespace fairlead::kernel {

// Gives the link of the calling thread's namespace a second name, which goes with it; one that it has already
// succeeds. kExists when another link is called so.
Status add_altname(const IfName& link, const IfName& name);

}  // namespace fairlead::kernel
