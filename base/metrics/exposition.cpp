#include "base/metrics/exposition.h"

#include <fmt/format.h>

#include <cmath>

namespace fairlead::metrics {

namespace {

std::string_view type_name(Type type, Format format) {
  switch (type) {
    case Type::kCounter:
      return "counter";
    case Type::kHistogram:
      return "histogram";
    case Type::kInfo:  // which the text format does not know
      return format == Format::kOpenMetrics ? "info" : "gauge";
    case Type::kGauge:
      break;
  }
  return "gauge";
}

std::string_view suffix_of(Type type) {
  if (type == Type::kCounter) return "_total";
  return type == Type::kInfo ? "_info" : "";
}

enum class Quotes { kKept, kEscaped };

void append_escaped(std::string& out, std::string_view text, Quotes quotes) {
  for (const char c : text) {
    if (c == '\\')
      out += "\\\\";
    else if (c == '\n')
      out += "\\n";
    else if (c == '"' && quotes == Quotes::kEscaped)
      out += "\\\"";
    else
      out += c;
  }
}

void append_labels(std::string& out, const Labels& labels) {
  if (labels.empty()) return;
  char before = '{';
  for (const auto& [name, value] : labels) {
    out += before;
    out += name;
    out += "=\"";
    append_escaped(out, value, Quotes::kEscaped);
    out += '"';
    before = ',';
  }
  out += '}';
}

void append_number(std::string& out, double value) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (std::isinf(value) || std::isnan(value))
    out += std::isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
  else if (value == std::floor(value) && std::abs(value) < kExact)
    fmt::format_to(std::back_inserter(out), "{}", static_cast<long long>(value));
  else
    fmt::format_to(std::back_inserter(out), "{}", value);
}

// In the text format the name in the comments is that of the samples; in OpenMetrics it is the family's.
void append_comments(std::string& out, const Family& family, Format format) {
  const std::string name =
      family.name + std::string(format == Format::kText ? suffix_of(family.type) : "");
  out += "# HELP " + name + " ";
  append_escaped(out, family.help,
                 format == Format::kOpenMetrics ? Quotes::kEscaped : Quotes::kKept);
  fmt::format_to(std::back_inserter(out), "\n# TYPE {} {}\n", name, type_name(family.type, format));
}

// A bound as both formats write it; OpenMetrics wants a decimal point.
std::string bound_text(double bound) {
  std::string text = fmt::format("{}", bound);
  return text.find('.') == std::string::npos ? text + ".0" : text;
}

}  // namespace

void Family::add(const Labels& labels, const LatencyHistogram& histogram) {
  const auto counts = histogram.buckets();
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    below += counts[i];
    Labels with_bound = labels;
    with_bound.emplace_back("le",
                            i < kLatencyBounds.size() ? bound_text(kLatencyBounds[i]) : "+Inf");
    samples.push_back({std::move(with_bound), static_cast<double>(below), "_bucket"});
  }
  samples.push_back({labels, histogram.sum_seconds(), "_sum"});
  samples.push_back({labels, static_cast<double>(below), "_count"});
}

Format format_for(std::string_view accept) {
  return accept.find("application/openmetrics-text") == std::string_view::npos
             ? Format::kText
             : Format::kOpenMetrics;
}

std::string_view content_type(Format format) {
  return format == Format::kText ? "text/plain; version=0.0.4; charset=utf-8"
                                 : "application/openmetrics-text; version=1.0.0; charset=utf-8";
}

std::string to_text(const std::vector<Family>& families, Format format) {
  std::string out;
  for (const Family& family : families) {
    if (family.samples.empty()) continue;
    append_comments(out, family, format);
    for (const Sample& sample : family.samples) {
      out += family.name;
      out += suffix_of(family.type);
      out += sample.suffix;
      append_labels(out, sample.labels);
      out += ' ';
      append_number(out, sample.value);
      out += '\n';
    }
  }
  if (format == Format::kOpenMetrics) out += "# EOF\n";
  return out;
}

}  // namespace fairlead::metrics
