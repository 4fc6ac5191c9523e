// Writes a manual page with the macros of man(7), which groff and mandoc both read.
#pragma once

#include <string>
#include <string_view>

namespace fairlead::cli {

class Roff {
 public:
  // `date` is 2026-12-01, `source` "fairlead 0.2.0".
  Roff(std::string_view name, int section, std::string_view date, std::string_view source);

  Roff& heading(std::string_view title);     // of a section, in capitals
  Roff& subheading(std::string_view title);  // of a part of one
  Roff& paragraph(std::string_view text);
  // A term in bold, with its argument in italics, and what it means.
  Roff& term(std::string_view bold, std::string_view italic, std::string_view meaning);
  // A line of the synopsis: the name in bold, and what follows it.
  Roff& usage(std::string_view name, std::string_view rest);
  Roff& example(std::string_view lines);                        // as it stands, one a line
  Roff& name(std::string_view page, std::string_view summary);  // the section NAME

  const std::string& text() const { return text_; }

 private:
  void line(std::string_view macro, std::string_view rest = {});

  void begin(std::string_view macro);  // unless a heading, which begins it itself, is just before

  std::string text_;
  std::size_t after_heading_ = 0;  // where the text behind the last heading begins
};

}  // namespace fairlead::cli
