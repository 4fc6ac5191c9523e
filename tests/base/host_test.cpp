#include "base/host.h"

#include <gtest/gtest.h>

namespace fairlead {
namespace {

TEST(Host, TheBootIdIsAUuidThatStays) {
  EXPECT_EQ(boot_id().size(), 36U);
  EXPECT_EQ(boot_id(), boot_id());
}

TEST(Host, TimesArePrintedAsRfc3339InUtc) {
  EXPECT_EQ(rfc3339(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(rfc3339(1769860800), "2026-01-31T12:00:00Z");
  EXPECT_EQ(rfc3339(951782400), "2000-02-29T00:00:00Z");
}

TEST(Host, TimesAreReadAsTheyArePrinted) {
  for (const long long seconds : {0LL, 1769860800LL, 951782400LL})
    EXPECT_EQ(parse_rfc3339(rfc3339(seconds)).value(), seconds);
  for (const char* text :
       {"", "2026-01-31", "2026-01-31T12:00:00", "2026-01-31T12:00:00Zx", "2026-01-31 12:00:00Z",
        "2026-02-30T12:00:00Z", "2026-01-31T12:00:00+01:00", " 2026-01-31T12:00:00Z"})
    EXPECT_EQ(parse_rfc3339(text).error().code, Code::kInvalid) << text;
}

TEST(Host, TheTimeGoesOn) { EXPECT_GE(unix_time(), 1'760'000'000); }

}  // namespace
}  // namespace fairlead
