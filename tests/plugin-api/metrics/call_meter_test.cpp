#include "plugin-api/metrics/call_meter.h"

#include <gtest/gtest.h>

namespace fairlead::metrics {
namespace {

http::Request request_of(const std::string& path) {
  http::Request request;
  request.path = path;
  return request;
}

// Answers with the status that the path names.
http::Response answer(const http::Request& request) {
  http::Response response;
  response.status = request.path == "/ADD" ? 200 : request.path == "/DEL" ? 404 : 500;
  return response;
}

Protocol protocol(const std::string& name) {
  return {.name = name, .verbs = {"ADD", "DEL"}, .verb_of = [](const http::Request& request) {
            return request.path.substr(1);
          }};
}

std::string text_of(const CallMeter& meter) {
  return to_text(meter.collector().collect().value(), Format::kText);
}

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(CallMeter, CountsByProtocolVerbAndOutcome) {
  CallMeter meter;
  const auto cni = meter.measured(protocol("cni"), answer);
  const auto docker = meter.measured(protocol("docker"), answer);
  EXPECT_EQ(cni(request_of("/ADD")).status, 200);
  EXPECT_EQ(cni(request_of("/ADD")).status, 200);
  EXPECT_EQ(cni(request_of("/DEL")).status, 404);
  EXPECT_EQ(docker(request_of("/ADD")).status, 200);
  const std::string text = text_of(meter);
  EXPECT_TRUE(
      has_line(text, "fairlead_calls_total{protocol=\"cni\",verb=\"ADD\",outcome=\"ok\"} 2"));
  EXPECT_TRUE(
      has_line(text, "fairlead_calls_total{protocol=\"cni\",verb=\"DEL\",outcome=\"refused\"} 1"));
  EXPECT_TRUE(
      has_line(text, "fairlead_calls_total{protocol=\"docker\",verb=\"ADD\",outcome=\"ok\"} 1"));
  EXPECT_TRUE(
      has_line(text, "fairlead_call_duration_seconds_count{protocol=\"cni\",verb=\"ADD\"} 2"));
}

TEST(CallMeter, CallersMakeUpNoSeries) {
  CallMeter meter;
  const auto cni = meter.measured(protocol("cni"), answer);
  for (int i = 0; i < 100; ++i) cni(request_of("/" + std::to_string(i)));
  const std::string text = text_of(meter);
  EXPECT_TRUE(has_line(
      text, "fairlead_calls_total{protocol=\"cni\",verb=\"other\",outcome=\"failed\"} 100"));
  EXPECT_EQ(text.find("verb=\"17\""), std::string::npos);
}

TEST(CallMeter, VerbsThatNobodyHasCalledAreNoSeries) {
  CallMeter meter;
  meter.measured(protocol("cni"), answer);
  EXPECT_EQ(text_of(meter), "");
}

TEST(CallMeter, AProtocolMayTellItsOutcomeOtherwise) {
  CallMeter meter;
  Protocol thin = protocol("cni");
  thin.outcome_of = [](const http::Response&) { return Outcome::kFailed; };
  meter.measured(std::move(thin), answer)(request_of("/ADD"));
  EXPECT_TRUE(has_line(text_of(meter),
                       "fairlead_calls_total{protocol=\"cni\",verb=\"ADD\",outcome=\"failed\"} 1"));
}

}  // namespace
}  // namespace fairlead::metrics
