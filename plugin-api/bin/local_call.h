// What the programs have in common that do one call of a runtime in their own process, where no daemon runs.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "plugin-api/bin/core.h"
#include "plugin-api/http/held_netns.h"

namespace fairlead {

// All of a file, at most 2 MiB: kInvalid when it is larger.
Result<std::string> read_document(int fd);
// All of it; false when it cannot be written.
bool write_all(int fd, std::string_view text);

http::NetnsOpener local_netns();

// Refuses to remove what is in the kernel where another store owns it. What this store does not know is
// removed everywhere without a word.
Status may_remove(Core& core, const std::string& container);

}  // namespace fairlead
