// What is counted and measured while the program runs. Counting takes no lock and allocates nothing;
// whoever reads sees each number as it was at some moment of the reading.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace fairlead::metrics {

class Counter {
 public:
  void add(std::uint64_t count = 1) { value_.fetch_add(count, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// The upper bounds of the buckets, in seconds: from what a call costs that finds all as it should be, to
// the deadlines of the runtimes.
inline constexpr std::array kLatencyBounds{0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                           0.025,   0.05,   0.1,   0.25,   0.5,   1.0,
                                           2.5,     5.0,    10.0,  30.0};

// How long something took, in buckets.
class LatencyHistogram {
 public:
  using Duration = std::chrono::nanoseconds;

  void observe(Duration took) {
    const double seconds = std::chrono::duration<double>(took).count();
    std::size_t bucket = 0;
    while (bucket < kLatencyBounds.size() && seconds > kLatencyBounds[bucket]) ++bucket;
    buckets_[bucket].add();
    nanoseconds_.add(static_cast<std::uint64_t>(took.count()));
  }

  // Of each bucket alone; the last is of what took longer than every bound.
  std::array<std::uint64_t, kLatencyBounds.size() + 1> buckets() const {
    std::array<std::uint64_t, kLatencyBounds.size() + 1> counts{};
    for (std::size_t i = 0; i < counts.size(); ++i) counts[i] = buckets_[i].value();
    return counts;
  }
  double sum_seconds() const { return static_cast<double>(nanoseconds_.value()) / 1e9; }

 private:
  std::array<Counter, kLatencyBounds.size() + 1> buckets_;
  Counter nanoseconds_;
};

}  // namespace fairlead::metrics
