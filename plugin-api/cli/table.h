// A table of aligned columns under upper-case headers, without borders.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fairlead::cli {

struct Column {
  std::string_view header;
  enum class Fit {
    kKeep,
    kShrink
  } fit = Fit::kKeep;  // kShrink: may be shortened to fit the terminal
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // One cell for each column. Cells are made safe for a terminal; an empty one is shown as "-".
  void add(std::vector<std::string> cells);
  // The lines of the table, header first. `width` 0 means unlimited.
  std::string render(unsigned width) const;

 private:
  std::vector<std::size_t> natural_widths() const;
  std::vector<std::size_t> fitted_widths(unsigned width) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// A table of which one column is left out where no row has anything in it.
class Columns {
 public:
  // `optional`: the index of that column.
  Columns(std::vector<Column> columns, std::size_t optional)
      : columns_(std::move(columns)), optional_(optional) {}

  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  Table table() const;

 private:
  std::vector<Column> columns_;
  std::size_t optional_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace fairlead::cli
