// Rollback: undo steps that run in reverse when a verb fails half way.
#pragma once

#include <functional>
#include <utility>
#include <vector>

namespace fairlead {

// Each step that changed something pushes the function that undoes it. Unless `commit` is called,
// the destructor runs these functions in reverse order. They must not throw; each reports its own
// failure, and the next one runs all the same.
class Rollback {
 public:
  Rollback() = default;
  Rollback(const Rollback&) = delete;
  Rollback& operator=(const Rollback&) = delete;
  ~Rollback() { undo(); }

  void push(std::function<void()> step) { steps_.push_back(std::move(step)); }
  void commit() { steps_.clear(); }
  void undo() {
    while (!steps_.empty()) {
      auto step = std::move(steps_.back());
      steps_.pop_back();
      step();
    }
  }

 private:
  std::vector<std::function<void()>> steps_;
};

}  // namespace fairlead
