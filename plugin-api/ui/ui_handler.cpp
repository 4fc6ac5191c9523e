#include "plugin-api/ui/ui_handler.h"

#include <algorithm>
#include <utility>

#include "base/json/json.h"
#include "plugin-api/ui/page_files.h"

namespace fairlead::ui {

namespace {

using json::Json;

// Nothing from elsewhere, nothing inline, no text that becomes markup, in no frame of others.
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'";

void protect(http::Response& response) {
  response.headers["Content-Security-Policy"] = kPolicy;
  response.headers["X-Frame-Options"] = "DENY";
  response.headers["X-Content-Type-Options"] = "nosniff";
  response.headers["Referrer-Policy"] = "no-referrer";
  response.headers["Cross-Origin-Opener-Policy"] = "same-origin";
  response.headers["Cross-Origin-Resource-Policy"] = "same-origin";
  response.headers["Cache-Control"] = "no-store";
}

http::Response document(int status, const Json& body) {
  return {.status = status, .body = body.dump(), .headers = {}};
}

http::Response problem(int status, std::string_view title, std::string_view detail) {
  http::Response response = document(
      status, {{"type", "about:blank"}, {"title", title}, {"status", status}, {"detail", detail}});
  response.content_type = "application/problem+json";
  return response;
}

http::Response not_allowed(std::string_view methods) {
  http::Response response = problem(405, "The method is not allowed", methods);
  response.headers["Allow"] = methods;
  return response;
}

class Page {
 public:
  Page(UiSettings settings, http::Handler api)
      : settings_(std::move(settings)), api_(std::move(api)) {}

  http::Response answer(const http::Request& request) const {
    if (const Status source = check_source(request, settings_.reach); !source)
      return problem(403, "The request is not for this server", source.error().text);
    if (request.path == "/session") return session(request);
    if (request.path.starts_with("/v1/")) return call(request);
    return file(request);
  }

 private:
  static http::Response file(const http::Request& request) {
    const auto files = page_files();
    const auto found = std::ranges::find(files, request.path, &PageFile::path);
    if (found == files.end())
      return problem(404, "There is no such page", "the page is at /, the API below /v1/");
    if (request.method != "GET" && request.method != "HEAD") return not_allowed("GET, HEAD");
    return {.content_type = std::string(found->content_type),
            .body = std::string(found->text),
            .headers = {}};
  }

  http::Response session(const http::Request& request) const {
    if (request.method == "GET") return document(200, state(settings_.token.signs(request)));
    if (request.method == "POST") return sign_in(request);
    if (request.method != "DELETE") return not_allowed("GET, POST, DELETE");
    http::Response response = document(200, state(false));
    response.headers["Set-Cookie"] = Token::no_cookie_for(request);
    return response;
  }

  http::Response sign_in(const http::Request& request) const {
    const auto body = json::parse(request.body);
    const auto form = body ? json::Object::of(*body) : fail(body.error());
    const auto token = form ? form->string("token") : fail(form.error());
    if (!token) return problem(400, "The request is not valid", token.error().text);
    if (!settings_.token.is(*token))
      return problem(401, "Not signed in",
                     "this is not the token of this daemon: `fairlead ui` prints the link with it");
    http::Response response = document(200, state(true));
    response.headers["Set-Cookie"] = settings_.token.cookie_for(request);
    return response;
  }

  Json state(bool signed_in) const {
    if (!signed_in) return {{"signed_in", false}};
    return {{"signed_in", true},
            {"write", settings_.access == Access::kWrite},
            {"host", settings_.host},
            {"version", settings_.version},
            {"cluster", settings_.has_cluster},
            {"doctor", settings_.has_doctor}};
  }

  http::Response call(const http::Request& request) const {
    if (!settings_.token.signs(request))
      return problem(401, "Not signed in", "open the page by the link that `fairlead ui` prints");
    if (const Status allowed = check_call(request, settings_.access); !allowed)
      return problem(403, "The page may not do this", allowed.error().text);
    http::Request plain = request;
    plain.headers.clear();
    return api_(plain);
  }

  const UiSettings settings_;
  const http::Handler api_;
};

}  // namespace

http::Handler make_ui_handler(UiSettings settings, http::Handler api) {
  const auto page = std::make_shared<const Page>(std::move(settings), std::move(api));
  return [page](const http::Request& request) {
    http::Response response = page->answer(request);
    protect(response);
    return response;
  };
}

}  // namespace fairlead::ui
