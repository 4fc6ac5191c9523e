#include "volume/kernel/sftp_client.h"

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "volume/kernel/sftp_link.h"

namespace fairlead::volume {

using sftp::Reply;
using sftp::StatusCode;

namespace {

constexpr std::uint32_t kWriteHead = 1024;  // what a write needs beside its data

std::uint32_t size_within(std::uint64_t limit, std::uint32_t otherwise) {
  if (limit == 0) return otherwise;
  return static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(limit, 1024, sftp::kLongestMessage - kWriteHead));
}

}  // namespace

// --- SftpCall

void SftpCall::abandon() {
  if (link_ && state_ && !state_->into.empty()) link_->abandon(state_);
  state_.reset();
}

SftpCall& SftpCall::operator=(SftpCall&& other) noexcept {
  if (this == &other) return *this;
  abandon();
  link_ = std::move(other.link_);
  state_ = std::move(other.state_);
  return *this;
}

// --- requests

template <class Encode>
SftpCall SftpClient::ask(Encode encode, std::span<char> into, std::string_view data) {
  auto call = std::make_shared<SftpCall::State>();
  call->id = link_->next_id();
  call->into = into;
  link_->send(call, encode(call->id), data);
  return {link_, std::move(call)};
}

SftpCall SftpClient::open(const std::string& path, sftp::Open how) {
  return ask([&](std::uint32_t id) { return sftp::open_file(id, path, how, 0600); });
}

SftpCall SftpClient::close(const Handle& handle) {
  return ask([&](std::uint32_t id) { return sftp::close(id, handle); });
}

SftpCall SftpClient::read(const Handle& handle, std::uint64_t offset, std::span<char> into) {
  const auto size = static_cast<std::uint32_t>(std::min<std::size_t>(into.size(), read_size_));
  return ask([&](std::uint32_t id) { return sftp::read(id, handle, offset, size); },
             into.first(size));
}

SftpCall SftpClient::write(const Handle& handle, std::uint64_t offset, std::string_view bytes) {
  const auto size = static_cast<std::uint32_t>(bytes.size());
  return ask([&](std::uint32_t id) { return sftp::write_head(id, handle, offset, size); }, {},
             bytes);
}

SftpCall SftpClient::stat(const std::string& path) {
  return ask([&](std::uint32_t id) { return sftp::stat(id, path); });
}

SftpCall SftpClient::open_folder(const std::string& path) {
  return ask([&](std::uint32_t id) { return sftp::open_folder(id, path); });
}

SftpCall SftpClient::read_folder(const Handle& handle) {
  return ask([&](std::uint32_t id) { return sftp::read_folder(id, handle); });
}

SftpCall SftpClient::remove(const std::string& path) {
  return ask([&](std::uint32_t id) { return sftp::remove(id, path); });
}

SftpCall SftpClient::make_folder(const std::string& path) {
  return ask([&](std::uint32_t id) { return sftp::make_folder(id, path, 0700); });
}

SftpCall SftpClient::rename(const std::string& from, const std::string& to) {
  return ask([&](std::uint32_t id) {
    return can_replace_ ? sftp::posix_rename(id, from, to) : sftp::rename(id, from, to);
  });
}

SftpCall SftpClient::sync(const Handle& handle) {
  if (can_sync_) return ask([&](std::uint32_t id) { return sftp::sync(id, handle); });
  auto done = std::make_shared<SftpCall::State>();
  done->answer = Reply();
  return {link_, std::move(done)};
}

// --- replies

Result<Reply> SftpClient::reply(SftpCall& call, const std::string& what, Patience patience) {
  if (!call.state_) return fail(Code::kInternal, "{}: nothing was asked", what);
  if (const auto waited = link_->wait(call.state_, patience); !waited)
    return fail(with_context(waited.error(), what));
  return *call.state_->answer;
}

