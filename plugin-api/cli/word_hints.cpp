#include "plugin-api/cli/word_hints.h"

#include <algorithm>
#include <array>

namespace fairlead::cli {

namespace {

struct Hint {
  std::string_view group, word, says;  // group "*": of every group
};

constexpr auto kHints = std::to_array<Hint>({
    {"snapshot", "restore",
     "go back with \"fairlead volume rollback NAME@SNAPSHOT\", or make a new volume with "
     "\"fairlead volume clone NAME@SNAPSHOT NEW\""},
    {"snapshot", "rollback", "say \"fairlead volume rollback NAME@SNAPSHOT\""},
    {"snapshot", "revert", "say \"fairlead volume rollback NAME@SNAPSHOT\""},
    {"snapshot", "clone", "say \"fairlead volume clone NAME@SNAPSHOT NEW\""},
    {"snapshot", "mount", "give the runtime its name: docker run -v NAME@SNAPSHOT:/path"},
    {"snapshot", "inspect", "say \"fairlead snapshot ls --json NAME\""},
    {"backup", "create", "say \"fairlead volume backup NAME --to DIR\""},
    {"backup", "restore", "say \"fairlead volume restore NAME --from DIR\""},
    {"volume", "mount", "a runtime mounts it: docker run -v NAME:/path"},
    {"volume", "unmount", "a runtime unmounts it when its containers have gone"},
    {"volume", "umount", "a runtime unmounts it when its containers have gone"},
    {"volume", "ps", "\"fairlead volume inspect NAME\" tells who uses it"},
    {"volume", "update", "say \"fairlead volume resize\", \"label\" or \"rename\""},
    {"volume", "undelete", "say \"fairlead trash restore NAME\""},
    {"volume", "revert", "say \"fairlead volume rollback NAME@SNAPSHOT\""},
    {"volume", "copy", "did you mean \"clone\" (a volume) or \"cp\" (files out of it)?"},
    {"volume", "du", "did you mean \"usage\"?"},
    {"volume", "size", "did you mean \"usage\" or \"resize\"?"},
    {"volume", "verify", "did you mean \"check\"?"},
    {"volume", "files", "did you mean \"ls-files\"?"},
    {"*", "delete", "did you mean \"rm\"?"},
    {"*", "del", "did you mean \"rm\"?"},
    {"*", "destroy", "did you mean \"rm\"?"},
    {"*", "info", "did you mean \"inspect\"?"},
    {"*", "show", "did you mean \"inspect\"?"},
    {"*", "describe", "did you mean \"inspect\"?"},
    {"*", "get", "did you mean \"inspect\"?"},
    {"*", "add", "did you mean \"create\"?"},
    {"*", "new", "did you mean \"create\"?"},
    {"*", "make", "did you mean \"create\"?"},
    {"", "ps",
     "\"docker ps\" and \"podman ps\" list containers, \"fairlead endpoint ls\" those in networks"},
    {"", "ls", "say of what: \"fairlead volume ls\", \"fairlead network ls\""},
    {"", "info", "did you mean \"status\"?"},
    {"", "logs", "say \"fairlead events\", or \"journalctl -u fairleadd\""},
    {"", "run", "containers are run by Docker, Podman and others; see examples/"},
    {"", "prune", "did you mean \"fairlead volume prune\"?"},
});

}  // namespace

std::string_view word_hint(std::string_view group, std::string_view word) {
  const auto found = std::ranges::find_if(kHints, [&](const Hint& hint) {
    return hint.word == word && (hint.group == group || (hint.group == "*" && !group.empty()));
  });
  return found == kHints.end() ? std::string_view() : found->says;
}

}  // namespace fairlead::cli
