// What only the kernel's firewall has: its bytes, its cost, and its way of closing. The verbs are
// in the conformance suite.
#include "network/kernel/firewall/firewall.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>

#include "network/kernel/firewall/batch.h"
#include "network/kernel/firewall/bytes.h"
#include "network/kernel/firewall/parse.h"
#include "network/kernel/firewall/shape.h"
#include "network/kernel/host/netns.h"

namespace fairlead::kernel {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Clock = std::chrono::steady_clock;

IpAddress ip(const char* text) { return *IpAddress::parse(text); }

double microseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

std::vector<std::uint8_t> bytes_of(const ElementBytes& element) {
  return {element.bytes().begin(), element.bytes().end()};
}

// ---- bytes

TEST(ElementBytes, FieldsArePaddedToRegisters) {
  EXPECT_THAT(bytes_of(ElementBytes().proto(6).port(8080).address(ip("10.1.0.2"))),
              ElementsAre(6, 0, 0, 0, 0x1f, 0x90, 0, 0, 10, 1, 0, 2));
  EXPECT_THAT(bytes_of(ElementBytes().family(Family::kV6)), ElementsAre(10));
  EXPECT_THAT(bytes_of(ElementBytes().family(Family::kV6).proto(6)),
              ElementsAre(10, 0, 0, 0, 6, 0, 0, 0));
  const auto name = bytes_of(ElementBytes().ifname(*IfName::parse("fl-a")));
  EXPECT_EQ(name.size(), 16U);
  EXPECT_EQ(std::string(name.begin(), name.begin() + 5), std::string("fl-a\0", 5));
  EXPECT_EQ(ElementBytes().proto(6).port(1).fields(), 2U);
}

TEST(ElementBytes, KeysAreCountedAcrossBytes) {
  const auto key = [](const char* text) { return ElementBytes().address(ip(text)); };
  EXPECT_EQ(*next_key(key("10.0.255.255")), key("10.1.0.0"));
  EXPECT_EQ(*previous_key(key("10.1.0.0")), key("10.0.255.255"));
  EXPECT_FALSE(next_key(key("255.255.255.255")));
  EXPECT_FALSE(previous_key(key("0.0.0.0")));
}

ElementChange port_change(std::uint16_t port,
                          ElementChange::Kind kind = ElementChange::Kind::kAdd) {
  return {.kind = kind,
          .element = {.set = "ports",
                      .key = ElementBytes().proto(6).port(port),
                      .data = ElementBytes().address(ip("10.1.0.2")).port(port)}};
}

std::vector<ElementChange> port_changes(std::size_t count, ElementChange::Kind kind) {
  std::vector<ElementChange> changes;
  for (std::size_t i = 1; i <= count; ++i)
    changes.push_back(port_change(static_cast<std::uint16_t>(i), kind));
  return changes;
}

TEST(Batch, NeighboursOfOneSetShareAMessage) {
  auto changes = port_changes(3, ElementChange::Kind::kAdd);
  changes.push_back(port_change(9, ElementChange::Kind::kRemove));
  const Batch batch =
      build_batch({"fairlead"}, changes, 100, Removal::kDestroy, Grouping::kGrouped);
  ASSERT_EQ(batch.messages.size(), 2U);
  EXPECT_EQ(batch.begin, 100U);
  EXPECT_EQ(batch.messages[0].seq, 101U);
  EXPECT_EQ(batch.messages[0].count, 3U);
  EXPECT_EQ(batch.messages[1].first, 3U);
  EXPECT_EQ(batch.end, 104U);
  EXPECT_EQ(
      build_batch({"fairlead"}, changes, 1, Removal::kDestroy, Grouping::kSingle).messages.size(),
      4U);
}

TEST(Batch, NoAttributeIsLongerThanAnAttributeCanBe) {
  const auto changes = port_changes(10'000, ElementChange::Kind::kAdd);
  const Batch batch = build_batch({"fairlead"}, changes, 1, Removal::kDestroy, Grouping::kGrouped);
  auto parsed = parse_answers(batch.bytes);
  ASSERT_TRUE(parsed) << parsed.error().text;
  std::size_t longest = 0;
  for (const auto message : parsed->messages) longest = std::max(longest, message.size());
  EXPECT_LT(longest, 65'536U);
  EXPECT_EQ(parsed->messages.size(), batch.messages.size() + 2);
}

// Cut or bent anywhere, an answer is refused or read, never overrun (the sanitizers watch).
TEST(Answers, DamagedBytesAreSafe) {
  const auto changes = port_changes(2, ElementChange::Kind::kAdd);
  const Batch batch = build_batch({"fairlead"}, changes, 1, Removal::kDestroy, Grouping::kGrouped);
  const auto read_all = [](std::span<const std::uint8_t> bytes) {
    const auto answers = parse_answers(bytes);
    if (!answers) return;
    for (const auto message : answers->messages) {
      std::vector<RawElement> elements;
      (void)parse_elements(message, "ports", {.key_fields = 2, .data_fields = 2}, elements);
      (void)parse_table_comment(message);
      (void)parse_set_shape(message);
      TableShape shape;
      (void)add_to_shape(message, "fairlead", shape);
    }
  };
  for (std::size_t size = 0; size < batch.bytes.size(); ++size)
    read_all({batch.bytes.data(), size});
  for (std::size_t at = 0; at < batch.bytes.size(); ++at)
    for (const std::uint8_t value : {std::uint8_t{0}, std::uint8_t{0x7f}, std::uint8_t{0xff}}) {
      auto bent = batch.bytes;
      bent[at] = value;
      read_all(bent);
    }
}

TEST(Answers, ErrorsAreRead) {
  struct {
    nlmsghdr header;
    nlmsgerr error;
  } message{};
  message.header = {.nlmsg_len = sizeof(message), .nlmsg_type = NLMSG_ERROR, .nlmsg_seq = 7};
  message.error.error = -ENOENT;
  const auto answers =
      parse_answers({reinterpret_cast<const std::uint8_t*>(&message), sizeof(message)});
  ASSERT_TRUE(answers);
  ASSERT_EQ(answers->replies.size(), 1U);
  EXPECT_EQ(answers->replies[0].seq, 7U);
  EXPECT_EQ(answers->replies[0].error, ENOENT);
}

// ---- the kernel

constexpr std::string_view kTableText = R"(
table inet fairlead {
	map ports {
		type inet_proto . inet_service : ipv4_addr . inet_service
	}
}
)";

class NftFirewallTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto netns = new_netns();
    if (!netns) GTEST_SKIP() << netns.error().text;
    netns_ = std::move(*netns);
  }
  std::unique_ptr<Firewall> open(bool detach_close = false) {
    std::unique_ptr<Firewall> firewall;
    const Status opened = in_netns(netns_.get(), [&]() -> Status {
      TRY(firewall, open_nft_firewall({"fairlead"}, detach_close));
      return {};
    });
    EXPECT_TRUE(opened) << opened.error().text;
    return firewall;
  }

