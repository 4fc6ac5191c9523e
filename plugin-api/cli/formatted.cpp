#include "plugin-api/cli/formatted.h"

#include "plugin-api/cli/table.h"

namespace fairlead::cli {

namespace {

constexpr std::string_view kTable = "table";

std::vector<std::string> parts_of(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t end = 0; end != std::string_view::npos; text.remove_prefix(end + 1)) {
    end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
  }
  return parts;
}

}  // namespace

Result<std::optional<Formatted>> Formatted::parse(const std::string& text) {
  if (text.empty() || text == kTable) return std::optional<Formatted>();
  Formatted formatted;
  if (text == "json") return std::optional(std::move(formatted));
  std::string_view form = text;
  if (form.starts_with(kTable) && (form[kTable.size()] == ' ' || form[kTable.size()] == '\t')) {
    formatted.is_table_ = true;
    form.remove_prefix(kTable.size() + 1);
  }
  TRY(formatted.template_, format::Template::parse(form));
  return std::optional(std::move(formatted));
}

Result<std::string> Formatted::show(const json::Json& document, unsigned width,
                                    std::set<std::string>& notes) const {
  std::vector<std::string> lines;
  const auto add = [&](const json::Json& one) -> Status {
    if (!template_) {
      lines.push_back(one.dump());
      return {};
    }
    TRY(auto line, template_->run(one, notes));
    lines.push_back(std::move(line));
    return {};
  };
  if (document.is_array())
    for (const json::Json& one : document) TRY_STATUS(add(one));
  else
    TRY_STATUS(add(document));
  if (is_table_) return show_table(lines, width);
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

Result<std::string> Formatted::show_table(const std::vector<std::string>& lines,
                                          unsigned width) const {
  const auto titles = parts_of(template_->titles(), '\t');
  std::vector<Column> columns;
  for (const std::string& title : titles) columns.push_back({title, Column::Fit::kShrink});
  Table table(columns);
  for (const std::string& line : lines) {
    auto cells = parts_of(line, '\t');
    cells.resize(columns.size());
    table.add(std::move(cells));
  }
  return table.render(width);
}

}  // namespace fairlead::cli
