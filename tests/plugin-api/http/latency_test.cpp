// Prints what one request costs on a kept connection. The budget (p50 of 50 µs) is watched by the
// benchmark; here only a gross regression fails, because the machine may be busy.
#include <algorithm>
#include <cstdio>

#include "tests/plugin-api/http/http_fixture.h"

namespace fairlead::http::testing {
namespace {

TEST(HttpLatency, OfATrivialHandlerOnAKeptConnection) {
  const RunningServer server([](const Request&) {
    return Response{.status = 200, .content_type = "application/json", .body = "{}", .headers = {}};
  });
  RawClient client = server.client();
  const std::string request = post("/Plugin.Activate", "");
  std::vector<double> micros;
  char buffer[4096];
  for (int i = 0; i < 5000; ++i) {
    const auto start = std::chrono::steady_clock::now();
    ASSERT_TRUE(client.say(request));
    ASSERT_GT(::recv(client.fd(), buffer, sizeof(buffer), 0), 0);
    micros.push_back(
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
            .count());
  }
  std::ranges::sort(micros);
  std::printf("[ MEASURED ] keep-alive request: p50 %.1f us, p99 %.1f us\n",
              micros[micros.size() / 2], micros[micros.size() * 99 / 100]);
  EXPECT_LT(micros[micros.size() / 2], 5000.0);
}

}  // namespace
}  // namespace fairlead::http::testing
