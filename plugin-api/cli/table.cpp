#include "plugin-api/cli/table.h"

#include <algorithm>
#include <numeric>

#include "plugin-api/cli/text.h"

namespace fairlead::cli {

namespace {

constexpr std::size_t kGap = 3;
constexpr std::size_t kNarrowest = 12;  // width at which a shortened column is still readable

std::string line_of(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) {
  std::string line;
  std::size_t owed = 0;  // spaces that are written only when another cell follows
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string cell = shorten(cells[i], widths[i]);
    line += std::string(owed, ' ') + cell;
    owed = widths[i] - display_width(cell) + kGap;
  }
  return line + "\n";
}

}  // namespace

void Table::add(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = cell.empty() ? "-" : printable(cell);
  rows_.push_back(std::move(cells));
}

std::vector<std::size_t> Table::natural_widths() const {
  std::vector<std::size_t> widths;
  for (const Column& column : columns_) widths.push_back(column.header.size());
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], display_width(row[i]));
  return widths;
}

std::vector<std::size_t> Table::fitted_widths(unsigned width) const {
  auto widths = natural_widths();
  const auto total = [&] {
    return std::accumulate(widths.begin(), widths.end(), kGap * (widths.size() - 1));
  };
  while (width != 0 && total() > width) {
    std::size_t* widest = nullptr;
    for (std::size_t i = 0; i < widths.size(); ++i)
      if (columns_[i].fit == Column::Fit::kShrink && widths[i] > kNarrowest &&
          (widest == nullptr || widths[i] > *widest))
        widest = &widths[i];
    if (widest == nullptr) break;
    --*widest;
  }
  return widths;
}

std::string Table::render(unsigned width) const {
  const auto widths = fitted_widths(width);
  std::vector<std::string> headers;
  for (const Column& column : columns_) headers.emplace_back(column.header);
  std::string text = line_of(headers, widths);
  for (const auto& row : rows_) text += line_of(row, widths);
  return text;
}

Table Columns::table() const {
  const bool used = std::ranges::any_of(
      rows_, [&](const std::vector<std::string>& row) { return !row[optional_].empty(); });
  const auto fitting = [&](auto values) {
    if (!used) values.erase(values.begin() + static_cast<std::ptrdiff_t>(optional_));
    return values;
  };
  Table table(fitting(columns_));
  for (const std::vector<std::string>& row : rows_) table.add(fitting(row));
  return table;
}

}  // namespace fairlead::cli
