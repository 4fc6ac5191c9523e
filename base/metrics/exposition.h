// Writes metrics as Prometheus reads them: its text format (version 0.0.4) and OpenMetrics 1.0. Pure.
//
// prometheus-cpp's core (1.0 in Debian 12) was looked at for this. It writes the text format alone, its
// histograms and families take a lock for each observation, and its development package brings an HTTP
// server and libcurl along.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/metrics/metrics.h"

namespace fairlead::metrics {

using Labels = std::vector<std::pair<std::string, std::string>>;  // the values are any text

struct Sample {
  Labels labels;
  double value = 0;
  std::string suffix = {};  // "_bucket", "_sum", "_count" of a histogram
};

enum class Type { kCounter, kGauge, kHistogram, kInfo };

// All samples of one name. `name` is without the suffixes "_total" and "_info", which its type gives.
struct Family {
  std::string name, help;
  Type type = Type::kGauge;
  std::vector<Sample> samples = {};

  void add(Labels labels, double value) { samples.push_back({std::move(labels), value}); }
  void add(const Labels& labels, const LatencyHistogram& histogram);
};

enum class Format { kText, kOpenMetrics };
// By the Accept header of the request: OpenMetrics when it is asked for, else the text format.
Format format_for(std::string_view accept);
std::string_view content_type(Format format);

// Families without samples are left out.
std::string to_text(const std::vector<Family>& families, Format format);

}  // namespace fairlead::metrics
