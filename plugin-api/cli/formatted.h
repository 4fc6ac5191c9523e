// How --format wants the JSON of a command to be shown.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "plugin-api/cli/format/template.h"

namespace fairlead::cli {

// The template is shown for each element where a command prints several, as docker does it.
class Formatted {
 public:
  // "json" (one line each), "table TEMPLATE" with tabs between its columns, or a template.
  // std::nullopt for "" and "table": as it is without --format. kInvalid says where it is wrong.
  static Result<std::optional<Formatted>> parse(const std::string& text);

  // With a newline at its end. `width`: of a table; 0 is unlimited.
  Result<std::string> show(const json::Json& document, unsigned width,
                           std::set<std::string>& notes) const;

 private:
  Result<std::string> show_table(const std::vector<std::string>& lines, unsigned width) const;

  bool is_table_ = false;
  std::optional<format::Template> template_;  // none: JSON
};

}  // namespace fairlead::cli
