// Does the same for many numbers, on several threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <thread>
#include <vector>

namespace fairlead::volume {

// Calls work(0) to work(count - 1), each once, on at most `threads` threads, and returns when all
// have ended. After a call that returned false no more are begun. What a call throws is thrown
// here.
void in_parallel(std::size_t count, unsigned threads, const std::function<bool(std::size_t)>& work);

}  // namespace fairlead::volume
