#include "tests/architecture/field_structs.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>

#include "tests/support/paths.h"

namespace fairlead::architecture {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(FieldStructs, HaveNamesOfTheirOwn) {
  EXPECT_THAT(field_structs_named_twice(fairlead::testing::source_path("")), IsEmpty());
}

TEST(FieldStructs, TwoOfOneNameAreFound) {
  std::string name = std::filesystem::temp_directory_path() / "fairlead-structs-XXXXXX";
  ASSERT_NE(::mkdtemp(name.data()), nullptr);
  const std::filesystem::path root = name;
  std::filesystem::create_directories(root / "volume/service");
  const auto write = [&](const char* file, const std::string& inside, const std::string& after) {
    std::ofstream(root / "volume/service" / file) << "namespace fairlead::volume {\n\nnamespace {\n"
                                                  << inside << "}  // namespace\n"
                                                  << after;
  };
  const std::string table = "constexpr auto kTable = fields(required<&Holder::pid>(\"pid\"));\n";
  write("a.cpp", "struct Holder {\n};\n" + table, "");
  write("b.cpp", "class Holder : public Base {\n};\n" + table, "");
  write("no_table.cpp", "struct Holder {\n};\n", "");
  write("no_anonymous.cpp", table, "struct Holder {\n};\n");
  write("other.cpp", "struct Owner {\n};\nauto x = required<&Owner::pid>(\"pid\");\n", "");
  EXPECT_THAT(field_structs_named_twice(root),
              ElementsAre("Holder in namespace fairlead::volume: volume/service/a.cpp, "
                          "volume/service/b.cpp"));
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace fairlead::architecture
