#include "base/metrics/exposition.h"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <thread>
#include <vector>

namespace fairlead::metrics {
namespace {

using namespace std::chrono_literals;

TEST(Exposition, CountersHaveTheirSuffixInEitherFormat) {
  Family family{.name = "fairlead_calls", .help = "Calls.", .type = Type::kCounter};
  family.add({{"verb", "ADD"}}, 3);
  EXPECT_EQ(to_text({family}, Format::kText),
            "# HELP fairlead_calls_total Calls.\n"
            "# TYPE fairlead_calls_total counter\n"
            "fairlead_calls_total{verb=\"ADD\"} 3\n");
  EXPECT_EQ(to_text({family}, Format::kOpenMetrics),
            "# HELP fairlead_calls Calls.\n"
            "# TYPE fairlead_calls counter\n"
            "fairlead_calls_total{verb=\"ADD\"} 3\n"
            "# EOF\n");
}

TEST(Exposition, InfoIsAGaugeWhereTheFormatDoesNotKnowIt) {
  Family family{.name = "fairlead_build", .help = "Version.", .type = Type::kInfo};
  family.add({{"version", "1"}}, 1);
  EXPECT_EQ(to_text({family}, Format::kText),
            "# HELP fairlead_build_info Version.\n# TYPE fairlead_build_info gauge\n"
            "fairlead_build_info{version=\"1\"} 1\n");
  EXPECT_NE(to_text({family}, Format::kOpenMetrics).find("# TYPE fairlead_build info\n"),
            std::string::npos);
}

TEST(Exposition, ValuesOfLabelsMayBeAnyText) {
  Family family{.name = "x", .help = "A \\ and\na \"quote\"."};
  family.add({{"label", "a\"b\\c\nd"}}, 0.25);
  EXPECT_EQ(
      to_text({family}, Format::kText),
      "# HELP x A \\\\ and\\na \"quote\".\n# TYPE x gauge\nx{label=\"a\\\"b\\\\c\\nd\"} 0.25\n");
}

TEST(Exposition, NumbersAreExactAndReadable) {
  Family family{.name = "x", .help = "X."};
  family.add({}, 4503599627370497.0);
  family.add({}, std::numeric_limits<double>::infinity());
  family.add({}, 1.5e300);
  EXPECT_EQ(to_text({family}, Format::kText),
            "# HELP x X.\n# TYPE x gauge\nx 4503599627370497\nx +Inf\nx 1.5e+300\n");
}

TEST(Exposition, FamiliesWithoutSamplesAreLeftOut) {
  EXPECT_EQ(to_text({Family{.name = "x", .help = "X."}}, Format::kText), "");
}

TEST(Exposition, AHistogramIsCumulative) {
  LatencyHistogram histogram;
  histogram.observe(100us);
  histogram.observe(250us);  // a bound belongs to its bucket
  histogram.observe(3s);
  histogram.observe(1h);
  Family family{.name = "t_seconds", .help = "T.", .type = Type::kHistogram};
  family.add({{"verb", "ADD"}}, histogram);
  const std::string text = to_text({family}, Format::kText);
  for (const char* line :
       {"t_seconds_bucket{verb=\"ADD\",le=\"0.00025\"} 2\n",
        "t_seconds_bucket{verb=\"ADD\",le=\"2.5\"} 2\n",
        "t_seconds_bucket{verb=\"ADD\",le=\"5.0\"} 3\n",
        "t_seconds_bucket{verb=\"ADD\",le=\"+Inf\"} 4\n",
        "t_seconds_sum{verb=\"ADD\"} 3603.00035\n", "t_seconds_count{verb=\"ADD\"} 4\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
}

TEST(Exposition, OpenMetricsIsForThoseWhoAskForIt) {
  EXPECT_EQ(format_for(""), Format::kText);
  EXPECT_EQ(format_for("text/html, */*"), Format::kText);
  EXPECT_EQ(format_for("application/openmetrics-text;version=1.0.0;q=0.75,text/plain;q=0.5"),
            Format::kOpenMetrics);
}

TEST(Counters, CountEverythingThatThreadsCountAtOnce) {
  Counter counter;
  LatencyHistogram histogram;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int j = 0; j < 1000; ++j) {
        counter.add();
        histogram.observe(1ms);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 4000U);
  EXPECT_EQ(histogram.buckets()[2], 4000U);
  EXPECT_DOUBLE_EQ(histogram.sum_seconds(), 4.0);
}

}  // namespace
}  // namespace fairlead::metrics
