#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plugin-api/cli/format/template.h"

namespace fairlead::format {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const json::Json& shop() {
  static const json::Json value = json::Json::parse(R"({
    "name": "shop", "id": "aaaaaaaaaaaaaaaa",
    "options": {"mtu": "1400", "mode": "overlay"},
    "subnets": [{"subnet": "10.89.0.0/24", "gateway": "10.89.0.1"}, {"subnet": "fd89::/64"}],
    "ipv6": true, "internal": false,
    "labels": {"app": "web", "team": "a"},
    "dns_servers": [],
    "state": {"phase": "ready", "created": "2026-01-01T00:00:00Z", "endpoints": 3}})");
  return value;
}

std::set<std::string> notes;

// What is shown, or the first line of the error.
std::string shown(std::string_view text) {
  notes.clear();
  const auto form = Template::parse(text);
  const auto all = form ? form->run(shop(), notes) : Result<std::string>(fail(form.error()));
  return all ? *all : "error: " + all.error().text.substr(0, all.error().text.find('\n'));
}

TEST(FormatTest, FieldsByTheirKeysAndByDockersNames) {
  EXPECT_EQ(shown("{{.name}}"), "shop");
  EXPECT_EQ(shown("a {{ .Name }} b"), "a shop b");
  EXPECT_EQ(shown("{{.ID}}"), "aaaaaaaaaaaaaaaa");
  EXPECT_EQ(shown("{{.Driver}} {{.Scope}}"), "overlay global");
  EXPECT_EQ(shown("{{.CreatedAt}} {{.Endpoints}}"), "2026-01-01T00:00:00Z 3");
  EXPECT_EQ(shown("{{.state.phase}} {{.State.Phase}} {{.options.mtu}} {{.MTU}}"),
            "ready ready 1400 1400");
  EXPECT_EQ(shown("{{.Labels}} {{.Labels.app}} {{.DNSServers}}"), "app=web,team=a web []");
  EXPECT_EQ(shown("{{.IPv6}} {{.Internal}}"), "true false");
}

TEST(FormatTest, WhatIsNotThere) {
  EXPECT_EQ(shown("{{.Labels.nothing}} {{.pool.size}}"), "<no value> <no value>");
  EXPECT_THAT(notes, IsEmpty());
  EXPECT_EQ(shown("{{.Nmae}}"), "<no value>");
  EXPECT_THAT(notes, ElementsAre("there is no .Nmae; did you mean .name?"));
  EXPECT_EQ(shown("{{with .pool}}{{.}}{{else}}none{{end}}"), "none");
}

TEST(FormatTest, Blocks) {
  EXPECT_EQ(shown("{{range .subnets}}[{{.subnet}}]{{end}}"), "[10.89.0.0/24][fd89::/64]");
  EXPECT_EQ(shown("{{range $i, $s := .subnets}}{{if $i}}, {{end}}{{$i}}:{{$s.subnet}}{{end}}"),
            "0:10.89.0.0/24, 1:fd89::/64");
  EXPECT_EQ(shown("{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}"), "app=web;team=a;");
  EXPECT_EQ(shown("{{range .DNSServers}}x{{else}}nobody{{end}}"), "nobody");
  EXPECT_EQ(shown("{{if .internal}}in{{else if .ipv6}}six{{else}}four{{end}}"), "six");
  EXPECT_EQ(shown("{{if .internal}}in{{else if .DNSServers}}six{{else}}four{{end}}"), "four");
  EXPECT_EQ(shown("{{range .subnets}}{{$.Name}} {{end}}"), "shop shop ");
  EXPECT_EQ(
      shown("{{$f := true}}{{range .subnets}}{{if $f}}{{$f = false}}{{else}}+{{end}}.{{end}}"),
      ".+.");
  EXPECT_EQ(shown("a  {{- /* nothing */ -}}  b {{- .name -}} c"), "abshopc");
}

TEST(FormatTest, Functions) {
  EXPECT_EQ(shown("{{json .subnets}}"),
            R"([{"gateway":"10.89.0.1","subnet":"10.89.0.0/24"},{"subnet":"fd89::/64"}])");
  EXPECT_EQ(shown("{{.name | upper}} {{upper .name | lower}} {{title .name}}"), "SHOP shop Shop");
  EXPECT_EQ(shown("{{len .subnets}} {{len .name}} {{len .DNSServers}}"), "2 4 0");
  EXPECT_EQ(shown("{{join .subnets[].subnet \", \"}}"), "10.89.0.0/24, fd89::/64");
  EXPECT_EQ(shown("{{.subnets[].subnet | join \" \"}}"), "10.89.0.0/24 fd89::/64");
  EXPECT_EQ(shown("{{index .subnets 1}} {{index .labels \"app\"}}"), "subnet=fd89::/64 web");
  EXPECT_EQ(shown("{{(index .subnets 0).gateway}}"), "10.89.0.1");
  EXPECT_EQ(shown("{{printf \"%-6s|%4d|%q%%\" .name .state.endpoints .name}}"),
            "shop  |   3|\"shop\"%");
  EXPECT_EQ(shown("{{truncate .id 4}}{{pad .name 1 2}}|{{println .name}}"), "aaaa shop  |shop\n");
  EXPECT_EQ(shown("{{eq .name \"a\" \"shop\"}} {{ne .name `shop`}} {{gt .state.endpoints 2}}"),
            "true false true");
  EXPECT_EQ(shown("{{and .ipv6 .name}} {{or .internal .name}} {{not .internal}}"),
            "shop shop true");
  EXPECT_EQ(shown("{{split .name \"o\" | json}}"), R"(["sh","p"])");
}

