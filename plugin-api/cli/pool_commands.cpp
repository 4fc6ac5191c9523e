#include "base/options/values.h"
#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/session.h"
#include "plugin-api/cli/text.h"

namespace fairlead::cli {

using native::Document;
using volume::PoolSpec;
using volume::VolumePool;

namespace {

Result<PoolSpec> spec_of(const Invocation& line) {
  PoolSpec spec;
  TRY(spec.name, PoolName::parse(line.names[0]));
  if (line.size.empty() == line.device.empty())
    return fail(Code::kInvalid, "a pool needs --size (in a file) or --device, and not both");
  if (line.fstype != "btrfs" && line.fstype != "xfs")
    return fail(Code::kInvalid, "--fstype \"{}\" must be btrfs or xfs", line.fstype);
  if (!line.size.empty()) {
    TRY(spec.size, parse_size(line.size));
  }
  if (!line.device.empty() && line.device.front() != '/')
    return fail(Code::kInvalid, "--device \"{}\" must be an absolute path, like /dev/sdb1",
                line.device);
  spec.device = line.device;
  spec.fstype = line.fstype;
  spec.overwrite = line.overwrite;
  return spec;
}

void show(Session& session, const VolumePool& pool, std::string_view text) {
  if (session.line.json)
    session.print_json(native::encode_pool(pool));
  else if (!session.quiet())
    session.print(text);
  session.warn(pool.warnings);
}

Status create(Session& session, const PoolSpec& spec) {
  TRY(auto core, session.services());
  TRY(auto pool, core.pools->create(spec));
  show(session, pool, pool.name.str());
  return {};
}

Status grow(Session& session, const std::string& name, std::uint64_t size) {
  TRY(auto core, session.services());
  TRY(auto pool, core.pools->grow(name, size));
  show(session, pool, fmt::format("{}: {}", name, size_text(pool.size)));
  return {};
}

// One word; inspect has the sentence. A pool without a size is not mounted.
std::string health_word(const VolumePool& pool) {
  if (pool.health == "ok") return "ok";
  return pool.size == 0 ? "offline" : "warning";
}

Status list(Session& session) {
  TRY(auto core, session.services());
  TRY(auto pools, core.pools->list());
  Document documents = Document::array();
  using enum Column::Fit;
  Table table({{"POOL NAME", kShrink},
               {"TYPE"},
               {"DEVICE", kShrink},
               {"SIZE"},
               {"USED"},
               {"VOLUMES"},
               {"HEALTH", kShrink},
               {"CREATED"}});
  for (const VolumePool& pool : pools) {
    const auto known = [&](std::uint64_t bytes) {
      // size 0: the pool is not mounted
      return pool.size > 0 ? size_text(bytes) : std::string("-");
    };
    documents.push_back(native::encode_pool(pool));
    table.add({pool.name.str(), pool.fstype, pool.device.empty() ? "a file" : pool.device,
               known(pool.size), known(pool.used), std::to_string(pool.volumes), health_word(pool),
               ago(pool.created, session.context.now)});
    if (session.quiet() && !session.line.json) session.print(pool.name.str());
  }
  if (session.line.json)
    session.print_json(documents);
  else if (!session.quiet())
    session.print(table);
  return {};
}

}  // namespace

int pool_create(Session& session) {
  const auto spec = spec_of(session.line);
  if (!spec) return session.misused(spec.error());
  return session.finish("create pool " + spec->name.str(), create(session, *spec));
}

int pool_list(Session& session) { return session.finish("list pools", list(session)); }

int pool_inspect(Session& session) {
  Document documents = Document::array();
  const int exit_code =
      session.for_each_name("inspect pool", [&](const std::string& name) -> Status {
        TRY(auto core, session.services());
        TRY(auto pool, core.pools->inspect(name));
        documents.push_back(native::encode_pool(pool));
        return {};
      });
  session.print_json(documents);
  return exit_code;
}

int pool_remove(Session& session) {
  return session.for_each_name("remove pool", [&](const std::string& name) -> Status {
    TRY(auto core, session.services());
    TRY_STATUS(core.pools->remove(name));
    if (!session.quiet()) session.print(name);
    return {};
  });
}

int pool_grow(Session& session) {
  const auto& names = session.line.names;
  const auto size = names.size() > 1 ? parse_size(names[1]) : Result<std::uint64_t>(0);
  if (!size) return session.misused(size.error());
  return session.finish("grow pool " + names[0], grow(session, names[0], *size));
}

}  // namespace fairlead::cli
