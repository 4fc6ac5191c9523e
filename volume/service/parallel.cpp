#include "volume/service/parallel.h"

#include <algorithm>
#include <mutex>

namespace fairlead::volume {

void in_parallel(std::size_t count, unsigned threads,
                 const std::function<bool(std::size_t)>& work) {
  std::atomic<std::size_t> next = 0;
  std::exception_ptr thrown;
  std::mutex mutex;
  const auto run = [&] {
    try {
      for (std::size_t k = next++; k < count; k = next++)
        if (!work(k)) next = count;
    } catch (...) {
      next = count;
      const std::lock_guard guard(mutex);
      if (!thrown) thrown = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> others;
    for (std::size_t k = 1; k < std::min<std::size_t>(threads, count); ++k)
      others.emplace_back(run);
    run();
  }
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace fairlead::volume
