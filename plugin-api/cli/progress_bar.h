// The bar of a long verb, on one line of stderr:
//   export data   42 % [=======>          ] 1.2 GiB of 3 GiB   200 MiB/s   9s left
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>

namespace fairlead::cli {

// One moment of a long verb.
struct ProgressSample {
  std::uint64_t done = 0, total = 0;  // bytes; total 0: not known
  double rate = 0;                    // bytes a second; 0: not known yet
};

// The line for this moment, at most `width` columns wide. What does not fit is left out, the bar
// first.
std::string progress_line(const std::string& title, const ProgressSample& moment, unsigned width);

// "9s", "3m 05s", "2h 10m", "4d 3h".
std::string time_left(double seconds);

// Draws the bar at most ten times a second, and removes its line when it ends.
class ProgressBar {
 public:
  ProgressBar(std::string title, std::ostream& out, unsigned width, std::function<double()> clock);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void show(std::uint64_t done, std::uint64_t total);
  void clear();

 private:
  double rate_at(double now, std::uint64_t done);

  const std::string title_;
  std::ostream& out_;
  const unsigned width_;
  const std::function<double()> clock_;
  std::optional<double> drawn_;  // the time of the last drawing
  double measured_ = 0, rate_ = 0;
  std::uint64_t counted_ = 0;  // bytes at `measured_`
};

}  // namespace fairlead::cli
