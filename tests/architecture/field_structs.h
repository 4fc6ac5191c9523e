// Structs whose tables of fields g++ 12 would take for each other.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace fairlead::architecture {

// Structs and classes of one name, in anonymous namespaces of the same namespace in several .cpp
// files below base/, network/, volume/ and plugin-api/, whose members stand in tables of
// base/json/fields.h (`<&Name::member>`). g++ 12 gives the functions made of such members one
// symbol for all of them, so that a program with two of them reads one as if it were the other,
// and crashes. One line each, with the files; sorted.
std::vector<std::string> field_structs_named_twice(const std::filesystem::path& root);

}  // namespace fairlead::architecture
