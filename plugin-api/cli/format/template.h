// What --format takes: a template as Go's text/template and docker have it, over a JSON value; or a
// path as jq has it.
//
//   {{.name}} {{.Labels.team}} {{json .}}            fields, functions
//   {{range .subnets}}{{.subnet}} {{end}}            also with $i, $one := and {{else}}
//   {{if eq .mode "overlay"}}...{{else if .ipv6}}...{{end}}   {{with .pool}}...{{end}}
//   {{.name | upper | printf "%-20s"}}  {{- trimmed -}}  {{/* nothing */}}
//   {{join .subnets[].subnet ", "}}                  beyond Go: [0] is an element, [] all of them
//   .subnets[0].subnet                               a path alone; one line for each of [].
//
// Fields are found by the keys of the JSON, and by docker's names of them: case and underscores do
// not count (.DNSServers is dns_servers), what is in `state` and `options` is found without saying
// so, and .ID, .Driver, .Scope, .CreatedAt are what docker shows. What is not there is "<no value>".
//
// There are no user-defined templates ({{define}}), and no break and continue.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "base/json/json.h"
#include "base/result.h"

namespace fairlead::format {

struct Parsed;

class Template {
 public:
  // kInvalid, with the line of the template and a mark below the place.
  static Result<Template> parse(std::string_view text);

  // `notes` gets what looks like a mistake and is none for sure: a name that is not there, but
  // nearly. kInvalid as above; also when the result would be larger than 16 MiB.
  Result<std::string> run(const json::Json& value, std::set<std::string>& notes) const;

  // The titles of the columns of a table: what the fields are called, in capitals, with the text
  // around them.
  std::string titles() const;

 private:
  Template(std::string text, std::shared_ptr<const Parsed> parsed)
      : text_(std::move(text)), parsed_(std::move(parsed)) {}

  std::string text_;
  std::shared_ptr<const Parsed> parsed_;
};

}  // namespace fairlead::format
