#include "plugin-api/native/event_stream.h"

#include <condition_variable>
#include <mutex>
#include <utility>

#include "base/host.h"
#include "plugin-api/native/codec.h"

namespace fairlead::native {

namespace {

// Filled by the thread of the subscription, which waits while there is no room, and emptied by the
// server's.
class EventStream : public http::BodyStream {
 public:
  EventStream(EventRequest request, EventLimits limits, std::int64_t from, std::int64_t present)
      : request_(std::move(request)), limits_(limits), until_(present), told_(from) {
    add_mark("heartbeat", "");
    if (request_.until_now && told_ >= until_) end("until");
  }

  ~EventStream() override {
    {
      const std::scoped_lock hold(guard_);
      closed_ = true;
      ready_ = [] {};
    }
    room_.notify_all();
    subscription_.reset();
  }

  Status subscribe(ChangeFeed& feed) {
    TRY(subscription_, feed.watch(told_, [this](const ChangeBatch& batch) { take(batch); }));
    return {};
  }

  void on_ready(std::function<void()> ready) override {
    const std::scoped_lock hold(guard_);
    ready_ = std::move(ready);
  }

  Part pull() override {
    const std::scoped_lock hold(guard_);
    room_.notify_all();
    return {std::exchange(lines_, {}), ended_};
  }

  void heartbeat() override {
    const std::scoped_lock hold(guard_);
    if (!ended_) add_mark("heartbeat", "");
  }

  void stop() override {
    const std::scoped_lock hold(guard_);
    end("stop");
  }

 private:
  void take(const ChangeBatch& batch) {
    std::unique_lock hold(guard_);
    if (!wait_for_room(hold)) end("slow");
    if (ended_ || closed_) return;
    if (batch.lost) return end("resync");
    add_changes(batch);
    told_ = batch.revision;
    if (request_.until_now && told_ >= until_) end("until");
    if (!lines_.empty()) ready_();
  }

  // What follows needs guard_.
  bool wait_for_room(std::unique_lock<std::mutex>& hold) {
    return room_.wait_for(hold, limits_.patience,
                          [&] { return closed_ || ended_ || lines_.size() < limits_.bytes; });
  }

  void add_changes(const ChangeBatch& batch) {
    for (const Change& change : batch.changes)
      if (request_.kinds.empty() || request_.kinds.contains(change.kind))
        lines_ += encode_change(change).dump() + "\n";
  }

  void add_mark(const char* kind, std::string_view reason) {
    lines_ += encode_mark({.kind = kind,
                           .reason = std::string(reason),
                           .revision = told_,
                           .time = unix_milliseconds()})
                  .dump() +
              "\n";
  }

  void end(std::string_view reason) {
    if (std::exchange(ended_, true)) return;
    add_mark("end", reason);
    room_.notify_all();
    ready_();
  }

  const EventRequest request_;
  const EventLimits limits_;
  const std::int64_t until_;  // the store's revision at the request

  std::mutex guard_;
  std::condition_variable room_;
  std::function<void()> ready_ = [] {};
  std::string lines_;
  std::int64_t told_;  // everything up to this revision is in the lines, or was
  bool ended_ = false, closed_ = false;

  std::unique_ptr<ChangeSubscription> subscription_;
};

}  // namespace

Result<std::shared_ptr<http::BodyStream>> open_event_stream(ChangeFeed& feed, EventRequest request,
                                                            EventLimits limits) {
  TRY(const auto present, feed.revision());
  const std::int64_t from = request.since.value_or(present);
  auto stream = std::make_shared<EventStream>(std::move(request), limits, from, present);
  TRY_STATUS(stream->subscribe(feed));
  return stream;
}

}  // namespace fairlead::native
