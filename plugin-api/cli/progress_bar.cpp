#include "plugin-api/cli/progress_bar.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ostream>

#include "plugin-api/cli/text.h"

namespace fairlead::cli {

namespace {

constexpr double kBetweenDrawings = 0.1, kBetweenMeasures = 0.5;  // seconds
// weight of the newest measurement
constexpr double kWeight = 0.3;
constexpr std::size_t kWidestBar = 30, kNarrowestBar = 4;
constexpr double kLongest = 100.0 * 24 * 3600;  // a longer time is not shown

double part_of(const ProgressSample& moment) {
  return std::min(1.0, static_cast<double>(moment.done) / static_cast<double>(moment.total));
}

std::string bar_text(double part, std::size_t columns) {
  const auto full = static_cast<std::size_t>(part * static_cast<double>(columns));
  std::string bar(columns, ' ');
  std::fill_n(bar.begin(), full, '=');
  if (full < columns) bar[full] = '>';
  return "[" + bar + "]";
}

std::string rate_text(const ProgressSample& moment) {
  if (moment.rate < 1) return "";
  return fmt::format("   {}/s", size_text(static_cast<std::uint64_t>(moment.rate)));
}

std::string left_text(const ProgressSample& moment) {
  if (moment.rate < 1 || moment.done >= moment.total) return "";
  const double seconds = static_cast<double>(moment.total - moment.done) / moment.rate;
  return seconds > kLongest ? "" : fmt::format("   {} left", time_left(seconds));
}

}  // namespace

std::string time_left(double seconds) {
  const auto all = static_cast<std::uint64_t>(std::ceil(seconds));
  const auto days = all / 86400, hours = all / 3600 % 24, minutes = all / 60 % 60;
  if (days > 0) return fmt::format("{}d {}h", days, hours);
  if (hours > 0) return fmt::format("{}h {:02}m", hours, minutes);
  if (minutes > 0) return fmt::format("{}m {:02}s", minutes, all % 60);
  return fmt::format("{}s", all);
}

std::string progress_line(const std::string& title, const ProgressSample& moment, unsigned width) {
  if (moment.total == 0)
    return shorten(fmt::format("{}   {}{}", title, size_text(moment.done), rate_text(moment)),
                   width);
  const double part = part_of(moment);
  const std::string head = fmt::format("{}   {:3} %", title, static_cast<int>(part * 100));
  const std::string tail =
      fmt::format(" {} of {}{}{}", size_text(moment.done), size_text(moment.total),
                  rate_text(moment), left_text(moment));
  // a space and two brackets
  const std::size_t taken = display_width(head) + display_width(tail) + 3;
  const std::size_t room = taken < width ? std::min(width - taken, kWidestBar) : 0;
  const std::string bar = room >= kNarrowestBar ? " " + bar_text(part, room) : "";
  return shorten(head + bar + tail, width);
}

ProgressBar::ProgressBar(std::string title, std::ostream& out, unsigned width,
                         std::function<double()> clock)
    : title_(printable(title)), out_(out), width_(width), clock_(std::move(clock)) {}

ProgressBar::~ProgressBar() { clear(); }

// The rate is smoothed to be readable. A verb that resumes earlier work begins with a jump, which
// does not count.
double ProgressBar::rate_at(double now, std::uint64_t done) {
  if (!drawn_) {
    measured_ = now;
    counted_ = done;
    return 0;
  }
  const double passed = now - measured_;
  if (passed < kBetweenMeasures) return rate_;
  const double fresh = static_cast<double>(done > counted_ ? done - counted_ : 0) / passed;
  rate_ = rate_ > 0 ? (1 - kWeight) * rate_ + kWeight * fresh : fresh;
  measured_ = now;
  counted_ = done;
  return rate_;
}

void ProgressBar::show(std::uint64_t done, std::uint64_t total) {
  const double now = clock_();
  if (drawn_ && now - *drawn_ < kBetweenDrawings) return;
  const double rate = rate_at(now, done);
  drawn_ = now;
  // The last column stays free, because a full line would wrap on some terminals.
  out_ << '\r' << progress_line(title_, {done, total, rate}, std::max(width_, 2U) - 1) << "\x1b[K"
       << std::flush;
}

void ProgressBar::clear() {
  if (drawn_) out_ << "\r\x1b[K" << std::flush;
  drawn_.reset();
}

}  // namespace fairlead::cli
