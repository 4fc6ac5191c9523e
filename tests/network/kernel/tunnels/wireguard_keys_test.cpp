// Keys of WireGuard: their text, their mathematics, their file. Addresses that follow from ids.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "network/kernel/tunnels/wireguard.h"
#include "network/kernel/tunnels/wireguard_keyfile.h"

namespace fairlead::kernel {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::uint8_t> from_hex(std::string_view hex) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(
        static_cast<std::uint8_t>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return bytes;
}

// Bob of RFC 7748, section 6.1.
constexpr std::string_view kBobsPrivate =
    "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb";
constexpr std::string_view kBobsPublic =
    "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f";

TEST(WireguardKey, PublicKeysAreThoseOfTheRfc) {
  const auto key = PrivateKey::from_bytes(from_hex(kBobsPrivate));
  ASSERT_TRUE(key);
  const auto known = public_key_of(*key);
  ASSERT_TRUE(known) << known.error().text;
  EXPECT_EQ(*known, *PublicKey::from_bytes(from_hex(kBobsPublic)));
  EXPECT_EQ(known->to_string(), "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=");
}

TEST(WireguardKey, TextIsReadBack) {
  for (unsigned n = 0; n < 256; ++n) {
    std::vector<std::uint8_t> bytes;
    for (unsigned i = 0; i < kKeySize; ++i)
      bytes.push_back(static_cast<std::uint8_t>(n * 7 + i * n));
    const PublicKey key = *PublicKey::from_bytes(bytes);
    EXPECT_EQ(key.to_string().size(), 44U);
    EXPECT_EQ(*PublicKey::parse(key.to_string()), key);
    const PrivateKey secret = *PrivateKey::from_bytes(bytes);
    EXPECT_TRUE(*PrivateKey::parse(secret.reveal()) == secret);
  }
  EXPECT_EQ(PublicKey().to_string(), std::string(43, 'A') + "=");
}

TEST(WireguardKey, WhatIsNoKeyIsRefused) {
  const std::string good = "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=";
  EXPECT_TRUE(PublicKey::parse(good));
  for (const std::string& bad :
       {std::string(), good.substr(0, 43), good + "=", " " + good.substr(1), good.substr(1) + "A",
        std::string(44, '='), "\xff" + good.substr(1), good.substr(0, 42) + "9="}) {
    const auto refused = PublicKey::parse(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().code, Code::kInvalid);
    EXPECT_FALSE(PrivateKey::parse(bad)) << bad;
  }
  EXPECT_FALSE(PublicKey::from_bytes(std::vector<std::uint8_t>(31)));
  EXPECT_FALSE(PrivateKey::from_bytes(std::vector<std::uint8_t>(31)));
}

TEST(WireguardKey, AnErrorDoesNotHoldThePrivateKey) {
  const auto refused = PrivateKey::parse("oops-a-key-with-one-digit-too-much-in-its-text");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text, Not(HasSubstr("oops")));
}

TEST(WireguardKey, PrivateKeysAreClampedAsTheKernelDoes) {
  const PrivateKey key = *PrivateKey::from_bytes(std::vector<std::uint8_t>(kKeySize, 0xff));
  EXPECT_EQ(key.bytes().front(), 0xf8);
  EXPECT_EQ(key.bytes().back(), 0x7f);
  EXPECT_TRUE(PrivateKey::from_bytes(std::vector<std::uint8_t>(kKeySize))->empty());
  EXPECT_FALSE(public_key_of(PrivateKey()));
}

TEST(WireguardKey, EachOneMadeIsAnother) {
  std::set<PublicKey> known;
  for (int i = 0; i < 50; ++i) known.insert(*public_key_of(*make_private_key()));
  EXPECT_EQ(known.size(), 50U);
}

// ---- the file

