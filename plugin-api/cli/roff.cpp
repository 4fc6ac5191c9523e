#include "plugin-api/cli/roff.h"

#include <fmt/format.h>

#include <algorithm>

namespace fairlead::cli {

namespace {

// A hyphen is written as a minus, so that what is copied from a page works in a shell.
std::string escaped(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    const bool starts_line = safe.empty() || safe.back() == '\n';
    if (starts_line && (c == '.' || c == '\'')) safe += "\\&";
    if (c == '\\')
      safe += "\\e";
    else if (c == '-')
      safe += "\\-";
    else
      safe += c;
  }
  return safe;
}

std::string quoted(std::string_view text) {
  std::string inside;
  for (const char c : escaped(text)) inside += c == '"' ? std::string("\\(dq") : std::string(1, c);
  return fmt::format("\"{}\"", inside);
}

constexpr std::size_t kMostColumns = 78;  // what mandoc -Tlint wants

bool ends_sentence(std::string_view word) { return word.ends_with('.') || word.ends_with('?'); }

// Fills lines with the words of a text. A sentence begins a line of its own, as man(7) wants it.
std::string filled(std::string_view text) {
  std::string lines, line;
  const auto end_line = [&] {
    lines += line + "\n";
    line.clear();
  };
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(" \n"), text.size());
    const std::string word = escaped(text.substr(0, end));
    const bool capital = !word.empty() && word[0] >= 'A' && word[0] <= 'Z';
    if (!line.empty() &&
        (line.size() + word.size() >= kMostColumns || (capital && ends_sentence(line))))
      end_line();
    line += (line.empty() ? "" : " ") + word;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  end_line();
  return lines;
}

}  // namespace

Roff::Roff(std::string_view name, int section, std::string_view date, std::string_view source) {
  std::string upper;
  for (const char c : name) upper += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  line("TH", fmt::format("{} {} {} {} {}", quoted(upper), section, date, quoted(source),
                         quoted("Fairlead")));
  line("nh");  // a name that is broken at a hyphen cannot be copied
}

Roff& Roff::heading(std::string_view title) {
  line("SH", quoted(title));
  after_heading_ = text_.size();
  return *this;
}

Roff& Roff::subheading(std::string_view title) {
  line("SS", quoted(title));
  after_heading_ = text_.size();
  return *this;
}

Roff& Roff::paragraph(std::string_view text) {
  begin("PP");
  text_ += filled(text);
  return *this;
}

Roff& Roff::term(std::string_view bold, std::string_view italic, std::string_view meaning) {
  line("TP");
  if (italic.empty())
    line("B", quoted(bold));
  else
    line("BI", quoted(fmt::format("{} ", bold)) + " " + quoted(italic));
  text_ += filled(meaning);
  return *this;
}

Roff& Roff::usage(std::string_view name, std::string_view rest) {
  begin("br");
  line("B", quoted(name));
  if (!rest.empty()) text_ += filled(rest);
  return *this;
}

Roff& Roff::example(std::string_view lines) {
  begin("PP");
  line("EX");
  text_ += escaped(lines) + "\n";
  line("EE");
  return *this;
}

Roff& Roff::name(std::string_view page, std::string_view summary) {
  heading("NAME");
  text_ += filled(fmt::format("{} - {}", page, summary));
  return *this;
}

void Roff::begin(std::string_view macro) {
  if (text_.size() != after_heading_) line(macro);
}

void Roff::line(std::string_view macro, std::string_view rest) {
  text_ += fmt::format(".{}{}{}\n", macro, rest.empty() ? "" : " ", rest);
}

}  // namespace fairlead::cli