 private:
  UniqueFd netns_;
};

TEST_F(NftFirewallTest, ErrorsNameTheSet) {
  auto firewall = open();
  ASSERT_TRUE(firewall->run(kTableText));
  auto other = port_change(1);
  other.element.set = "nowhere";
  const std::vector<ElementChange> changes = {port_change(1), other};
  EXPECT_THAT(firewall->apply(changes).error().text,
              HasSubstr("change set nowhere of firewall table inet fairlead: the table, the set or "
                        "a chain is missing"));
}

TEST_F(NftFirewallTest, TextAndElementsStayInTheNamespaceWhereItWasOpened) {
  auto here = open();
  ASSERT_TRUE(here->run(kTableText));
  auto elsewhere = new_netns();
  ASSERT_TRUE(elsewhere);
  const Status listed = in_netns(elsewhere->get(), [&]() -> Status {
    EXPECT_THAT(*here->list_text(), HasSubstr("map ports"));
    TRY(const auto other, open_nft_firewall({"fairlead"}, false));
    EXPECT_EQ(*other->list_text(), "");
    return {};
  });
  EXPECT_TRUE(listed);
}

// Elements that let a packet through only sometimes, or for a while, are not those of apply().
TEST_F(NftFirewallTest, ElementsWithConditionsAreTold) {
  auto firewall = open();
  const Status made = firewall->run(
      "add table inet fairlead; add set inet fairlead plain { type ipv4_addr; elements = { "
      "10.1.0.1 }; }; add set inet fairlead timed { type ipv4_addr; flags timeout; elements = { "
      "10.1.0.1 timeout 1h }; }; add set inet fairlead counted { type ipv4_addr; size 8; flags "
      "dynamic; counter; elements = { 10.1.0.1 }; }");
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_FALSE(firewall->elements("plain")->at(0).conditional);
  EXPECT_TRUE(firewall->elements("timed")->at(0).conditional);
  EXPECT_TRUE(firewall->elements("counted")->at(0).conditional);
}