TEST(FormatTest, PathsAsJqHasThem) {
  EXPECT_EQ(shown(".subnets[0].subnet"), "10.89.0.0/24");
  EXPECT_EQ(shown(".subnets[].subnet"), "10.89.0.0/24\nfd89::/64");
  EXPECT_EQ(shown(".subnets[1]"), R"({"subnet":"fd89::/64"})");
  EXPECT_EQ(shown(".subnets[7].subnet"), "null");
  EXPECT_EQ(shown(".labels[\"app\"]"), "web");
  EXPECT_THAT(shown("."), HasSubstr("\"name\":\"shop\""));
  EXPECT_EQ(shown("no path"), "no path");
}

TEST(FormatTest, EscapesAsDockerHasThem) {
  EXPECT_EQ(shown("{{.name}}\\t{{.ID}}\\n"), "shop\taaaaaaaaaaaaaaaa\n");
}

TEST(FormatTest, ErrorsPointAtThePlace) {
  const auto error = [](std::string_view text) {
    const auto form = Template::parse(text);
    if (!form) return form.error().text;
    const auto all = form->run(shop(), notes);
    return all ? "shown: " + *all : all.error().text;
  };
  EXPECT_EQ(error("{{.name | uper}}"),
            "there is no function \"uper\"; did you mean \"upper\"?\n"
            "  {{.name | uper}}\n"
            "            ^");
  EXPECT_EQ(error("ä\n{{if .ipv6}}x"),
            "there is no {{end}} for it\n"
            "  {{if .ipv6}}x\n"
            "  ^");
  EXPECT_EQ(error("{{.name.x}}"),
            "there is no .x in shop\n"
            "  {{.name.x}}\n"
            "         ^");
  EXPECT_THAT(error("{{name}}"), HasSubstr("did you mean \"ne\"?"));
  EXPECT_THAT(error("{{.subnets.subnet}}"), HasSubstr("say which: [0], or []"));
  for (const char* wrong : {"{{",
                            "{{.name",
                            "{{}}",
                            "{{end}}",
                            "{{else}}",
                            "{{if .a}}{{else}}{{else}}{{end}}",
                            "{{(.name}}",
                            "{{.name)}}",
                            "{{\"x}}",
                            "{{/* x }}",
                            "{{define \"x\"}}",
                            "{{$x}}",
                            "{{.a | .b}}",
                            "{{..}}",
                            "{{.a..b}}",
                            "{{.a[}}",
                            "{{.a[x]}}",
                            "{{1x}}",
                            "{{len}}",
                            "{{printf \"%d\" .name}}",
                            "{{range .name}}{{end}}",
                            "{{.name .id}}",
                            ".a b",
                            "{{printf \"%\"}}",
                            "{{lt 1 \"a\"}}",
                            "{{else if}}",
                            "{{if .a}}{{else if}}{{end}}",
                            "{{$x = 1}}"})
    EXPECT_THAT(error(wrong), HasSubstr("^")) << wrong;
}

TEST(FormatTest, IsLimited) {
  EXPECT_THAT(shown(std::string(100000, '(').insert(0, "{{")), HasSubstr("nested too deep"));
  std::string many;
  for (int i = 0; i < 30; ++i) many += "{{if .ipv6}}";
  for (int i = 0; i < 30; ++i) many += "{{range $.subnets}}{{range $.subnets}}";
  EXPECT_THAT(shown(many), HasSubstr("nested too deep"));
  std::string blows_up = "x", end;
  for (int i = 0; i < 30; ++i) blows_up.insert(0, "{{range $.subnets}}"), end += "{{end}}";
  EXPECT_THAT(shown(blows_up + end), HasSubstr("too large"));
}

TEST(FormatTest, TitlesOfTables) {
  EXPECT_EQ(Template::parse("{{.Name}}\t{{.CreatedAt}}\t{{upper .dns_servers}} x\t{{len .A.b}}")
                ->titles(),
            "NAME\tCREATED AT\tDNS SERVERS x\tB");
}

}  // namespace
}  // namespace fairlead::format
