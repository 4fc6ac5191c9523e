#include "network/kernel/links/device.h"

#include <linux/if_link.h>

#include <cerrno>

#include "network/kernel/links/messages.h"

namespace fairlead::kernel {

std::string Devices::describe(std::string_view verb, const IfName& name) const {
  return fmt::format("{} {} {}", verb, kind_.noun, name.str());
}

Status Devices::check(const IfName& name, const LinkDetails& present) const {
  if (is_one(present)) return {};
  return fail(Code::kExists, "{}: there is an interface of that name which is {} but {}{}",
              describe("make", name), kind_.other,
              present.link.kind.empty() ? "a device" : present.link.kind, kind_.advice);
}

Result<std::optional<LinkDetails>> Devices::find(const IfName& name) {
  TRY(std::optional<LinkDetails> present, socket_.find(name, describe("find", name)));
  if (present) TRY_STATUS(check(name, *present));
  return present;
}

Result<LinkDetails> Devices::expect(const IfName& name) {
  const std::string what = describe("find", name);
  TRY(LinkDetails present, socket_.get(get_link(name), what));
  if (!is_one(present))
    return fail(Code::kInvalid, "{}: the interface of that name is {}", what, kind_.other);
  return present;
}

Result<Device> Devices::ensure(const IfName& name, const DeviceSteps& steps) {
  TRY(std::optional<LinkDetails> present, find(name));
  if (present && steps.fits && !steps.fits(*present)) {
    TRY_STATUS(remove(name));
    present.reset();
  }
  const bool made = !present;
  if (made) {
    TRY(present, make(name, steps));
  }
  if (Status mended = steps.mend(*present); !mended) {
    if (made) (void)remove(name);
    return fail(std::move(mended).error());
  }
  return Device{.link = std::move(*present), .made = made};
}

Result<LinkDetails> Devices::make(const IfName& name, const DeviceSteps& steps) {
  TRY_STATUS(steps.make());
  TRY(std::optional<LinkDetails> made, socket_.find(name, steps.making));
  if (!made || !is_one(*made))
    return fail(Code::kConflict, "{}: somebody took it away", steps.making);
  return std::move(*made);
}

Status Devices::remove(const IfName& name) {
  const std::string what = describe("delete", name);
  TRY(const std::optional<LinkDetails> present, socket_.find(name, what));
  if (!present) return {};
  if (!is_one(*present))
    return fail(Code::kExists, "{}: the interface of that name is {}", what, kind_.other);
  return socket_.remove(present->link.index, what);
}

bool put_difference(NetlinkMessage& change, const LinkSettings& wanted, const Link& present) {
  bool differs = false;
  const auto when = [&differs](bool condition) {
    differs = differs || condition;
    return condition;
  };
  if (when(wanted.mac && present.mac != *wanted.mac)) change.put(IFLA_ADDRESS, wanted.mac->bytes());
  if (when(present.mtu != wanted.mtu)) change.put_u32(IFLA_MTU, wanted.mtu);
  if (when(present.alias != wanted.alias)) change.put_text(IFLA_IFALIAS, wanted.alias);
  if (when(wanted.master && present.master != *wanted.master))
    change.put_u32(IFLA_MASTER, static_cast<std::uint32_t>(*wanted.master));
  return differs;
}

Status explain_taken_port(std::uint16_t port, Status done) {
  if (done || done.error().sys_errno != EADDRINUSE) return done;
  Error error = std::move(done).error();
  error.text += fmt::format(": another program has UDP port {}", port);
  return fail(std::move(error));
}

NetlinkStep no_link_local(int index, std::string what) {
  NetlinkMessage quiet = change_link(index);
  put_family_settings(quiet, {.no_link_local = true});
  return {std::move(quiet), std::move(what), EAFNOSUPPORT};
}

bool makes_link_local(const LinkDetails& present) {
  return present.addr_gen_mode && *present.addr_gen_mode != IN6_ADDR_GEN_MODE_NONE;
}

}  // namespace fairlead::kernel
