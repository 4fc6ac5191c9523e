// Another plugin's addresses: who gives them, how they are read, and in which order what is done.
#include "plugin-api/cni/ipam.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plugin-api/cni/adapter.h"
#include "tests/plugin-api/cni/recording_service.h"

namespace fairlead::cni {
namespace {

using testing::add_call;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::RecordingService;
using ::testing::Return;
using testing::verb_call;

Result<std::string> plugin_of(const char* config) {
  const auto document = json::parse(config);
  return decode_ipam_plugin(*json::Object::of(*document, "", json::Keys::kAnyCase));
}

TEST(IpamPlugin, FairleadGivesTheAddressesUnlessAnotherOneIsNamed) {
  for (const char* own : {R"({})", R"({"ipam":null})", R"({"ipam":{}})", R"({"ipam":{"type":""}})",
                          R"({"ipam":{"type":"fairlead"}})", R"({"ipam":{"type":"host-local"}})",
                          R"({"ipam":{"type":"host-local","delegate":false}})"})
    EXPECT_EQ(plugin_of(own).value_or("?"), "") << own;
  EXPECT_EQ(plugin_of(R"({"IPAM":{"Type":"static"}})").value_or("?"), "static");
  EXPECT_EQ(plugin_of(R"({"ipam":{"type":"dhcp","delegate":true}})").value_or("?"), "dhcp");
  EXPECT_EQ(plugin_of(R"({"ipam":{"type":"host-local","delegate":"true"}})").value_or("?"),
            "host-local");
}

TEST(IpamPlugin, WhatIsNoNameOrContradictsItselfIsRefused) {
  for (const char* bad :
       {R"({"ipam":{"type":"../static"}})", R"({"ipam":{"type":".."}})",
        R"({"ipam":{"type":"/x"}})", R"({"ipam":{"type":"a\u0000b"}})", R"({"ipam":{"type":7}})",
        R"({"ipam":[]})", R"({"ipam":{"delegate":true}})",
        R"({"ipam":{"type":"fairlead","delegate":true}})",
        R"({"ipam":{"type":"static","delegate":false}})", R"({"ipam":{"delegate":"x"}})"})
    EXPECT_FALSE(plugin_of(bad)) << bad;
}

TEST(IpamResultOf, ListsAndPairsSayTheSame) {
  const auto lists = decode_ipam_result(
      R"({"cniVersion":"1.0.0","ips":[{"address":"10.1.0.9/24","gateway":"10.1.0.1"}],
          "routes":[{"dst":"0.0.0.0/0"},{"dst":"10.9.0.0/16","gw":"10.1.0.7"}],"dns":{"domain":"a"}})");
  const auto pair = decode_ipam_result(
      R"({"ip4":{"ip":"10.1.0.9/24","gateway":"10.1.0.1",
                 "routes":[{"dst":"0.0.0.0/0"},{"dst":"10.9.0.0/16","gw":"10.1.0.7"}]},"dns":{"domain":"a"}})");
  ASSERT_TRUE(lists && pair);
  EXPECT_EQ(*lists, *pair);
  EXPECT_EQ(lists->routes[0].via, *IpAddress::parse("10.1.0.1"));
  EXPECT_EQ(lists->routes[1].via, *IpAddress::parse("10.1.0.7"));
}

TEST(IpamResultOf, ARouteHasTheFirstGatewayOfItsFamily) {
  const auto result = decode_ipam_result(
      R"({"ips":[{"address":"10.1.0.9/24"},{"address":"fd00::9/64","gateway":"fd00::1"},
                 {"address":"10.2.0.9/24","gateway":"10.2.0.1"}],
          "routes":[{"dst":"::/0"},{"dst":"0.0.0.0/0"},{"dst":"10.5.0.0/16","scope":253}]})");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->routes[0].via, *IpAddress::parse("fd00::1"));
  EXPECT_EQ(result->routes[1].via, *IpAddress::parse("10.2.0.1"));
  EXPECT_EQ(result->routes[2].via, std::nullopt);
}

TEST(IpamResultOf, WhatHasNoAddressIsRefused) {
  for (const char* bad :
       {"", "null", "[]", "{}", R"({"ips":[]})", R"({"ips":[{}]})",
        R"({"ips":[{"address":"10.1.0.9"}]})", R"({"ips":[{"address":"x/24"}]})", R"({"ips":"x"})",
        R"({"ip4":{}})", R"({"ips":[{"address":"10.1.0.9/33"}]})"})
    EXPECT_FALSE(decode_ipam_result(bad)) << bad;
}