Error SftpClient::to_error(const Reply& reply, const std::string& what) {
  const std::string& host = link_->settings().host;
  if (reply.kind != Reply::Kind::kStatus || reply.status == StatusCode::kOk)
    return {Code::kIo, 0, fmt::format("{}: {} answered something else", what, host)};
  const std::string words = reply.text.empty() ? "Failure" : shown(reply.text);
  switch (reply.status) {
    case StatusCode::kNoSuchFile:
      return {Code::kNotFound, ENOENT, fmt::format("{}: {} says: {}", what, host, words)};
    case StatusCode::kPermissionDenied:
      return {Code::kIo, EACCES, fmt::format("{}: {} says: {}", what, host, words)};
    case StatusCode::kUnsupported:
      return {Code::kUnsupported, 0, fmt::format("{}: {} says: {}", what, host, words)};
    default:
      return {Code::kIo, 0, fmt::format("{}: {} says: {}", what, host, words)};
  }
}

Status SftpClient::wait(SftpCall& call, const std::string& what, Patience patience) {
  TRY(const auto got, reply(call, what, patience));
  if (got.kind == Reply::Kind::kStatus && got.status == StatusCode::kOk) return {};
  return fail(to_error(got, what));
}

Result<SftpClient::Handle> SftpClient::wait_handle(SftpCall& call, const std::string& what) {
  TRY(auto got, reply(call, what, Patience::kStop));
  if (got.kind == Reply::Kind::kHandle) return std::move(got.text);
  return fail(to_error(got, what));
}

Result<std::size_t> SftpClient::wait_read(SftpCall& call, const std::string& what) {
  TRY(const auto got, reply(call, what, Patience::kStop));
  if (got.kind == Reply::Kind::kData) return call.state_->got;
  if (got.kind == Reply::Kind::kStatus && got.status == StatusCode::kEof) return 0;
  return fail(to_error(got, what));
}

Result<sftp::Attributes> SftpClient::wait_attributes(SftpCall& call, const std::string& what) {
  TRY(const auto got, reply(call, what, Patience::kStop));
  if (got.kind == Reply::Kind::kAttributes) return got.attributes;
  return fail(to_error(got, what));
}

Result<std::vector<sftp::Entry>> SftpClient::wait_entries(SftpCall& call, const std::string& what) {
  TRY(auto got, reply(call, what, Patience::kStop));
  if (got.kind == Reply::Kind::kNames) return std::move(got.entries);
  if (got.kind == Reply::Kind::kStatus && got.status == StatusCode::kEof)
    return std::vector<sftp::Entry>();
  return fail(to_error(got, what));
}

bool SftpClient::is_answered(const SftpCall& call) const {
  return call.state_ && link_->is_answered(call.state_);
}

Result<std::uint64_t> SftpClient::free_bytes(const std::string& folder) {
  if (!tells_free_space_) return fail(Code::kUnsupported, "the server does not tell");
  auto call = ask([&](std::uint32_t id) { return sftp::free_space(id, folder); });
  TRY(const auto got, reply(call, "ask for the free space", Patience::kStop));
  if (got.kind != Reply::Kind::kExtended) return fail(to_error(got, "ask for the free space"));
  return sftp::parse_free_bytes(call.state_->kept);
}

// --- beginning and end

Status SftpClient::greet() {
  TRY(const auto greeting, link_->greet());
  link_->run();
  can_sync_ = greeting.has("fsync@openssh.com");
  can_replace_ = greeting.has("posix-rename@openssh.com");
  tells_free_space_ = greeting.has("statvfs@openssh.com");
  if (!greeting.has("limits@openssh.com")) return {};
  auto call = ask([](std::uint32_t id) { return sftp::limits(id); });
  TRY(const auto got, reply(call, "ask for the limits", Patience::kStop));
  if (got.kind != Reply::Kind::kExtended) return {};
  TRY(const auto limits, sftp::parse_limits(call.state_->kept));
  read_size_ = size_within(limits.read, read_size_);
  write_size_ = size_within(limits.write, write_size_);
  return {};
}

Result<std::unique_ptr<SftpClient>> SftpClient::start(RemoteProcess process,
                                                      SftpSettings settings) {
  std::unique_ptr<SftpClient> client(
      new SftpClient(std::make_shared<SftpLink>(std::move(process), std::move(settings))));
  if (const auto greeted = client->greet(); !greeted)
    return fail(
        with_context(greeted.error(), fmt::format("reach {}", client->link_->settings().host)));
  return client;
}

SftpClient::~SftpClient() { link_->finish(); }

pid_t SftpClient::pid() const { return link_->process().pid(); }

}  // namespace fairlead::volume
