#include "network/explain/ends.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

namespace fairlead::explain {

namespace {

using network::Endpoint;
using Places = std::vector<const Place*>;

constexpr std::size_t kShortestPrefix = 3;

bool is_named(const Endpoint& endpoint, std::string_view text) {
  return endpoint.container == text || endpoint.id == text || endpoint.names.name == text;
}

bool begins_with(const Endpoint& endpoint, std::string_view text) {
  return text.size() >= kShortestPrefix &&
         (endpoint.container.starts_with(text) || endpoint.id.starts_with(text));
}

bool contains(const std::vector<std::string>& names, std::string_view text) {
  return std::ranges::find(names, text) != names.end();
}

// What its neighbours find it by.
bool answers_to(const Endpoint& endpoint, std::string_view text) {
  return contains(endpoint.aliases, text) || contains(endpoint.names.aliases, text) ||
         endpoint.names.service == text || endpoint.names.hostname == text;
}

std::string key_of(const Place& place) {
  const Endpoint& endpoint = place.endpoint;
  return endpoint.container.empty() ? endpoint.id : endpoint.runtime + "/" + endpoint.container;
}

std::size_t containers_in(const Places& places) {
  std::set<std::string> keys;
  for (const Place* place : places) keys.insert(key_of(*place));
  return keys.size();
}

template <class Fits>
Places places_that(const World& world, const std::string& network, const Fits& fits) {
  Places found;
  for (const Place& place : world.places)
    if ((network.empty() || place.network == network) && fits(place.endpoint))
      found.push_back(&place);
  return found;
}

tl::unexpected<Error> ambiguous(const std::string& text, const Places& places) {
  std::vector<std::string> names;
  for (const Place* place : places)
    names.push_back(fmt::format("{}/{}", place->network, place->endpoint.id.substr(0, 12)));
  return fail(Code::kInvalid, "\"{}\" may be any of {}: name one of them", text,
              fmt::join(names, ", "));
}

Result<Places> places_called(const World& world, const std::string& network,
                             const std::string& name) {
  for (const auto& fits : {is_named, begins_with}) {
    Places found =
        places_that(world, network, [&](const Endpoint& each) { return fits(each, name); });
    if (containers_in(found) > 1) return ambiguous(name, found);
    if (!found.empty()) return found;
  }
  return places_that(world, network, [&](const Endpoint& each) { return answers_to(each, name); });
}

End end_at(Places places) {
  std::string title = places.front()->title();
  if (const std::size_t count = containers_in(places); count > 1)
    title += fmt::format(" and {} more", count - 1);
  return {.kind = End::Kind::kContainers, .places = std::move(places), .title = std::move(title)};
}

End at_address(const IpAddress& address, const World& world) {
  if (const Place* holder = world.holder_of(address)) {
    End end = end_at({holder});
    end.addresses = {address};
    return end;
  }
  const bool own = world.facts.is_local(address);
  return {.kind = own ? End::Kind::kHost : End::Kind::kAddress,
          .addresses = {address},
          .title = own ? "the host" : address.to_string()};
}

Result<std::optional<End>> container_called(const std::string& text, const World& world) {
  TRY(auto whole, places_called(world, "", text));
  if (!whole.empty()) return std::optional(end_at(std::move(whole)));
  const std::size_t slash = text.find('/');
  if (slash == text.npos) return std::optional<End>();
  TRY(auto inside, places_called(world, text.substr(0, slash), text.substr(slash + 1)));
  if (inside.empty()) return std::optional<End>();
  return std::optional(end_at(std::move(inside)));
}

tl::unexpected<Error> unknown(const std::string& text) {
  return fail(Code::kNotFound,
              "no container, endpoint or name of the DNS is called \"{}\": give a container, "
              "NETWORK/ENDPOINT, an address, a name, host or outside",
              text);
}

}  // namespace

bool End::is(const Place& place) const {
  return std::ranges::any_of(places,
                             [&](const Place* each) { return key_of(*each) == key_of(place); });
}

IpAddress outside_address(Family family) {
  return *IpAddress::parse(family == Family::kV4 ? "192.0.2.1" : "2001:db8::1");
}

Result<End> find_end(const std::string& text, const World& world, const Resolve& resolve) {
  if (text == "outside") return End{.kind = End::Kind::kOutside, .title = "outside"};
  if (text == "host") return End{.kind = End::Kind::kHost, .title = "the host"};
  if (const auto address = IpAddress::parse(text)) return at_address(*address, world);
  TRY(auto container, container_called(text, world));
  if (container) return std::move(*container);
  if (text.find('/') != text.npos) return unknown(text);
  auto addresses = resolve(text);
  if (!addresses || addresses->empty()) return unknown(text);
  End end = at_address(addresses->front(), world);
  end.addresses = std::move(*addresses);
  end.title = text;
  return end;
}

}  // namespace fairlead::explain
