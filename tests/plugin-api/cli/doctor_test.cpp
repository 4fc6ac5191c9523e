#include "plugin-api/native/codec_doctor.h"
#include "tests/plugin-api/cli/cli_fixture.h"

namespace fairlead::testing {
namespace {

using doctor::Finding;
using doctor::Severity;
using ::testing::HasSubstr;
using ::testing::Not;

class DoctorCommand : public CliTest {
 protected:
  DoctorCommand() {
    found_.checks = {"forwarding", "mtu", "etcd"};
    found_.findings = {{.id = "forwarding",
                        .severity = Severity::kProblem,
                        .wrong = "It is off.",
                        .why = "Nothing gets out.",
                        .mend = "`fairlead reconcile`",
                        .cure = doctor::Cure::kReconcile,
                        .fixable = true},
                       {.id = "mtu",
                        .severity = Severity::kWarning,
                        .wrong = "It is large.",
                        .why = "It is lost.",
                        .mend = "Make it small."}};
    found_.unseen = {"etcd: no answer"};
    mended_.checks = found_.checks;
    mended_.mended = {"forwarding is on"};
    mended_.findings = {found_.findings[1]};
  }
};

TEST_F(DoctorCommand, SaysWhatWhyAndHow) {
  const Outcome outcome = run("doctor");
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(outcome.out,
            "PROBLEM  forwarding\n  What:  It is off.\n  Why:   Nothing gets out.\n"
            "  Mend:  `fairlead reconcile`\n         `fairlead doctor --fix` does it for you.\n\n"
            "WARNING  mtu\n  What:  It is large.\n  Why:   It is lost.\n  Mend:  Make it small.\n\n"
            "not looked at: etcd: no answer\n3 checks: 1 problem, 1 warning, 0 notes\n");
  EXPECT_EQ(outcome.err, "");
  EXPECT_EQ(run("doctor -q").out, "");
  EXPECT_EQ(run("doctor -q").exit_code, 2);
}

TEST_F(DoctorCommand, SaysWhatItMendedAndWhatIsLeft) {
  const Outcome outcome = run("doctor --fix");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("mended: forwarding is on\n\nWARNING  mtu\n"));
  EXPECT_THAT(outcome.out, Not(HasSubstr("PROBLEM")));
}

TEST_F(DoctorCommand, IsShortOnAHealthyHost) {
  found_ = {.checks = {"mtu"}};
  const Outcome outcome = run("doctor");
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out, "1 check: all is well\n");
}

TEST_F(DoctorCommand, KnowsItsChecks) {
  const Outcome outcome = run("doctor clok");
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_EQ(outcome.err,
            "fairlead: look at this host: there is no check \"clok\"; did you mean \"clock\"?\n");
  EXPECT_THAT(run("doctor --list").out, HasSubstr("\ndisk-space "));
  EXPECT_EQ(run("doctor --list").exit_code, 0);
}

TEST_F(DoctorCommand, AsksTheDaemonForWhoIsNotRoot) {
  uid_ = 1000;
  EXPECT_EQ(run("doctor").exit_code, 3);
  EXPECT_EQ(run("doctor --fix").exit_code, 3);
  answers_["GET /v1/doctor"] = {native::encode_diagnosis(found_).dump()};
  const Outcome outcome = run("doctor mtu");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("1 check: 0 problems, 1 warning, 0 notes"));
  answers_["GET /v1/doctor"] = {native::encode_diagnosis(found_).dump()};
  EXPECT_THAT(run("doctor").out, HasSubstr("`fairlead doctor --fix` does it for you."));
}

}  // namespace
}  // namespace fairlead::testing
