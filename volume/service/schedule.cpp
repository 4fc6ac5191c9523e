#include "volume/service/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <set>

namespace fairlead::volume {

namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::year_month_day;

sys_days day_of(long long time) { return floor<days>(std::chrono::sys_seconds(seconds(time))); }

year_month_day date_of(long long time) { return year_month_day(day_of(time)); }

// Week 0 begins on the Monday of 1970-W01, three days before the epoch.
long long week_of(long long time) {
  const long long day = day_of(time).time_since_epoch().count() + 3;
  return day >= 0 ? day / 7 : (day - 6) / 7;
}

std::string date_text(long long time) {
  const auto date = date_of(time);
  return fmt::format("{:04}-{:02}-{:02}", int{date.year()}, unsigned{date.month()},
                     unsigned{date.day()});
}

// An ISO week belongs to the year of its Thursday.
std::string week_text(long long time) {
  const sys_days thursday{days(week_of(time) * 7)};
  const auto year = year_month_day(thursday).year();
  const auto first = sys_days(year / std::chrono::January / 1);
  return fmt::format("{:04}-W{:02}", int{year}, (thursday - first).count() / 7 + 1);
}

struct Kind {
  unsigned Schedule::*count;
  long long (*period)(long long time);  // the number of the period that contains the time
  std::string (*name)(long long time);
};

// The finest kind first.
constexpr std::array<Kind, 5> kKinds{{
    {&Schedule::hourly,
     [](long long time) {
       return static_cast<long long>(floor<std::chrono::hours>(seconds(time)).count());
     },
     [](long long time) {
       return fmt::format("hourly-{}T{:02}", date_text(time),
                          (time % 86400 + 86400) % 86400 / 3600);
     }},
    {&Schedule::daily,
     [](long long time) { return static_cast<long long>(day_of(time).time_since_epoch().count()); },
     [](long long time) { return "daily-" + date_text(time); }},
    {&Schedule::weekly, week_of, [](long long time) { return "weekly-" + week_text(time); }},
    {&Schedule::monthly,
     [](long long time) {
       const auto date = date_of(time);
       return 12LL * int{date.year()} + unsigned{date.month()};
     },
     [](long long time) { return "monthly-" + date_text(time).substr(0, 7); }},
    {&Schedule::yearly,
     [](long long time) { return static_cast<long long>(int{date_of(time).year()}); },
     [](long long time) { return "yearly-" + date_text(time).substr(0, 4); }},
}};

std::string due_name(const Schedule& schedule, const std::vector<Moment>& made, long long now) {
  for (const Kind& kind : kKinds) {
    const auto in_present = [&](const Moment& moment) {
      return kind.period(moment.created) == kind.period(now);
    };
    if (schedule.*kind.count != 0 && std::ranges::none_of(made, in_present)) return kind.name(now);
  }
  return {};
}

// `made` is sorted, the newest first.
void keep(unsigned count, long long (*period)(long long), const std::vector<Moment>& made,
          std::set<std::string>& kept) {
  std::set<long long> periods;
  for (const Moment& moment : made) {
    if (periods.size() >= count) return;
    if (periods.insert(period(moment.created)).second) kept.insert(moment.id);
  }
}

}  // namespace

std::set<std::string> kept_by(const Retention& retention, std::vector<Moment> there,
                              long long now) {
  std::set<std::string> kept;
  for (const Moment& moment : there)
    if (moment.created > now) kept.insert(moment.id);
  std::erase_if(there, [&](const Moment& moment) { return moment.created > now; });
  std::ranges::stable_sort(there, std::greater(), &Moment::created);
  for (std::size_t k = 0; k < std::min<std::size_t>(retention.last, there.size()); ++k)
    kept.insert(there[k].id);
  for (const Kind& kind : kKinds) keep(retention.periods.*kind.count, kind.period, there, kept);
  return kept;
}

bool is_due(const Schedule& schedule, long long last, long long now) {
  if (last <= 0 || last > now) return schedule != Schedule{};
  return !due_name(schedule, {{{}, last}}, now).empty();
}

SnapshotPlan plan_snapshots(const Schedule& schedule, const std::vector<Snapshot>& there,
                            long long now) {
  std::vector<Moment> made;
  for (const Snapshot& snapshot : there)
    if (snapshot.origin == SnapshotOrigin::kSchedule)
      made.push_back({snapshot.id, snapshot.created});
  SnapshotPlan plan{.make = due_name(schedule, made, now), .drop = {}};
  std::ranges::stable_sort(made, std::less(), &Moment::created);
  std::vector<Moment> all = made;
  if (!plan.make.empty()) all.push_back({{}, now});
  const auto kept = kept_by({.last = 0, .periods = schedule}, std::move(all), now);
  for (const Moment& snapshot : made)
    if (!kept.contains(snapshot.id)) plan.drop.push_back(snapshot.id);
  return plan;
}

}  // namespace fairlead::volume
