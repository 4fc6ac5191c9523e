#include "base/result.h"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <memory>

namespace fairlead {
namespace {

Result<int> half(int number) {
  if (number % 2 != 0) return fail(Code::kInvalid, "{} is odd", number);
  return number / 2;
}
Result<int> quarter(int number) {
  TRY(const int once, half(number));
  return half(once);
}
Status check(int number) {
  TRY_STATUS(quarter(number));
  TRY_STATUS(Status());
  return {};
}

TEST(Result, TryBindsTheValue) { EXPECT_EQ(quarter(12).value(), 3); }

TEST(Result, TryPassesTheErrorUp) {
  EXPECT_EQ(quarter(7).error(), (Error{Code::kInvalid, 0, "7 is odd"}));
  EXPECT_EQ(quarter(6).error(), (Error{Code::kInvalid, 0, "3 is odd"}));
  EXPECT_TRUE(check(8));
  EXPECT_EQ(check(6).error().text, "3 is odd");
}

TEST(Result, TryMovesValuesThatCannotBeCopied) {
  const auto make = []() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(7); };
  const auto use = [&]() -> Result<int> {
    TRY(const auto pointer, make());
    return *pointer;
  };
  EXPECT_EQ(use().value(), 7);
}

TEST(Result, StatusOfKeepsTheErrorAndDropsTheValue) {
  EXPECT_TRUE(status_of(quarter(12)));
  EXPECT_EQ(status_of(quarter(6)).error(), (Error{Code::kInvalid, 0, "3 is odd"}));
  const Result<std::unique_ptr<int>> cannot_be_copied = std::make_unique<int>(7);
  EXPECT_TRUE(status_of(cannot_be_copied));
  EXPECT_EQ(status_of(check(6)).error().text, "3 is odd");
}

struct ErrnoCode {
  int sys_errno;
  Code code;
};

TEST(Error, TheCodeFollowsTheErrno) {
  constexpr std::array<ErrnoCode, 12> kTable{{{ENOENT, Code::kNotFound},
                                              {ENODEV, Code::kNotFound},
                                              {EEXIST, Code::kExists},
                                              {EBUSY, Code::kInUse},
                                              {EADDRINUSE, Code::kInUse},
                                              {EINVAL, Code::kInvalid},
                                              {EOPNOTSUPP, Code::kUnsupported},
                                              {ENOSPC, Code::kExhausted},
                                              {EXFULL, Code::kExhausted},
                                              {EAGAIN, Code::kUnavailable},
                                              {EACCES, Code::kIo},
                                              {EIO, Code::kIo}}};
  for (const auto& row : kTable)
    EXPECT_EQ(sys_error(row.sys_errno, "x").code, row.code) << std::strerror(row.sys_errno);
}

TEST(Error, ASystemErrorSaysWhatWasTriedAndWhyItFailed) {
  const Error error = sys_error(ENOENT, "open /run/x");
  EXPECT_EQ(error.text, "open /run/x: No such file or directory");
  EXPECT_EQ(error.sys_errno, ENOENT);
}

TEST(Error, ContextIsPutInFrontAndTheRestKept) {
  EXPECT_EQ(with_context({Code::kInUse, EBUSY, "it is busy"}, "remove network shop"),
            (Error{Code::kInUse, EBUSY, "remove network shop: it is busy"}));
}

TEST(Error, EveryCodeHasANameOfItsOwn) {
  constexpr std::array kAll{
      Code::kInvalid,   Code::kNotFound,    Code::kExists,      Code::kConflict, Code::kInUse,
      Code::kExhausted, Code::kUnsupported, Code::kUnavailable, Code::kIo,       Code::kInternal};
  for (std::size_t a = 0; a < kAll.size(); ++a)
    for (std::size_t b = a + 1; b < kAll.size(); ++b)
      EXPECT_NE(to_string(kAll[a]), to_string(kAll[b]));
}

std::string closest(std::string_view word) {
  constexpr std::array<std::string_view, 4> kWords{"bridge", "mtu", "masquerade",
                                                   "gateway_mode_ipv4"};
  return closest_word(word, kWords.data(), kWords.size());
}

TEST(ClosestWord, FindsSlipsOfTheFinger) {
  EXPECT_EQ(closest("brigde"), "bridge") << "two letters changed places";
  EXPECT_EQ(closest("masqurade"), "masquerade");
  EXPECT_EQ(closest("mut"), "mtu");
  EXPECT_EQ(closest("gateway_mode_ip4"), "gateway_mode_ipv4");
}

TEST(ClosestWord, DoesNotGuessWildly) {
  EXPECT_EQ(closest("subnet"), "");
  EXPECT_EQ(closest("completely-different"), "");
  EXPECT_EQ(closest_word("x", nullptr, 0), "");
}

}  // namespace
}  // namespace fairlead
