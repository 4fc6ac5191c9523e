#include "plugin-api/metrics/metrics_handler.h"

#include <gtest/gtest.h>

namespace fairlead::metrics {
namespace {

Collector gauge(const std::string& collector, const std::string& name, double value) {
  return {collector, [=]() -> Result<Families> {
            Family family{.name = name, .help = "Help."};
            family.add({{"of", collector}}, value);
            return Families{std::move(family)};
          }};
}

http::Response get(const http::Handler& handler, const std::string& path,
                   const std::string& accept = "", const std::string& method = "GET") {
  http::Request request;
  request.method = method;
  request.path = path;
  if (!accept.empty()) request.headers["accept"] = accept;
  return handler(request);
}

TEST(MetricsHandler, AnswersInTheFormatThatIsAskedFor) {
  const auto handler = make_metrics_handler({gauge("a", "x", 1)}, {});
  const auto text = get(handler, "/metrics");
  EXPECT_EQ(text.status, 200);
  EXPECT_EQ(text.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_NE(text.body.find("x{of=\"a\"} 1\n"), std::string::npos);
  const auto open = get(handler, "/metrics", "application/openmetrics-text");
  EXPECT_EQ(open.content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
  EXPECT_TRUE(open.body.ends_with("# EOF\n"));
}

TEST(MetricsHandler, TrafficIsApart) {
  const auto handler = make_metrics_handler({gauge("a", "x", 1)}, {gauge("traffic", "y", 2)});
  EXPECT_EQ(get(handler, "/metrics").body.find("y{"), std::string::npos);
  EXPECT_NE(get(handler, "/metrics/traffic").body.find("y{of=\"traffic\"} 2\n"), std::string::npos);
}

TEST(MetricsHandler, WhatCannotBeReadIsLeftOutAndSaid) {
  const Collector broken{"b", []() -> Result<Families> { return fail(Code::kIo, "broken"); }};
  const auto response = get(make_metrics_handler({broken, gauge("a", "x", 1)}, {}), "/metrics");
  EXPECT_EQ(response.status, 200);
  EXPECT_NE(response.body.find("x{of=\"a\"} 1\n"), std::string::npos);
  EXPECT_NE(response.body.find("fairlead_collector_success{collector=\"b\"} 0\n"),
            std::string::npos);
  EXPECT_NE(response.body.find("fairlead_collector_success{collector=\"a\"} 1\n"),
            std::string::npos);
}

TEST(MetricsHandler, AFamilyOfSeveralCollectorsStandsTogether) {
  const auto handler = make_metrics_handler({gauge("a", "x", 1), gauge("b", "x", 2)}, {});
  EXPECT_NE(get(handler, "/metrics").body.find("x{of=\"a\"} 1\nx{of=\"b\"} 2\n"),
            std::string::npos);
}

TEST(MetricsHandler, RefusesOtherPathsAndMethods) {
  const auto handler = make_metrics_handler({}, {});
  EXPECT_EQ(get(handler, "/").status, 404);
  EXPECT_EQ(get(handler, "/v1/networks").status, 404);
  EXPECT_EQ(get(handler, "/metrics", "", "POST").status, 405);
}

}  // namespace
}  // namespace fairlead::metrics