class KeyFile : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string folder = "/tmp/fairlead-keys-XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = folder;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path() const { return folder_ + "/wireguard.key"; }
  std::string content() const {
    std::ifstream file(path());
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  void write(const std::string& text, mode_t mode = 0600) const {
    std::ofstream(path()) << text;
    ASSERT_EQ(::chmod(path().c_str(), mode), 0);
  }
  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(folder_), {}));
  }
  std::string folder_;
};

TEST_F(KeyFile, IsMadeOnceAndForItsOwnerOnly) {
  const mode_t before = ::umask(0);
  const auto made = load_or_make_private_key(folder_);
  ::umask(before);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_FALSE(made->empty());
  EXPECT_TRUE(*load_or_make_private_key(folder_) == *made);
  struct stat info {};
  ASSERT_EQ(::stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0600U);
  EXPECT_EQ(content(), made->reveal() + "\n");
  EXPECT_EQ(files(), 1U);
}

TEST_F(KeyFile, ManyWhoMakeItAtOnceAgree) {
  std::vector<std::thread> threads;
  std::vector<std::string> keys(8);
  for (std::string& key : keys)
    threads.emplace_back([&] { key = load_or_make_private_key(folder_)->reveal(); });
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), 1U);
  EXPECT_EQ(files(), 1U);
}

TEST_F(KeyFile, WhatIsNoKeyIsNotGuessedAt) {
  const std::string key = make_private_key()->reveal();
  for (const std::string& text : {std::string(), std::string("\n"), std::string("secret-text\n"),
                                  key + key, PrivateKey().reveal(), std::string(4096, 'A')}) {
    write(text);
    const auto refused = load_or_make_private_key(folder_);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kInvalid);
    EXPECT_THAT(refused.error().text, HasSubstr(path()));
    EXPECT_THAT(refused.error().text, Not(HasSubstr("secret-text")));
    EXPECT_EQ(content(), text);
  }
  write(key);  // without the end of the line
  EXPECT_TRUE(load_or_make_private_key(folder_));
}

TEST_F(KeyFile, AKeyThatOthersMayReadIsRefused) {
  const std::string key = make_private_key()->reveal();
  for (const mode_t mode : {0640U, 0604U, 0660U}) {
    write(key + "\n", mode);
    const auto refused = load_or_make_private_key(folder_);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().text, HasSubstr("can be used by others"));
    EXPECT_THAT(refused.error().text, Not(HasSubstr(key)));
  }
}

TEST_F(KeyFile, NoLinkIsFollowedAndNoFolderRead) {
  ASSERT_EQ(::symlink("/etc/hostname", path().c_str()), 0);
  EXPECT_FALSE(load_or_make_private_key(folder_));
  std::filesystem::remove(path());
  std::filesystem::create_directory(path());
  EXPECT_FALSE(load_or_make_private_key(folder_));
  EXPECT_FALSE(load_or_make_private_key(folder_ + "/nothing"));
}

// ---- addresses

TEST(WireguardAddress, FollowsFromTheIds) {
  const Cidr one = wireguard_address("shop", std::string(32, 'a'));
  EXPECT_EQ(one, wireguard_address("shop", std::string(32, 'a')));
  EXPECT_EQ(one.to_string(), "fdbd:4ab5:4586:fbfb:15fe:c18:fd08:fafe/64");
  EXPECT_TRUE(Cidr::parse("fd00::/8")->contains(one.address()));
  EXPECT_EQ(one.prefix_length(), 64U);
}

TEST(WireguardAddress, HostsOfAClusterShareAPrefixThatNoOtherHas) {
  std::set<Cidr> addresses;
  const Cidr prefix = wireguard_address("shop", "0").network();
  for (int host = 0; host < 10'000; ++host) {
    const Cidr each = wireguard_address("shop", fmt::format("{:032x}", host));
    EXPECT_EQ(each.network(), prefix);
    addresses.insert(each);
  }
  EXPECT_EQ(addresses.size(), 10'000U);
  EXPECT_NE(wireguard_address("other", "0").network(), prefix);
}

}  // namespace
}  // namespace fairlead::kernel
