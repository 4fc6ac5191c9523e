#include "plugin-api/hooks/podman_runtime.h"

#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>

#include "base/json/json.h"
#include "base/text.h"

namespace fairlead::hooks {

namespace {

using Clock = std::chrono::steady_clock;
using json::Json;
constexpr std::chrono::seconds kPatience{20};

std::string text_at(const Json& object, std::string_view key) {
  const Json* const value = object.find(key);
  return value != nullptr && value->is_string() ? value->string() : "";
}

std::map<std::string, std::string> labels_in(const Json* labels) {
  std::map<std::string, std::string> found;
  if (labels == nullptr || !labels->is_object()) return found;
  for (const auto& [key, value] : labels->members())
    if (value.is_string()) found[key] = value.string();
  return found;
}

std::string name_at(const Json& container) {
  const Json* const names = container.find("Names");
  if (names == nullptr || !names->is_array()) return "";
  for (const Json& each : *names)
    if (each.is_string()) return each.string();
  return "";
}

class Podman : public Runtime {
 public:
  explicit Podman(PodmanHost host) : host_(std::move(host)) {}

  std::string name() const override { return "Podman"; }

  // By volume, because ps does not tell which one a container has.
  Result<std::vector<Container>> using_volumes(const std::vector<std::string>& volumes) override {
    std::map<std::string, Container> found;
    if (::access(host_.alive.c_str(), F_OK) != 0) return std::vector<Container>();
    for (const std::string& volume : volumes) {
      TRY(const bool ours, is_of_a_plugin(volume));
      if (ours) TRY_STATUS(add_users(volume, found));
    }
    std::vector<Container> all;
    for (auto& [id, container] : found) all.push_back(std::move(container));
    return all;
  }

  Result<std::map<std::string, std::string>> labels_of_image(const std::string& image) override {
    TRY(const auto text, ask({"podman", "image", "inspect", "--format", "json", image}));
    TRY(const auto document, json::parse(text));
    if (!document.is_array()) return fail(Code::kInvalid, "a list of images is expected");
    for (const Json& each : document)
      if (each.is_object()) return labels_in(each.find("Labels"));
    return std::map<std::string, std::string>();
  }

  Result<Answer> run(const Container& container, const Command& command,
                     Clock::time_point deadline) override {
    std::vector<std::string> argv{"podman", "exec"};
    for (const auto& [key, value] : command.environment)
      argv.push_back("--env=" + key + "=" + value);
    if (!command.user.empty()) argv.push_back("--user=" + command.user);
    argv.push_back(container.id);
    argv.insert(argv.end(), command.words.begin(), command.words.end());
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    TRY(const auto ended, host_.run(argv, std::max(left, std::chrono::milliseconds(1))));
    return Answer{.exit_code = ended.exit_code,
                  .output = (ended.out + ended.err).substr(0, kMostOutput)};
  }

 private:
  Result<std::string> ask(const std::vector<std::string>& argv) {
    auto ended = host_.run(argv, kPatience);
    if (!ended) return fail(Code::kIo, "podman does not answer: {}", ended.error().text);
    if (ended->exit_code == 0) return std::move(ended->out);
    return fail(Code::kConflict, "podman says: {}", shown(ended->err.substr(0, 300)));
  }

  // Podman may have a volume of its own of that name. One that it does not know nobody uses.
  Result<bool> is_of_a_plugin(const std::string& volume) {
    const auto ended = host_.run(
        std::vector<std::string>{"podman", "volume", "inspect", "--format", "{{.Driver}}", volume},
        kPatience);
    if (!ended && ended.error().code == Code::kNotFound) return false;  // no Podman
    if (!ended) return fail(Code::kIo, "podman does not answer: {}", ended.error().text);
    return ended->exit_code == 0 && ended->out.find("local") != 0;
  }

  Status add_users(const std::string& volume, std::map<std::string, Container>& found) {
    TRY(const auto text,
        ask({"podman", "ps", "--no-trunc", "--filter", "volume=" + volume, "--format", "json"}));
    TRY(const auto document, json::parse(text));
    if (document.is_null()) return {};
    if (!document.is_array()) return fail(Code::kInvalid, "a list of containers is expected");
    for (const Json& each : document) {
      if (!each.is_object() || text_at(each, "Id").empty())
        return fail(Code::kInvalid, "a container is expected");
      Container& one = found[text_at(each, "Id")];
      one.id = text_at(each, "Id");
      one.name = name_at(each);
      one.image = text_at(each, "ImageID");
      one.labels = labels_in(each.find("Labels"));
      one.volumes.push_back(volume);
    }
    return {};
  }

  const PodmanHost host_;
};

}  // namespace

std::unique_ptr<Runtime> make_podman_runtime(PodmanHost host) {
  return std::make_unique<Podman>(std::move(host));
}

}  // namespace fairlead::hooks
