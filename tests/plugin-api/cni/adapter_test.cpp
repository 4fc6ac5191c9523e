#include "plugin-api/cni/adapter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/plugin-api/cni/recording_service.h"

namespace fairlead::cni {
namespace {

using ::testing::_;
using testing::add_call;
using ::testing::HasSubstr;
using testing::MockNetworkService;
using testing::RecordingService;
using ::testing::Return;
using ::testing::StrictMock;
using testing::verb_call;

json::Json answer_of(const Outcome& outcome) {
  const auto answer = json::parse(outcome.out);
  EXPECT_TRUE(answer) << outcome.out;
  return answer ? *answer : json::Json();
}

void expect_failure(const Outcome& outcome, int code, const std::string& message) {
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(answer_of(outcome)["code"], code) << outcome.out;
  EXPECT_THAT(answer_of(outcome)["msg"].get<std::string>(), HasSubstr(message));
}

Call in_netns(Call call, const std::string& path) {
  call.environment.netns = path;
  call.netns.is_own = [own = path == "/run/netns/own"](int) { return own; };
  return call;
}

// ---- ADD

TEST(Add, OpensTheNamespaceBeforeItMakesAnything) {
  StrictMock<MockNetworkService> untouched;
  expect_failure(run(in_netns(add_call({}), "/run/netns/gone"), untouched), 8,
                 "CNI_NETNS cannot be used");
}

TEST(Add, RefusesThePluginsOwnNamespaceBeforeItMakesAnything) {
  StrictMock<MockNetworkService> untouched;
  expect_failure(run(in_netns(add_call({}), "/run/netns/own"), untouched), 8,
                 "is the network namespace of the plugin itself");
}

TEST(Add, TakesThePluginsOwnNamespaceWhenToldSo) {
  RecordingService service;
  Call call = in_netns(add_call({}), "/run/netns/own");
  call.environment.netns_override = "1";
  EXPECT_EQ(run(call, service).exit_code, 0);
}

TEST(Add, DoesNotMakeTheNetworkItJoins) {
  RecordingService service;
  service.has_network("blog", "10.60.0.0/24");
  EXPECT_EQ(run(add_call({{"network", "blog"}, {"subnet", "10.1.0.0/24"}}), service).exit_code, 0);
  EXPECT_EQ(service.call("create_network"), nullptr);
  EXPECT_EQ((*service.call("attach"))["network"], "blog");
}

TEST(Add, SaysHowToMakeTheNetworkItShouldJoin) {
  RecordingService service;
  const Outcome outcome = run(add_call({{"network", "blog"}}), service);
  expect_failure(outcome, 103, "network blog does not exist");
  EXPECT_EQ(answer_of(outcome)["details"],
            "the network to join must exist; make it first: fairlead network create blog");
}

TEST(Add, NamesTheDifferenceToAnExistingNetworkOfTheName) {
  RecordingService service;
  EXPECT_CALL(service, create_network)
      .WillOnce(Return(fail(Code::kConflict, "create network shop: its mtu is 1500, not 1400")));
  const Outcome outcome = run(add_call({}), service);
  expect_failure(outcome, 105, "its mtu is 1500, not 1400");
  EXPECT_THAT(answer_of(outcome)["details"].get<std::string>(), HasSubstr("\"network\": \"shop\""));
}

struct Mapping {
  Code code;
  int cni;
};
class FailedAttach : public ::testing::TestWithParam<Mapping> {};

TEST_P(FailedAttach, IsToldUnderItsCode) {
  RecordingService service;
  EXPECT_CALL(service, attach(_, _))
      .WillOnce(Return(fail(GetParam().code, "attach web: the reason")));
  expect_failure(run(add_call({}), service), GetParam().cni, "attach web: the reason");
}
INSTANTIATE_TEST_SUITE_P(
    Codes, FailedAttach,
    ::testing::Values(Mapping{Code::kInvalid, 7}, Mapping{Code::kNotFound, 103},
                      Mapping{Code::kExists, 104}, Mapping{Code::kConflict, 105},
                      Mapping{Code::kInUse, 101}, Mapping{Code::kExhausted, 102},
                      Mapping{Code::kUnsupported, 106}, Mapping{Code::kUnavailable, 11},
                      Mapping{Code::kIo, 5}, Mapping{Code::kInternal, 999}),
    [](const auto& test) { return std::string(to_string(test.param.code)); });

// A caller that is there for the first `asked` times that the plugin looks.
Call hanging_up_after(int asked) {
  Call call = add_call({});
  call.hung_up = [left = asked]() mutable { return left-- <= 0; };
  return call;
}

TEST(Add, DoesNotBeginForACallerThatHasHungUp) {
  RecordingService service;
  expect_failure(run(hanging_up_after(0), service), 11, "the caller hung up");
  EXPECT_EQ(service.calls, json::Json::array());
}

TEST(Add, IsUndoneForACallerThatHangsUpMeanwhile) {
  RecordingService service;
  expect_failure(run(hanging_up_after(1), service), 11, "the caller hung up");
  EXPECT_EQ(service.call("remove_endpoint")->at("id"), service.call("attach")->at("id"));
}

// The turn that the mock hands out, and whether it is held now.
class Turns {
 public:
  explicit Turns(RecordingService& service) {
    ON_CALL(service, take_turn).WillByDefault([this](const std::string& id) {
      ids.push_back(id);
      auto turn = std::make_shared<const int>(0);
      turn_ = turn;
      return Result<network::Turn>(std::move(turn));
    });
  }
  bool held() const { return !turn_.expired(); }
  std::vector<std::string> ids;