Failure failure_of_run(Result<PluginOutcome> outcome) {
  const auto answer = run_ipam("static", {.command = "ADD"},
                               [&](const auto&, const auto&) { return std::move(outcome); });
  EXPECT_FALSE(answer);
  return answer ? Failure() : answer.error();
}

TEST(IpamRun, TheFailureOfThePluginIsPassedOn) {
  const Failure failure = failure_of_run(
      PluginOutcome{1, R"({"cniVersion":"1.0.0","code":127,"msg":"no more","details":"d"})"});
  EXPECT_EQ(static_cast<int>(failure.code), 127);
  EXPECT_EQ(failure.message, "ipam plugin \"static\": no more");
  EXPECT_EQ(failure.details, "d");
}

TEST(IpamRun, AFailureInNoFormOfCnisSaysWhatCame) {
  EXPECT_THAT(failure_of_run(PluginOutcome{2, ""}).message, HasSubstr("exit code 2"));
  EXPECT_THAT(failure_of_run(PluginOutcome{2, "panic: x"}).message, HasSubstr("panic: x"));
  EXPECT_THAT(failure_of_run(PluginOutcome{2, "{}"}).message, HasSubstr("exit code 2"));
  EXPECT_EQ(failure_of_run(fail(Code::kNotFound, "nowhere")).code, ErrorCode::kConfiguration);
  EXPECT_EQ(failure_of_run(fail(Code::kIo, "killed")).code, ErrorCode::kIo);
}

// ---- the verbs, over a service and a plugin that write down what they are asked

class Delegated : public ::testing::Test {
 protected:
  // "link", "ipam ADD", "addresses", ...
  std::vector<std::string> steps_;
  RecordingService service_;
  PluginOutcome answer_{0, R"({"ips":[{"address":"10.1.0.9/24","gateway":"10.1.0.1"}],
                               "routes":[{"dst":"0.0.0.0/0"}],"dns":{"nameservers":["192.0.2.1"]}})"};
  std::map<std::string, PluginOutcome> failing_;

  Outcome run_call(Call call) {
    call.run_plugin = [this](const std::string& name,
                             const PluginVerb& verb) -> Result<PluginOutcome> {
      const std::string& command = verb.command;
      note(name + " " + command + (verb.ifname.empty() ? "" : " " + verb.ifname));
      if (const auto failing = failing_.find(command); failing != failing_.end())
        return failing->second;
      return command == "ADD" ? answer_ : PluginOutcome{};
    };
    const Outcome outcome = run(call, service_);
    note("end");
    return outcome;
  }
  json::Json config(const char* type = "static") {
    return {{"subnet", "10.1.0.0/24"}, {"ipam", {{"type", type}}}};
  }
  // What the service was asked since, in between.
  void note(const std::string& step) {
    for (; seen_ < service_.calls.size(); ++seen_)
      for (const char* verb : {"attach", "give_addresses", "remove_endpoint", "check"})
        if (service_.calls[seen_].contains(verb)) steps_.emplace_back(verb);
    if (step != "end") steps_.push_back(step);
  }

 private:
  std::size_t seen_ = 0;
};

TEST_F(Delegated, TheLinkIsMadeFirstAndPortsWaitForTheAddresses) {
  json::Json with_port = config();
  with_port["runtimeConfig"] = {{"portMappings", {{{"hostPort", 80}, {"containerPort", 80}}}}};
  const Outcome outcome = run_call(add_call(with_port));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out;
  EXPECT_THAT(steps_, ElementsAre("attach", "static ADD", "give_addresses"));
  const json::Json& attach = *service_.call("attach");
  EXPECT_EQ(attach["address_source"], "plugin");
  EXPECT_FALSE(attach.contains("ports"));
  EXPECT_EQ((*service_.call("give_addresses"))["ports"][0]["host_port"], 80);
  EXPECT_EQ((*service_.call("create_network"))["address_source"], "plugin");
  const auto result = *json::parse(outcome.out);
  EXPECT_EQ(result["ips"][0]["gateway"], "10.1.0.1");
  EXPECT_EQ(result["dns"]["nameservers"][0], "192.0.2.1");
}

TEST_F(Delegated, AFailureOfThePluginUndoesTheLinkAndCallsItsDel) {
  failing_["ADD"] = {1, R"({"code":11,"msg":"later"})"};
  const Outcome outcome = run_call(add_call(config()));
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(steps_, ElementsAre("attach", "static ADD", "remove_endpoint", "static DEL"));
  EXPECT_EQ((*json::parse(outcome.out))["code"], 11);
}

