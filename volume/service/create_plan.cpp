#include "volume/service/create_plan.h"

#include "base/text.h"

namespace fairlead::volume {

namespace {

constexpr std::size_t kMostLabels = 256, kLongestLabel = 4096;

// Properties of the data and where it was asked to lie, which a clone takes from its source unless it
// names them: its backup is restored as the source's is.
void inherit(VolumeOptions& asked, const VolumeOptions& source) {
  const VolumeOptions unnamed;
  const auto take = [&](auto... members) {
    ((asked.*members = asked.*members == unnamed.*members ? source.*members : asked.*members), ...);
  };
  take(&VolumeOptions::backend, &VolumeOptions::pool, &VolumeOptions::size, &VolumeOptions::inodes,
       &VolumeOptions::fstype, &VolumeOptions::compress, &VolumeOptions::cow,
       &VolumeOptions::encrypt, &VolumeOptions::keyfile);
}

}  // namespace

Status check_label(const std::string& key, const std::string& value) {
  if (key.empty() || key.size() > kLongestLabel || value.size() > kLongestLabel)
    return fail(Code::kInvalid, "label \"{}\" is empty or too long: at most {} bytes", shown(key),
                kLongestLabel);
  if (!is_plain_text(key) || !is_plain_text(value))
    return fail(Code::kInvalid, "label \"{}\" holds control characters or is not UTF-8",
                shown(key));
  return {};
}

Status check_label_count(std::size_t count) {
  if (count > kMostLabels)
    return fail(Code::kInvalid, "{} labels are too many: at most {}", count, kMostLabels);
  return {};
}

namespace {

// Merges labels of the request and of label.<key> options; the same label with two values is
// refused.
Result<std::map<std::string, std::string>> merge_labels(
    const std::map<std::string, std::string>& of_request,
    const std::map<std::string, std::string>& of_options) {
  auto labels = of_request;
  for (const auto& [key, value] : of_options)
    if (const auto [there, fresh] = labels.try_emplace(key, value);
        !fresh && there->second != value)
      return fail(Code::kInvalid, "label \"{}\" is given twice, as {} and as {}", shown(key),
                  shown(there->second), shown(value));
  TRY_STATUS(check_label_count(labels.size()));
  for (const auto& [key, value] : labels) TRY_STATUS(check_label(key, value));
  return labels;
}

// Refuses owner and mode, because the files of a clone have those that they have in the source.
Status check_clone(const CreatePlan& plan) {
  const VolumeOptions& options = plan.options;
  if (options.from_volume.empty()) return {};
  if (options.from_volume == plan.name.str())
    return fail(Code::kInvalid, "a volume cannot be a clone of itself; give it another name");
  if (options.uid != 0 || options.gid != 0 || options.mode != kDefaultMode)
    return fail(Code::kInvalid,
                "uid, gid and mode are those of the source in a clone; leave them out, or map ids "
                "with idmap=");
  return {};
}

tl::unexpected<Error> other_place(const Volume& source, std::string_view what,
                                  const std::string& has) {
  return fail(
      Code::kUnsupported,
      "a clone has the {0} of its source, and that of volume \"{1}\" is {2}; leave {0} out, "
      "or export \"{1}\" and import it as a new volume",
      what, source.name.str(), has.empty() ? "none" : has);
}

}  // namespace

Result<CreatePlan> plan_create(const VolumeSpec& spec) {
  if (spec.name.empty()) return fail(Code::kInvalid, "a volume needs a name");
  CreatePlan plan{.name = spec.name, .options = spec.options};
  TRY(plan.labels, merge_labels(spec.labels, spec.options.labels));
  plan.options.labels.clear();
  TRY_STATUS(check_clone(plan));
  return plan;
}

Status choose_backend(CreatePlan& plan, BackendRegistry& backends) {
  TRY(plan.choice, backends.choose(plan.options));
  return plan.choice.backend->validate(plan.options);
}

Status choose_as(CreatePlan& plan, const Volume& source, BackendRegistry& backends) {
  const VolumeOptions& asked = plan.options;
  if (!asked.backend.empty() && asked.backend != source.backend)
    return other_place(source, "backend", source.backend);
  if (!asked.pool.empty() && asked.pool != source.pool)
    return other_place(source, "pool", source.pool);
  inherit(plan.options, source.options);
  TRY(Backend* const backend, backends.find(source));
  plan.choice = {.name = source.backend,
                 .pool = source.pool,
                 .backend = backend,
                 .reason = fmt::format("that of volume \"{}\"", source.name.str())};
  return backend->validate(plan.options);
}

std::string difference(const Volume& volume, const CreatePlan& plan) {
  VolumeOptions there = volume.options, asked = plan.options;
  there.backend = volume.backend;
  if (asked.backend.empty()) asked.backend = volume.backend;
  there.pool = asked.pool.empty() ? "" : volume.pool;
  if (!asked.from_volume.empty()) inherit(asked, there);
  there.labels = volume.labels;
  asked.labels = plan.labels;
  return difference(there, asked);
}

}  // namespace fairlead::volume