 private:
  std::weak_ptr<const void> turn_;
};

TEST(Add, HasTheTurnFromTheNetworkToTheEnd) {
  RecordingService service;
  Turns turns(service);
  const auto held = [&] { EXPECT_TRUE(turns.held()); };
  EXPECT_CALL(service, create_network).WillOnce(::testing::DoAll(held, Return(network::Network{})));
  EXPECT_CALL(service, attach(_, _))
      .WillOnce(::testing::DoAll(held, Return(fail(Code::kIo, "no"))));
  run(add_call({}), service);
  EXPECT_FALSE(turns.held());
}

TEST(Del, WaitsForItsTurnWithTheAdd) {
  RecordingService service;
  Turns turns(service);
  EXPECT_CALL(service, remove_endpoint(_))
      .WillOnce(::testing::DoAll([&] { EXPECT_TRUE(turns.held()); }, Return(Status())));
  run(add_call({}), service);
  EXPECT_EQ(run(verb_call("DEL", {}), service), Outcome{});
  ASSERT_EQ(turns.ids.size(), 2U);
  EXPECT_EQ(turns.ids[0], turns.ids[1]);
  EXPECT_FALSE(turns.held());
}

TEST(Del, ThatWaitsInVainIsToBeTriedAgain) {
  RecordingService service;
  EXPECT_CALL(service, take_turn).WillOnce(Return(fail(Code::kUnavailable, "web is busy")));
  EXPECT_CALL(service, remove_endpoint(_)).Times(0);
  expect_failure(run(verb_call("DEL", {}), service), 11, "web is busy");
}

TEST(Add, RoutesWithoutGatewayLeadThroughThatOfTheNetwork) {
  RecordingService service;
  run(add_call({{"subnet", "10.1.0.0/24"},
                {"routes", {{{"dst", "10.9.0.0/16"}}, {{"dst", "10.8.0.0/16"}, {"scope", 253}}}}}),
      service);
  EXPECT_EQ((*service.call("attach"))["routes"],
            json::Json::parse(
                R"([{"dst":"10.9.0.0/16","via":"10.1.0.1"},{"dst":"10.8.0.0/16","scope":253}])"));
}

TEST(Add, TheDefaultRouteThatComesAnywayIsNotAskedForTwice) {
  RecordingService service;
  run(add_call({{"subnet", "10.1.0.0/24"}, {"routes", {{{"dst", "0.0.0.0/0"}}}}}), service);
  EXPECT_FALSE(service.call("attach")->contains("routes"));
}

TEST(Add, ADefaultRouteThroughARouterOfOnesOwnIsKeptWhereTheNetworkHasNoGateway) {
  RecordingService service;
  run(add_call(
          {{"subnet", "10.1.0.0/24"}, {"isGateway", false}, {"routes", {{{"dst", "0.0.0.0/0"}}}}}),
      service);
  EXPECT_EQ((*service.call("attach"))["routes"],
            json::Json::parse(R"([{"dst":"0.0.0.0/0","via":"10.1.0.1"}])"));
}

TEST(Add, TakesTheAttachmentBackWhenTheVersionCannotTellIt) {
  RecordingService service;
  EXPECT_CALL(service, attach(_, _)).WillOnce(Return(network::Attachment{}));
  expect_failure(run(add_call({{"cniVersion", "0.2.0"}}), service), 7, "must have an address");
  EXPECT_NE(service.call("remove_endpoint"), nullptr);
}

TEST(Add, LeavesTheSubnetsToTheRuntimesRangesWhenThereAreNone) {
  RecordingService service;
  run(add_call({{"runtimeConfig", {{"ipRanges", {{{{"subnet", "10.7.0.0/24"}}}}}}}}), service);
  EXPECT_EQ((*service.call("create_network"))["subnets"],
            json::Json::parse(R"([{"subnet":"10.7.0.0/24"}])"));
}

TEST(Add, TheRuntimesRangesReplaceThoseOfTheirFamilyOnly) {
  RecordingService service;
  run(add_call(
          {{"subnets",
            {{{"subnet", "10.1.0.0/24"}, {"rangeStart", "10.1.0.10"}, {"rangeEnd", "10.1.0.12"}},
             {{"subnet", "fd00::/64"}, {"rangeStart", "fd00::10"}, {"rangeEnd", "fd00::12"}}}},
           {"runtimeConfig",
            {{"ipRanges",
              {{{{"subnet", "10.1.0.0/24"},
                 {"rangeStart", "10.1.0.64"},
                 {"rangeEnd", "10.1.0.127"}}}}}}}}),
      service);
  EXPECT_EQ((*service.call("attach"))["range_sets"],
            json::Json::parse(R"([["10.1.0.64/26"],["fd00::10/127","fd00::12/128"]])"));
}

// Of a subnet inside of the network's own, host-local gives neither the first address nor the last.
TEST(Add, ARangeOfTheRuntimesThatIsAPartOfTheSubnetBeginsAtItsFirstHost) {
  RecordingService service;
  run(add_call({{"subnet", "10.54.0.0/16"},
                {"runtimeConfig", {{"ipRanges", {{{{"subnet", "10.54.7.0/29"}}}}}}}}),
      service);
  EXPECT_EQ(
      (*service.call("attach"))["range_sets"],
      json::Json::parse(R"([["10.54.7.1/32","10.54.7.2/31","10.54.7.4/31","10.54.7.6/32"]])"));
}

TEST(Add, TheRuntimesRangeThatIsTheWholeSubnetIsLeftToTheNetwork) {
  RecordingService service;
  run(add_call({{"subnet", "10.54.7.0/24"},
                {"runtimeConfig", {{"ipRanges", {{{{"subnet", "10.54.7.0/24"}}}}}}}}),
      service);
  EXPECT_EQ((*service.call("attach"))["range_sets"], json::Json::parse(R"([["10.54.7.0/24"]])"));
}

// ---- DEL

TEST(Del, SucceedsWithoutNamespaceAndWithoutNetwork) {
  StrictMock<MockNetworkService> service;
  EXPECT_CALL(service, take_turn).WillOnce(Return(network::Turn()));
  EXPECT_CALL(service, remove_endpoint(_))
      .WillOnce(Return(fail(Code::kNotFound, "network shop does not exist")));
  EXPECT_EQ(run(in_netns(verb_call("DEL", {}), ""), service), Outcome{});
}

TEST(Del, DoesNotReadWhatItDoesNotNeed) {
  RecordingService service;
  const Outcome outcome = run(verb_call("DEL", {{"prevResult", "broken"},
                                                {"ipam", {{"type", "../whereabouts"}}},
                                                {"vlan", 5},
                                                {"runtimeConfig", 7},
                                                {"options", {{"mtu", "x"}}}}),
                              service);
  EXPECT_EQ(outcome, Outcome{});
}

TEST(Del, FindsTheEndpointThatAddMade) {
  RecordingService service;
  run(add_call({}), service);
  run(verb_call("DEL", {}), service);
  EXPECT_EQ((*service.call("attach"))["id"], (*service.call("remove_endpoint"))["id"]);
}

TEST(Del, TellsRealFailures) {
  StrictMock<MockNetworkService> service;
  EXPECT_CALL(service, take_turn).WillOnce(Return(network::Turn()));
  EXPECT_CALL(service, remove_endpoint(_))
      .WillOnce(Return(fail(Code::kUnavailable, "network shop is busy")));
  expect_failure(run(verb_call("DEL", {}), service), 11, "busy");
}

// ---- CHECK, GC, STATUS, VERSION

TEST(Check, Needs040AndPrevResult) {
  StrictMock<MockNetworkService> untouched;
  expect_failure(run(verb_call("CHECK", {{"cniVersion", "0.3.1"}}), untouched), 1,
                 "config version does not allow CHECK");
  expect_failure(run(verb_call("CHECK", {}), untouched), 7, "prevResult is missing");
  expect_failure(run(verb_call("CHECK", {{"prevResult", {{"ips", 5}}}}), untouched), 7, "ips");
}

TEST(Check, TellsTheFirstDifference) {
  RecordingService service;
  EXPECT_CALL(service, check(_, _))
      .WillOnce(Return(fail(Code::kConflict, "address 10.1.0.2/24 is missing on eth0")));
  expect_failure(run(verb_call("CHECK", {{"prevResult", json::Json::object()}}), service), 105,
                 "is missing on eth0");
}

TEST(Gc, Needs110) {
  StrictMock<MockNetworkService> untouched;
  expect_failure(run(verb_call("GC", {{"cniVersion", "1.0.0"}}), untouched), 1,
                 "config version does not allow GC");
}

TEST(Gc, WithoutAListDoesNothing) {
  StrictMock<MockNetworkService> untouched;
  EXPECT_EQ(run(verb_call("GC", {}), untouched), Outcome{});
  EXPECT_EQ(run(verb_call("GC", {{"cni.dev/valid-attachments", nullptr}}), untouched), Outcome{});
}

TEST(Gc, WithAnEmptyListFreesAll) {
  RecordingService service;
  EXPECT_EQ(run(verb_call("GC", {{"cni.dev/valid-attachments", json::Json::array()}}), service),
            Outcome{});
  EXPECT_EQ((*service.call("collect"))["valid"], json::Json::array());
}

TEST(Gc, RefusesAListItCannotReadRatherThanFreeWhatIsInIt) {
  StrictMock<MockNetworkService> untouched;
  expect_failure(
      run(verb_call("GC", {{"cni.dev/valid-attachments", {{{"containerID", 5}}}}}), untouched), 7,
      "containerID");
  expect_failure(run(verb_call("GC", {{"cni.dev/valid-attachments", "x"}}), untouched), 7,
                 "must be an array");
}

TEST(Gc, TellsWhatCouldNotBeFreed) {
  RecordingService service;
  EXPECT_CALL(service, collect(_, _, _))
      .WillOnce(Return(fail(Code::kIo, "remove endpoint a: ...; remove endpoint b: ...")));
  expect_failure(
      run(verb_call("GC", {{"cni.dev/valid-attachments", json::Json::array()}}), service), 5,
      "remove endpoint b");
}

TEST(Status, IsReadyBeforeTheFirstAdd) {
  RecordingService service;
  EXPECT_EQ(run(verb_call("STATUS", {}), service), Outcome{});
}

TEST(Status, IsNotAvailableWhileTheNetworkToJoinIsMissing) {
  RecordingService service;
  expect_failure(run(verb_call("STATUS", {{"network", "blog"}}), service), 50,
                 "blog does not exist");
}

TEST(Status, IsNotAvailableWhileNoAddressIsFree) {
  RecordingService service;
  EXPECT_CALL(service, inspect_network(_)).WillRepeatedly(Return(network::Network()));
  EXPECT_CALL(service, check_room(_)).WillOnce([](const network::EndpointSpec& spec) -> Status {
    EXPECT_EQ(to_string(spec.network), "shop");
    EXPECT_EQ(spec.range_sets.size(), 2U);
    return fail(Code::kExhausted, "no address of 10.53.0.0/30 is free");
  });
  expect_failure(
      run(verb_call(
              "STATUS",
              {{"ipam",
                {{"ranges", {{{{"subnet", "10.53.0.0/30"}}}, {{{"subnet", "10.54.0.0/30"}}}}}}}}),
          service),
      50, "no address of 10.53.0.0/30 is free");
}

TEST(Status, IsNotAvailableWhenTheStateCannotBeRead) {
  RecordingService service;
  EXPECT_CALL(service, inspect_network(_))
      .WillOnce(Return(fail(Code::kIo, "read /var/lib/fairlead/state.db: disk I/O error")));
  expect_failure(run(verb_call("STATUS", {}), service), 50, "disk I/O error");
}

TEST(Status, IsNotAvailableWhenTheCoreCannotBeOpened) {
  const Prepared prepared = prepare(verb_call("STATUS", {}));
  ASSERT_TRUE(prepared.request);
  expect_failure(unavailable(*prepared.request, {Code::kIo, 0, "open state"}), 50, "open state");
  const Prepared add = prepare(add_call({}));
  ASSERT_TRUE(add.request);
  expect_failure(unavailable(*add.request, {Code::kUnavailable, 0, "open state"}), 11,
                 "open state");
}

TEST(VersionVerb, IsAnsweredWhateverIsOnStdin) {
  StrictMock<MockNetworkService> untouched;
  for (const char* input : {"", "{", "[]", "null", "{\"cniVersion\":7}", "{\"cniVersion\":\"\"}"}) {
    const Outcome outcome = run(testing::call_of({{"CNI_COMMAND", "VERSION"}}, input), untouched);
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_EQ(answer_of(outcome)["supportedVersions"].size(), 7U) << input;
  }
}

TEST(Run, WithoutACommandSaysWhatItIsOnStderr) {
  StrictMock<MockNetworkService> untouched;
  const Outcome outcome = run(testing::call_of(json::Json::object(), ""), untouched);
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, HasSubstr("CNI protocol versions supported: 0.1.0, 0.2.0"));
}

// ---- what is wrong with any verb

TEST(Refused, WrongNamesAndVersionsAndTexts) {
  StrictMock<MockNetworkService> untouched;
  expect_failure(run(add_call({{"name", ""}}), untouched), 7, "network name is missing");
  expect_failure(run(add_call({{"name", "a/b"}}), untouched), 7, "is not a network name");
  expect_failure(run(add_call({{"name", 5}}), untouched), 6, "field name must be a string");
  expect_failure(run(add_call({{"cniVersion", 5}}), untouched), 6,
                 "field cniVersion must be a string");
  expect_failure(run(add_call({{"cniVersion", "1.0"}}), untouched), 1, "incompatible CNI versions");
  const auto with_input = [](const char* input) {
    Call call = add_call({});
    call.input = input;
    return call;
  };
  for (const char* input : {"", "{", "[1]", "null", "5", "{\"name\":\"a\"} x"})
    expect_failure(run(with_input(input), untouched), 6, "");
}

TEST(Refused, AnErrorIsToldInTheVersionOfTheConfiguration) {
  StrictMock<MockNetworkService> untouched;
  EXPECT_EQ(
      answer_of(run(add_call({{"cniVersion", "0.4.0"}, {"name", ""}}), untouched))["cniVersion"],
      "0.4.0");
  EXPECT_EQ(answer_of(run(add_call({{"cniVersion", "9.9.9"}}), untouched))["cniVersion"], "1.1.0");
}

}  // namespace
}  // namespace fairlead::cni
