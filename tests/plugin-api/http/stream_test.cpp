// Bodies without an end.
#include <atomic>
#include <mutex>

#include "tests/plugin-api/http/http_fixture.h"

namespace fairlead::http::testing {
namespace {

// A stream that says what the test puts into it.
class Source {
 public:
  void put(const std::string& bytes, bool last = false) {
    std::function<void()> ready;
    {
      const std::scoped_lock hold(guard_);
      waiting_ += bytes;
      last_ = last_ || last;
      ready = ready_;
    }
    if (ready) ready();
  }
  bool is_open() const { return open_; }
  bool await(bool open) const {
    for (int i = 0; i < 1000 && open_ != open; ++i) std::this_thread::sleep_for(10ms);
    return open_ == open;
  }

  std::shared_ptr<BodyStream> stream() { return std::make_shared<Stream>(*this); }

 private:
  class Stream : public BodyStream {
   public:
    explicit Stream(Source& source) : source_(source) { source_.open_ = true; }
    ~Stream() override {
      const std::scoped_lock hold(source_.guard_);
      source_.ready_ = {};
      source_.open_ = false;
    }
    void on_ready(std::function<void()> ready) override {
      const std::scoped_lock hold(source_.guard_);
      source_.ready_ = std::move(ready);
    }
    Part pull() override {
      const std::scoped_lock hold(source_.guard_);
      return {std::exchange(source_.waiting_, {}), source_.last_};
    }
    void heartbeat() override { add("beat\n", false); }
    void stop() override { add("stop\n", true); }

   private:
    void add(const char* text, bool last) {
      const std::scoped_lock hold(source_.guard_);
      source_.waiting_ += text;
      source_.last_ = last;
    }
    Source& source_;
  };

  std::mutex guard_;
  std::string waiting_;
  bool last_ = false;
  std::function<void()> ready_;
  std::atomic<bool> open_{false};
};

Handler streams(Source& source) {
  return [&](const Request& request) {
    Response response;
    if (request.path != "/stream") return response.body = "quick", response;
    response.content_type = "text/plain";
    response.stream = source.stream();
    return response;
  };
}

const std::string kAsk = "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n";

std::string hear_until(RawClient& client, const std::string& end) {
  std::string all;
  while (!all.ends_with(end)) {
    const auto part = client.hear_once(15s);
    if (!part || part->empty()) break;
    all += *part;
  }
  return all;
}

TEST(HttpStream, IsSentInChunksAsItComes) {
  Source source;
  RunningServer server(streams(source));
  RawClient client = server.client();
  client.say(kAsk);
  ASSERT_TRUE(
      hear_until(client, "\r\n\r\n")
          .starts_with(
              "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n"));
  source.put("one\n");
  EXPECT_EQ(hear_until(client, "\n\r\n"), "4\r\none\n\r\n");
  source.put("two\n", true);
  EXPECT_EQ(client.hear_all(), "4\r\ntwo\n\r\n0\r\n\r\n");
  EXPECT_TRUE(source.await(false));
}

TEST(HttpStream, CanBeReadByTheClientOfBase) {
  Source source;
  source.put("one\ntwo\n", true);
  RunningServer server(streams(source));
  const auto lines = http_client::LineStream::open(http_client::unix_server(server.path),
                                                   {.path = "/stream", .method = "GET"}, 5s, {});
  ASSERT_TRUE(lines) << lines.error().text;
  EXPECT_EQ((*lines)->next_line(5s).value(), "one");
  EXPECT_EQ((*lines)->next_line(5s).value(), "two");
  EXPECT_EQ((*lines)->next_line(5s).value(), std::nullopt);
}

TEST(HttpStream, TakesNoWorkerFromOthers) {
  Source source;
  RunningServer server(streams(source), {.workers = {1, 1, 1, 1}});
  std::vector<RawClient> watchers;
  for (int i = 0; i < 8; ++i) {
    watchers.push_back(server.client());
    watchers.back().say(kAsk);
    EXPECT_NE(hear_until(watchers.back(), "\r\n\r\n"), "");
  }
  RawClient other = server.client();
  other.say("GET /quick HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(hear_until(other, "quick").ends_with("quick"));
}

TEST(HttpStream, AClientThatHangsUpIsNoticedWithoutAWrite) {
  Source source;
  RunningServer server(streams(source));
  {
    RawClient client = server.client();
    client.say(kAsk);
    EXPECT_TRUE(source.await(true));
    hear_until(client, "\r\n\r\n");
  }
  EXPECT_TRUE(source.await(false));
}

TEST(HttpStream, HasHeartbeatsWhenNothingIsSaid) {
  Source source;
  RunningServer server(streams(source));
  RawClient client = server.client();
  client.say(kAsk);
  hear_until(client, "\r\n\r\n");
  EXPECT_EQ(hear_until(client, "\n\r\n"), "5\r\nbeat\n\r\n");
}

TEST(HttpStream, EndsWithTheServer) {
  Source source;
  RunningServer server(streams(source));
  RawClient client = server.client();
  client.say(kAsk);
  hear_until(client, "\r\n\r\n");
  server.server->stop();
  EXPECT_EQ(client.hear_all(), "5\r\nstop\n\r\n0\r\n\r\n");
  server.wait();
}

TEST(HttpStream, WaitsForAClientThatReadsLaterAndCutsOffOneThatNeverDoes) {
  Source source;
  RunningServer server(streams(source), {.header_time = 2s});
  const std::string much(4 << 20, 'x');
  RawClient late = server.client();
  late.say(kAsk);
  EXPECT_TRUE(source.await(true));
  source.put(much, true);
  std::this_thread::sleep_for(300ms);
  EXPECT_GT(late.hear_all().size(), much.size());

  Source stuck;
  RunningServer second(streams(stuck), {.header_time = 1s});
  RawClient never = second.client();
  never.say(kAsk);
  EXPECT_TRUE(stuck.await(true));
  stuck.put(much);
  EXPECT_TRUE(stuck.await(false));
}

}  // namespace
}  // namespace fairlead::http::testing
