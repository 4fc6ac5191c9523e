#include "tests/plugin-api/cli/cli_fixture.h"

namespace fairlead::testing {
namespace {

using network::EndpointRef;
using network::NetworkRef;
using network::NetworkText;
using ::testing::AllOf;
using ::testing::Field;
using ::testing::Return;

class EndpointCommand : public CliTest {
 protected:
  EndpointCommand() { has_endpoints(); }

  // The id of the endpoint that `endpoint rm <text>` removes, or what it complains.
  std::string removed_by(const std::string& text) {
    std::string removed;
    ON_CALL(*networks_, remove_endpoint).WillByDefault([&](const EndpointRef& ref) -> Status {
      removed = to_string(ref.network) + "/" + ref.id;
      return {};
    });
    const Outcome outcome = run("endpoint rm " + text);
    return outcome.exit_code == cli::kDone ? removed : outcome.err;
  }

  const std::string web_ = kShopId + "/" + web_endpoint().id;
};

TEST_F(EndpointCommand, EmptyListsHaveOnlyAHeader) {
  EXPECT_CALL(*networks_, list_endpoints).WillRepeatedly(Return(std::vector<network::Endpoint>{}));
  EXPECT_EQ(
      run("endpoint ls").out,
      "ENDPOINT ID   NETWORK   CONTAINER   INTERFACE   ADDRESSES   PORTS   RUNTIME   CREATED\n");
  EXPECT_EQ(run("endpoint ls -q").out, "");
  EXPECT_EQ(run("endpoint ls --json").out, "[]\n");
}

TEST_F(EndpointCommand, ListsThoseOfOneNetwork) {
  EXPECT_CALL(*networks_, list_endpoints(std::optional(NetworkRef(NetworkText{"shop"}))))
      .WillOnce(Return(std::vector{web_endpoint()}));
  EXPECT_EQ(run("endpoint ls -q --network shop").out,
            "shop/" + web_endpoint().id.substr(0, 12) + "\n");
}

TEST_F(EndpointCommand, IsFoundByIdByItsBeginningAndByContainer) {
  EXPECT_EQ(removed_by(web_endpoint().id), web_);
  EXPECT_EQ(removed_by(web_endpoint().id.substr(0, 12)), web_);
  EXPECT_EQ(removed_by("web"), web_);
  EXPECT_EQ(removed_by("-f cccccccccccc"),
            waiting_endpoint().network_id + "/" + waiting_endpoint().id)
      << "the short id of a container";
}

TEST_F(EndpointCommand, IsFoundByTheNameOfItsContainerOrPod) {
  network::Endpoint pod = web_endpoint(), container = waiting_endpoint();
  pod.names = {.name = "default/web-0"};
  container.names = {.name = "shop_db_1"};
  ON_CALL(*networks_, list_endpoints).WillByDefault([=](const auto&) {
    return std::vector{pod, container};
  });
  EXPECT_EQ(removed_by("default/web-0"), web_);
  EXPECT_EQ(removed_by("web-0"), web_);
  EXPECT_EQ(removed_by("-f shop_db_1"),
            waiting_endpoint().network_id + "/" + waiting_endpoint().id);
  EXPECT_NE(removed_by("shop_db_1").find("`docker network disconnect -f"), std::string::npos);
}

TEST_F(EndpointCommand, WhatListsPrintQuietlyIsFoundAgain) {
  EXPECT_CALL(*networks_, list_endpoints(std::optional(NetworkRef(NetworkText{"shop"}))))
      .WillOnce(Return(std::vector{web_endpoint()}));
  EXPECT_EQ(removed_by("shop/" + web_endpoint().id.substr(0, 12)), web_);
}

TEST_F(EndpointCommand, AShortBeginningIsNotEnough) {
  EXPECT_EQ(removed_by("ee"),
            "fairlead: remove endpoint ee: there is no such endpoint; \"fairlead endpoint ls\" "
            "lists them\n");
}

TEST_F(EndpointCommand, AnAmbiguousNameIsRefusedWithTheCandidates) {
  network::Endpoint second = web_endpoint();
  second.id = std::string(32, 'f');
  EXPECT_CALL(*networks_, list_endpoints)
      .WillRepeatedly(Return(std::vector{web_endpoint(), second}));
  EXPECT_EQ(removed_by("web"),
            "fairlead: remove endpoint web: 2 endpoints are called so; say which: shop/" +
                web_endpoint().id.substr(0, 12) + ", shop/ffffffffffff\n");
}

TEST_F(EndpointCommand, RemovesNothingWhereAnotherStoreOwnsTheNamespace) {
  foreign_ = Error{Code::kInUse, 0, "they belong to the store in /srv/other"};
  EXPECT_CALL(*networks_, remove_endpoint).Times(0);
  EXPECT_EQ(removed_by("-f web"),
            "fairlead: remove endpoint web: they belong to the store in /srv/other\n");
}

TEST_F(EndpointCommand, RemoveByForceIgnoresWhatIsMissing) {
  EXPECT_EQ(run("endpoint rm gone").exit_code, cli::kFailed);
  EXPECT_EQ(run("endpoint rm -f gone web").exit_code, cli::kDone);
}

TEST_F(EndpointCommand, WhatDockerMadeIsRemovedByItsOwnCommandOrByForce) {
  network::Network dockers = plain_network();
  dockers.id = waiting_endpoint().network_id;
  dockers.name = NetworkName::parse("docker-" + dockers.id.substr(0, 12)).value();
  ON_CALL(*networks_, inspect_network(NetworkRef(network::NetworkId{dockers.id})))
      .WillByDefault(Return(dockers));
  EXPECT_EQ(
      removed_by("cccccccccccc"),
      "fairlead: remove endpoint cccccccccccc: endpoint eeeeeeeeeeee on network "
      "docker-bbbbbbbbbbbb was made by Docker, whose container would lose its network; "
      "remove it with `docker network disconnect -f bbbbbbbbbbbb CONTAINER` or `docker rm -f "
      "CONTAINER` (`docker network inspect bbbbbbbbbbbb` names the container); -f (force=true) "
      "removes one that Docker does not know any more\n");
  ON_CALL(*networks_, inspect_network(NetworkRef(network::NetworkId{dockers.id})))
      .WillByDefault(Return(shop_network()));
  EXPECT_THAT(removed_by("cccccccccccc"),
              ::testing::HasSubstr("docker network disconnect -f shop CONTAINER"))
      << "on a network that Docker joined";
  EXPECT_EQ(removed_by("-f cccccccccccc"),
            waiting_endpoint().network_id + "/" + waiting_endpoint().id);
  EXPECT_EQ(removed_by("web"), web_);
}

TEST_F(EndpointCommand, InspectOfWhatIsMissingFails) {
  const Outcome outcome = run("endpoint inspect gone");
  EXPECT_EQ(outcome.exit_code, cli::kFailed);
  EXPECT_EQ(outcome.out, "[]\n");
}

class PortCommand : public CliTest {};

TEST_F(PortCommand, EmptyListsHaveOnlyAHeader) {
  EXPECT_EQ(run("port ls").out, "PORT   TARGET   NETWORK   CONTAINER\n");
  EXPECT_EQ(run("port ls -q").out, "");
}

TEST_F(PortCommand, ListsThoseOfOneNetwork) {
  network::PortHolder other = web_port();
  other.network_name = "other";
  other.network_id = std::string(64, 'f');
  other.port.host_port = 54;
  EXPECT_CALL(*networks_, list_ports).WillRepeatedly(Return(std::vector{web_port(), other}));
  network::Network other_network = plain_network();
  other_network.id = other.network_id;
  ON_CALL(*networks_, inspect_network(NetworkRef(NetworkText{"shop"})))
      .WillByDefault(Return(shop_network()));
  for (const char* name : {"ffff", "of-docker"})
    ON_CALL(*networks_, inspect_network(NetworkRef(NetworkText{name})))
        .WillByDefault(Return(other_network));
  EXPECT_EQ(run("port ls -q").out, "127.0.0.1:53->53/udp\n127.0.0.1:54->53/udp\n");
  EXPECT_EQ(run("port ls -q --network shop").out, "127.0.0.1:53->53/udp\n");
  EXPECT_EQ(run("port ls -q --network ffff").out, "127.0.0.1:54->53/udp\n");
  EXPECT_EQ(run("port ls -q --network of-docker").out, "127.0.0.1:54->53/udp\n")
      << "whatever the service knows the network by";
}

TEST_F(PortCommand, ANetworkThatIsNotThereIsNoEmptyList) {
  EXPECT_CALL(*networks_, list_ports).WillRepeatedly(Return(std::vector{web_port()}));
  EXPECT_CALL(*networks_, inspect_network(NetworkRef(NetworkText{"nosuch"})))
      .WillRepeatedly(Return(fail(Code::kNotFound, "network nosuch does not exist")));
  for (const char* line : {"port ls --network nosuch", "port ls -q --network nosuch",
                           "port ls --json --network nosuch"}) {
    const Outcome outcome = run(line);
    EXPECT_EQ(outcome.exit_code, cli::kFailed) << line;
    EXPECT_EQ(outcome.err, "fairlead: list ports: network nosuch does not exist\n") << line;
    EXPECT_EQ(outcome.out, "") << line;
  }
}

class PublishCommand : public EndpointCommand {
 protected:
  // What the service is asked for, as "-udp 5353-5360 +8080:80".
  Outcome run_and_note(const std::string& line) {
    ON_CALL(*networks_, change_ports)
        .WillByDefault(
            [&](const EndpointRef& ref,
                const network::PortChange& change) -> Result<std::vector<network::PublishedPort>> {
              asked_ = to_string(ref.network) + "/" + ref.id;
              for (const network::PortChoice& choice : change.remove)
                asked_ += fmt::format(" -{} {}-{}", to_string(choice.proto), choice.host_port,
                                      choice.host_port_end);
              std::vector<network::PublishedPort> ports;
              for (const network::PortSpec& spec : change.add) {
                asked_ += fmt::format(" +{} {}:{}", to_string(spec.proto), spec.host_port,
                                      spec.container_port);
                if (spec.max_connections != 0)
                  asked_ += fmt::format(" max {}", spec.max_connections);
                ports.push_back({spec.proto, spec.host_ip, spec.host_port, spec.container_port,
                                 spec.host_port_end, spec.max_connections});
              }
              return ports;
            });
    return run(line);
  }
  std::string asked_;
};

TEST_F(PublishCommand, AddsPortsAndShowsAll) {
  EXPECT_EQ(run_and_note("publish web 9000:90 127.0.0.1:7000-7009:7000-7009/udp").out,
            "0.0.0.0:9000->90/tcp, [::]:9000->90/tcp, 127.0.0.1:7000-7009->7000-7009/udp\n");
  EXPECT_EQ(asked_, web_ + " +tcp 9000:90 +udp 7000:7000");
}

TEST_F(PublishCommand, IsOfOneNetworkWhenThatIsNamed) {
  EXPECT_CALL(*networks_, list_endpoints(std::optional(NetworkRef(NetworkText{"shop"}))))
      .WillOnce(Return(std::vector{web_endpoint()}));
  EXPECT_EQ(run_and_note("publish --network shop web 9000:90").exit_code, cli::kDone);
  EXPECT_EQ(asked_, web_ + " +tcp 9000:90");
}

TEST_F(PublishCommand, AWrongPortIsNamedBeforeAnythingIsDone) {
  const Outcome outcome = run_and_note("publish web 9000:90 9001:99999");
  EXPECT_EQ(outcome.exit_code, cli::kFailed);
  EXPECT_EQ(outcome.err,
            "fairlead: publish ports of web: port \"9001:99999\": \"99999\" is no port: 1 to "
            "65535\n");
  EXPECT_EQ(asked_, "");
}

TEST_F(PublishCommand, LimitsTheConnectionsToEachPort) {
  EXPECT_EQ(
      run_and_note("publish --max-connections 100 web 9000:90 127.0.0.1:53:53/udp").out,
      "0.0.0.0:9000->90/tcp (max 100), [::]:9000->90/tcp (max 100), 127.0.0.1:53->53/udp (max "
      "100)\n");
  EXPECT_EQ(asked_, web_ + " +tcp 9000:90 max 100 +udp 53:53 max 100");
  asked_.clear();
  for (const char* wrong : {"0", "-1", "4294967296", "many", "\"\""}) {
    const Outcome outcome =
        run_and_note(fmt::format("publish web 9000:90 --max-connections={}", wrong));
    EXPECT_NE(outcome.exit_code, cli::kDone) << wrong;
    EXPECT_THAT(outcome.err, ::testing::HasSubstr("--max-connections")) << wrong;
  }
  EXPECT_EQ(asked_, "");
}

TEST_F(PublishCommand, RemovesThoseThatAreThere) {
  network::Endpoint web = web_endpoint();
  web.ports = {{network::Proto::kTcp, {}, 8080, 80}, {network::Proto::kUdp, {}, 5353, 53}};
  EXPECT_CALL(*networks_, list_endpoints).WillRepeatedly(Return(std::vector{web}));
  EXPECT_EQ(run_and_note("unpublish web 8080:80 5353/udp").exit_code, cli::kDone);
  EXPECT_EQ(asked_, web_ + " -tcp 8080-0 -udp 5353-0");
  asked_.clear();
  EXPECT_EQ(run_and_note("unpublish web 5353").err,
            "fairlead: unpublish ports of web: port 5353 is not published on network shop; "
            "published: 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp, 0.0.0.0:5353->53/udp, "
            "[::]:5353->53/udp\n");
  EXPECT_EQ(asked_, "");
}

TEST_F(PublishCommand, WithoutAPortAllAreRemoved) {
  EXPECT_CALL(*networks_, unpublish).WillOnce([&](const EndpointRef& ref) -> Status {
    asked_ = to_string(ref.network) + "/" + ref.id;
    return {};
  });
  EXPECT_EQ(run("unpublish web").exit_code, cli::kDone);
  EXPECT_EQ(asked_, web_);
}

TEST_F(PortCommand, FailuresAreTold) {
  EXPECT_CALL(*networks_, list_ports).WillOnce(Return(fail(Code::kIo, "the table is gone")));
  const Outcome outcome = run("port ls");
  EXPECT_EQ(outcome.exit_code, cli::kFailed);
  EXPECT_EQ(outcome.err, "fairlead: list ports: the table is gone\n");
}

}  // namespace
}  // namespace fairlead::testing
