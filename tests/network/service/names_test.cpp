// Names of Docker's networks and containers: kept, shown, found by, and forgotten.
#include <gmock/gmock.h>

#include "network/service/events.h"
#include "network/service/keys.h"
#include "tests/support/fake_host.h"

namespace fairlead::testing {
namespace {

using network::ContainerNames;
using network::NamedEndpoint;
using network::NetworkText;
using network::RuntimeNetwork;
using network::RuntimeNetworkId;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Names : public ::testing::Test {
 protected:
  Names() { host_.open(); }

  network::NetworkService& service() { return *host_.service; }
  network::NameService& names() { return host_.core->names(); }

  // As Docker makes one, of which it says only the id.
  std::string dockers_network(char digit, const std::string& subnet) {
    const std::string id(64, digit);
    network::NetworkSpec spec{.name = *NetworkName::parse("docker-" + id.substr(0, 12)), .id = id};
    spec.subnets.push_back({.subnet = Cidr::parse(subnet).value()});
    const auto made = service().create_network(spec);
    EXPECT_TRUE(made) << made.error().text;
    return id;
  }
  void dockers_endpoint(const std::string& network, const std::string& id) {
    const auto made = service().create_endpoint(
        {.network = RuntimeNetworkId{network}, .id = id, .runtime = "docker"});
    ASSERT_TRUE(made) << made.error().text;
  }
  Status publish(const std::string& network, const std::string& id, std::uint16_t port) {
    const std::vector<network::PortSpec> ports{{.host_port = port, .container_port = 80}};
    return status_of(service().publish({RuntimeNetworkId{network}, id}, ports));
  }
  void call_network(const std::string& id, const std::string& name,
                    const std::string& project = "") {
    const std::vector<RuntimeNetwork> all{{id, name, project}};
    const Status kept = names().keep(all);
    ASSERT_TRUE(kept) << kept.error().text;
  }
  void call_endpoint(const std::string& network, const std::string& endpoint,
                     const ContainerNames& called) {
    const std::vector<NamedEndpoint> all{{network, endpoint, std::string(64, 'c'), called}};
    const Status kept = names().keep(all);
    ASSERT_TRUE(kept) << kept.error().text;
  }
  std::vector<std::string> name_records() {
    std::vector<std::string> keys;
    for (const auto prefix : {network::keys::kRuntimeNetworks, network::keys::kEndpointNames}) {
      const auto records = host_.store.list(prefix, {}, 0);
      for (const state::Record& record : *records) keys.push_back(record.key);
    }
    return keys;
  }

  FakeHost host_;
};

TEST_F(Names, DockersNetworkIsShownAndFoundByItsNameThere) {
  const auto id = dockers_network('a', "10.20.0.0/24");
  call_network(id, "shop_default", "shop");
  const auto found = service().inspect_network(NetworkText{"shop_default"});
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_EQ(found->id, id);
  EXPECT_EQ(title_of(*found), "shop_default");
  EXPECT_EQ(project_of(*found), "shop");
  EXPECT_EQ(title_of(service().list_networks()->front().network), "shop_default");
  EXPECT_FALSE(service().inspect_network(NetworkName::parse("shop_default").value()))
      << "another protocol's name of a network is no name of it";
  host_.open();  // dockerd may be away when the daemon starts again
  EXPECT_TRUE(service().inspect_network(NetworkText{"shop_default"}));
}

TEST_F(Names, ANameWithABlankIsFoundToo) {
  call_network(dockers_network('a', "10.20.0.0/24"), "my shop");
  EXPECT_TRUE(service().inspect_network(NetworkText{"my shop"}));
  EXPECT_FALSE(service().inspect_network(NetworkText{"my other shop"}));
}

TEST_F(Names, AnOwnNameGoesBeforeDockers) {
  const auto own =
      service().create_network({.name = *NetworkName::parse("shop"),
                                .subnets = {{.subnet = Cidr::parse("10.9.0.0/24").value()}}});
  ASSERT_TRUE(own);
  call_network(dockers_network('a', "10.20.0.0/24"), "shop");
  EXPECT_EQ(service().inspect_network(NetworkText{"shop"})->id, own->id);
}

TEST_F(Names, TwoNetworksOfOneNameAreToldApartByTheirIds) {
  call_network(dockers_network('a', "10.20.0.0/24"), "shop");
  call_network(dockers_network('b', "10.21.0.0/24"), "shop");
  const auto found = service().inspect_network(NetworkText{"shop"});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::kInvalid);
  EXPECT_THAT(found.error().text, HasSubstr("aaaaaaaaaaaa, bbbbbbbbbbbb"));
  EXPECT_TRUE(service().inspect_network(NetworkText{std::string(12, 'b')}));
}

TEST_F(Names, ABoundNetworkKeepsItsOwnName) {
  ASSERT_TRUE(
      service().create_network({.name = *NetworkName::parse("lab"),
                                .subnets = {{.subnet = Cidr::parse("10.9.0.0/24").value()}}}));
  const std::string runtime_id(64, 'd');
  ASSERT_TRUE(service().bind_network(runtime_id, *NetworkName::parse("lab")));
  call_network(runtime_id, "shop_lab", "shop");
  const auto found = service().inspect_network(NetworkText{"shop_lab"});
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_EQ(title_of(*found), "lab");
  EXPECT_EQ(project_of(*found), "shop");
  ASSERT_TRUE(service().unbind_network(runtime_id));
  EXPECT_FALSE(service().inspect_network(NetworkText{"shop_lab"}));
  EXPECT_THAT(name_records(), IsEmpty());
}

TEST_F(Names, AContainerIsNamedInListsAndErrors) {
  const auto id = dockers_network('a', "10.20.0.0/24");
  call_network(id, "shop");
  dockers_endpoint(id, "e1");
  dockers_endpoint(id, "e2");
  call_endpoint(id, "e1",
                {.name = "web", .project = "blog", .service = "front", .labels = {{"k", "v"}}});
  const auto endpoint = service().inspect_endpoint({NetworkText{"shop"}, "e1"});
  ASSERT_TRUE(endpoint) << endpoint.error().text;
  EXPECT_EQ(endpoint->names.name, "web");
  EXPECT_EQ(endpoint->names.labels.at("k"), "v");
  EXPECT_EQ(endpoint->container, std::string(64, 'c'));
  ASSERT_TRUE(publish(id, "e1", 8080));
  const auto holders = service().list_ports();
  ASSERT_EQ(holders->size(), 1U);
  EXPECT_EQ(holders->front().names.name, "web");
  EXPECT_EQ(holders->front().network_title, "shop");
  const Status taken = publish(id, "e2", 8080);
  ASSERT_FALSE(taken);
  EXPECT_THAT(taken.error().text, HasSubstr("container web of network shop"));
  EXPECT_THAT(taken.error().text, HasSubstr("compose project blog"));
  const Status removed = service().remove_network(NetworkText{"shop"});
  ASSERT_FALSE(removed);
  EXPECT_THAT(removed.error().text, HasSubstr("web"));
}

TEST_F(Names, ANewNameReplacesTheOldOne) {
  const auto id = dockers_network('a', "10.20.0.0/24");
  dockers_endpoint(id, "e1");
  call_endpoint(id, "e1", {.name = "web"});
  call_endpoint(id, "e1", {.name = "front"});
  EXPECT_EQ(service().inspect_endpoint({RuntimeNetworkId{id}, "e1"})->names.name, "front");
  EXPECT_EQ(name_records().size(), 1U);
}

TEST_F(Names, WhatIsNotNewIsNotWritten) {
  const auto id = dockers_network('a', "10.20.0.0/24");
  dockers_endpoint(id, "e1");
  call_network(id, "shop");
  call_endpoint(id, "e1", {.name = "web"});
  const auto before = host_.store.revision();
  call_network(id, "shop");
  call_endpoint(id, "e1", {.name = "web"});
  EXPECT_EQ(*host_.store.revision(), *before);
}

TEST_F(Names, NamesGoWithTheirOwners) {
  const auto id = dockers_network('a', "10.20.0.0/24");
  call_network(id, "shop");
  dockers_endpoint(id, "e1");
  call_endpoint(id, "e1", {.name = "web"});
  ASSERT_TRUE(service().remove_endpoint({RuntimeNetworkId{id}, "e1"}));
  EXPECT_EQ(name_records().size(), 1U);
  ASSERT_TRUE(service().remove_network(RuntimeNetworkId{id}));
  EXPECT_THAT(name_records(), IsEmpty());
}

TEST_F(Names, OthersObjectsAreNotNamed) {
  const auto id = dockers_network('a', "10.20.0.0/24");
  ASSERT_TRUE(service().create_endpoint(
      {.network = RuntimeNetworkId{id}, .id = "cni", .container = "x", .runtime = "cni"}));
  call_network(std::string(64, 'f'), "bridge");
  call_network("a/b", "slash");
  call_network("", "none");
  call_endpoint(id, "cni", {.name = "web"});
  call_endpoint(id, "gone", {.name = "web"});
  call_endpoint(std::string(64, 'f'), "e1", {.name = "web"});
  call_endpoint(id, "../../x", {.name = "web"});
  EXPECT_THAT(name_records(), IsEmpty());
}

// A name that is kept while its owner is being removed would stay for ever.
TEST_F(Names, AreNotKeptOfWhatIsRemovedMeanwhile) {
  const auto id = dockers_network('a', "10.20.0.0/24");
  dockers_endpoint(id, "e1");
  for (int nth = 1; nth <= 2; ++nth) {
    host_.store.fail_commit(nth, FailingStore::When::kBefore);
    const std::vector<NamedEndpoint> all{{id, "e1", "c", {.name = "web"}}};
    (void)names().keep(all);
    host_.store.heal();
  }
  ASSERT_TRUE(service().remove_endpoint({RuntimeNetworkId{id}, "e1"}));
  EXPECT_THAT(name_records(), IsEmpty());
}

TEST_F(Names, APodIsNamedByWhoeverAttachesIt) {
  const auto id = dockers_network('a', "10.20.0.0/24");
  network::EndpointSpec spec{.network = network::NetworkId{id},
                             .id = "p1",
                             .container = std::string(64, 'e'),
                             .runtime = "cni",
                             .names = {.name = "default/web-0"}};
  const std::vector<network::PortSpec> ports{{.host_port = 8080, .container_port = 80}};
  ASSERT_TRUE(service().create_endpoint(spec));
  ASSERT_TRUE(service().publish({network::NetworkId{id}, "p1"}, ports));
  dockers_endpoint(id, "e1");
  const Status taken = publish(id, "e1", 8080);
  ASSERT_FALSE(taken);
  EXPECT_THAT(taken.error().text,
              HasSubstr("pod default/web-0 of network docker-aaaaaaaaaaaa (cni)"));
  EXPECT_EQ(service().inspect_endpoint({network::NetworkId{id}, "p1"})->names.name,
            "default/web-0");
  EXPECT_THAT(name_records(), IsEmpty()) << "it is in the endpoint's own record";
}

TEST_F(Names, AreChangesForWhoeverFollowsThem) {
  const auto read = network::network_changes_in(host_.store);
  const auto id = dockers_network('a', "10.20.0.0/24");
  dockers_endpoint(id, "e1");
  const auto event = [&](const std::string& key) {
    return state::Event{.record = **host_.store.get(key)};
  };
  call_network(id, "shop", "blog");
  auto changes = read({event(network::keys::runtime_network(id, id))});
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].kind + " " + changes[0].action, "network update");
  EXPECT_EQ(changes[0].attributes.at("runtime_name"), "shop");
  EXPECT_EQ(changes[0].attributes.at("project"), "blog");
  call_endpoint(id, "e1", {.name = "web", .project = "blog"});
  changes = read({event(network::keys::endpoint_names(id, "e1"))});
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].kind + " " + changes[0].action, "endpoint update");
  EXPECT_EQ(changes[0].attributes.at("container_name"), "web");
  EXPECT_EQ(changes[0].attributes.at("network_name"), "shop");
}

}  // namespace
}  // namespace fairlead::testing