TEST_F(NftFirewallTest, ObjectsAndFlowtablesOfOthersAreDifferences) {
  auto firewall = open();
  for (const auto& [addition, words] :
       {std::pair("add counter inet fairlead evil", "object evil is nobody's"),
        std::pair("add flowtable inet fairlead evil { hook ingress priority 0; }",
                  "flowtable evil is nobody's")}) {
    ASSERT_TRUE(firewall->run(kTableText));
    const Status added = firewall->run(addition);
    if (!added) std::printf("[     SKIP ] %s: %s\n", addition, added.error().text.c_str());
    if (added) EXPECT_THAT(*firewall->differences(kTableText), ::testing::ElementsAre(words));
    ASSERT_TRUE(firewall->run("delete table inet fairlead"));
  }
}

TEST_F(NftFirewallTest, CostOfElements) {
  auto firewall = open();
  ASSERT_TRUE(firewall->run(kTableText));
  for (const std::size_t count : {std::size_t{1}, std::size_t{100}, std::size_t{10'000}}) {
    const auto add = port_changes(count, ElementChange::Kind::kAdd),
               remove = port_changes(count, ElementChange::Kind::kRemove);
    std::array<double, 2> best{1e9, 1e9};
    for (std::size_t round = 0; round < (count < 1000 ? 20U : 2U); ++round) {
      auto start = Clock::now();
      ASSERT_TRUE(firewall->apply(add));
      best[0] = std::min(best[0], microseconds_since(start));
      start = Clock::now();
      ASSERT_TRUE(firewall->apply(remove));
      best[1] = std::min(best[1], microseconds_since(start));
    }
    std::printf("[     COST ] %5zu elements: add %.0f us, remove %.0f us (the fastest round)\n",
                count, best[0], best[1]);
  }
}

// An exec'd plugin removes elements and ends: in a process of its own, because its sockets have to
// be the last ones.
TEST_F(NftFirewallTest, DetachedCloseDoesNotWaitAndHoldsNothing) {
  std::array<double, 2> took{};
  for (const bool detach : {false, true}) {
    std::array<int, 2> pipe_ends{};
    ASSERT_EQ(::pipe2(pipe_ends.data(), O_CLOEXEC), 0);
    const auto start = Clock::now();
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::dup2(pipe_ends[1], STDOUT_FILENO);
      {
        auto firewall = open(detach);
        if (!firewall->run(kTableText)) ::_exit(1);
        const auto add = port_changes(500, ElementChange::Kind::kAdd),
                   remove = port_changes(500, ElementChange::Kind::kRemove);
        if (!firewall->apply(add) || !firewall->apply(remove)) ::_exit(2);
      }
      ::_exit(0);
    }
    ::close(pipe_ends[1]);
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    took[detach ? 1 : 0] = microseconds_since(start);
    EXPECT_EQ(status, 0);
    // Its output ends with it: whoever reads the answer of a plugin waits for that. (The process
    // that is left behind needs a moment to let go.)
    pollfd reader{.fd = pipe_ends[0], .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&reader, 1, 10'000), 1);
    EXPECT_EQ(reader.revents, POLLHUP);
    ::close(pipe_ends[0]);
  }
  std::printf("[     COST ] process that removes elements: %.0f us, with detached close %.0f us\n",
              took[0], took[1]);
}

}  // namespace
}  // namespace fairlead::kernel
