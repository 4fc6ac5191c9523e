// A Progress that can also be asked whether the work shall stop, while whoever would tell of
// progress waits for a server.
#pragma once

#include <memory>
#include <mutex>

#include "volume/api/types.h"

namespace fairlead::volume {

// Both functions are thread-safe, and may outlive this object, but not what `outer` borrows.
class Stoppable {
 public:
  explicit Stoppable(Progress outer) : state_(std::make_shared<State>(std::move(outer))) {}

  Progress progress() const {
    return [state = state_](std::uint64_t done, std::uint64_t total) {
      return state->tell(done, total);
    };
  }
  // Asks `outer` again with what it was told last.
  std::function<bool()> stopped() const {
    return [state = state_] { return !state->ask(); };
  }

 private:
  struct State {
    explicit State(Progress progress) : outer(std::move(progress)) {}
    bool tell(std::uint64_t new_done, std::uint64_t new_total) {
      const std::scoped_lock hold(mutex);
      done = new_done;
      total = new_total;
      return go_on();
    }
    bool ask() {
      const std::scoped_lock hold(mutex);
      return go_on();
    }
    bool go_on() {
      goes_on = goes_on && (!outer || outer(done, total));
      return goes_on;
    }

    std::mutex mutex;
    const Progress outer;
    std::uint64_t done = 0, total = 0;
    bool goes_on = true;
  };
  std::shared_ptr<State> state_;
};

}  // namespace fairlead::volume