TEST_F(Delegated, AFailureAfterThePluginCallsItsDel) {
  ON_CALL(service_, give_addresses).WillByDefault(Return(fail(Code::kExists, "it is taken")));
  EXPECT_EQ(run_call(add_call(config())).exit_code, 1);
  EXPECT_THAT(steps_, ElementsAre("attach", "static ADD", "remove_endpoint", "static DEL"));
}

TEST_F(Delegated, AFailureBeforeThePluginDoesNotCallIt) {
  ON_CALL(service_, attach).WillByDefault(Return(fail(Code::kIo, "no link")));
  EXPECT_EQ(run_call(add_call(config())).exit_code, 1);
  EXPECT_THAT(steps_, IsEmpty());
}

TEST_F(Delegated, DelCallsThePluginWhateverIsThere) {
  EXPECT_EQ(run_call(verb_call("DEL", config())), Outcome{});
  EXPECT_THAT(steps_, ElementsAre("remove_endpoint", "static DEL"));
}

TEST_F(Delegated, DelCallsThePluginWhenOursFails) {
  ON_CALL(service_, remove_endpoint).WillByDefault(Return(fail(Code::kIo, "busy")));
  EXPECT_EQ(run_call(verb_call("DEL", config())).exit_code, 1);
  EXPECT_THAT(steps_, ElementsAre("static DEL"));
}

TEST_F(Delegated, DhcpGivesItsAddressBackWhileTheLinkIsThere) {
  EXPECT_EQ(run_call(verb_call("DEL", config("dhcp"))), Outcome{});
  EXPECT_THAT(steps_, ElementsAre("dhcp DEL", "remove_endpoint"));
}

TEST_F(Delegated, AFailingDelOfThePluginIsOneAndOursIsDoneAllTheSame) {
  for (const char* type : {"static", "dhcp"}) {
    steps_.clear();
    failing_["DEL"] = {1, R"({"code":5,"msg":"disk"})"};
    EXPECT_EQ(run_call(verb_call("DEL", config(type))).exit_code, 1);
    EXPECT_THAT(steps_, ::testing::Contains("remove_endpoint"));
  }
}

TEST_F(Delegated, WhatAKilledAddHasLeftIsGivenBackFirst) {
  ON_CALL(service_, inspect_endpoint)
      .WillByDefault(Return(network::Endpoint{.address_source = network::AddressSource::kPlugin}));
  EXPECT_EQ(run_call(add_call(config())).exit_code, 0);
  EXPECT_THAT(steps_, ElementsAre("remove_endpoint", "static DEL", "attach", "static DEL",
                                  "static ADD", "give_addresses"));
}

TEST_F(Delegated, CheckStatusAndGcAskThePluginToo) {
  EXPECT_EQ(run_call(verb_call("STATUS", config())), Outcome{});
  json::Json with_result = config();
  with_result["prevResult"] = {{"ips", {{{"address", "10.1.0.9/24"}}}}};
  EXPECT_EQ(run_call(verb_call("CHECK", with_result)), Outcome{});
  EXPECT_EQ(run_call(verb_call("GC", config())), Outcome{});
  EXPECT_THAT(steps_, ElementsAre("static STATUS", "check", "static CHECK", "static GC"));
  for (const char* verb : {"STATUS", "CHECK", "GC"}) {
    failing_[verb] = {1, R"({"code":50,"msg":"no"})"};
    EXPECT_EQ((*json::parse(run_call(verb_call(verb, with_result)).out))["code"], 50) << verb;
  }
}

TEST_F(Delegated, ThePluginIsToldTheNameThatTheInterfaceHas) {
  json::Json named = config();
  named["ifname"] = "net1";
  EXPECT_EQ(run_call(add_call(named)).exit_code, 0);
  EXPECT_EQ(run_call(verb_call("DEL", named)), Outcome{});
  EXPECT_THAT(steps_, ElementsAre("attach", "static ADD net1", "give_addresses", "remove_endpoint",
                                  "static DEL net1"));
}

TEST_F(Delegated, NetworksOverSeveralHostsGiveTheirOwnAddresses) {
  service_.has_network("shared", "10.1.0.0/24");
  service_.networks["shared"].overlay = network::OverlayParams{};
  const Outcome outcome =
      run_call(add_call({{"network", "shared"}, {"ipam", {{"type", "static"}}}}));
  EXPECT_EQ((*json::parse(outcome.out))["code"], 106);
  EXPECT_THAT(steps_, IsEmpty());
}

}  // namespace
}  // namespace fairlead::cni
