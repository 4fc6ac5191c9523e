// Headers of API v1 beside those of HTTP; names in lower case.
#pragma once

namespace fairlead::native {

// The folder of the store that a client means: a daemon that works with another one answers 421.
inline constexpr const char* kStateDirHeader = "x-fairlead-state-dir";

}  // namespace fairlead::native
