#include "tests/component/registry-proxy/scripted_upstream.hpp"

#include "registry-proxy/api/range.hpp"

namespace methos::test {

namespace {

/// Sends bytes in two halves, waits in between when told to, and breaks where told to.
class ScriptedBody final : public http::BodyReader {
  public:
    ScriptedBody(std::string bytes, std::size_t break_at, std::shared_ptr<Gate> hold)
        : bytes_(std::move(bytes)), break_at_(break_at), hold_(std::move(hold)) {}

    awaitable<std::optional<std::string>> read() override {
        if (at_ >= bytes_.size()) {
            co_return std::nullopt;
        }
        if (at_ >= break_at_) {
            throw Failure(Code::Unavailable, "cut by the script");
        }
        if (at_ > 0 && hold_) {
            co_await hold_->wait();
        }
        const auto end = at_ == 0 ? (bytes_.size() + 1) / 2 : bytes_.size();
        const auto length = std::min(end, break_at_) - at_;
        auto piece = bytes_.substr(at_, length);
        at_ += length;
        co_return piece;
    }

  private:
    std::string bytes_;
    std::size_t break_at_;
    std::shared_ptr<Gate> hold_;
    std::size_t at_ = 0;
};

Result<http::Principal> anybody(const http::Request& /*request*/) {
    return http::Principal{"anonymous", false};
}

http::Response print_error(const http::Request& /*request*/, const Error& error) {
    return http::Response(traits_of(error.code).http_status, "text/plain", error.to_string());
}

} // namespace

ScriptedUpstream::ScriptedUpstream(const asio::any_io_executor& executor) {
    http::Router router;
    for (const auto* pattern : {"/v2/{rest*}", "/elsewhere/{rest*}"}) {
        http::Route route;
        route.method = "*";
        route.pattern = pattern;
        route.auth = http::Auth::Public;
        route.handler = [this](http::Request request) { return answer(std::move(request)); };
        router.add(std::move(route));
    }
    http::Route token_route;
    token_route.method = "GET";
    token_route.pattern = "/token";
    token_route.auth = http::Auth::Public;
    token_route.handler = [this](http::Request request) {
        return answer_token(std::move(request));
    };
    router.add(std::move(token_route));
    server_ = std::make_unique<http::Server>(executor, std::move(router), anybody, print_error);
    address_ = server_->listen("127.0.0.1:0");
}

proxy::Digest ScriptedUpstream::put_blob(const std::string& name, const std::string& bytes) {
    auto digest = proxy::Sha256::of(bytes);
    documents_[name + "/blobs/" + digest.to_string()] =
        Document{"application/octet-stream", bytes, {}};
    return digest;
}

proxy::Digest ScriptedUpstream::put_manifest(const std::string& name,
                                             const std::string& tag,
                                             const std::string& bytes) {
    auto digest = proxy::Sha256::of(bytes);
    const Document document{"application/vnd.oci.image.manifest.v1+json", bytes, {}};
    documents_[name + "/manifests/" + tag] = document;
    documents_[name + "/manifests/" + digest.to_string()] = document;
    return digest;
}

void ScriptedUpstream::put_tags(const std::string& name,
                                const std::string& body,
                                const std::string& link) {
    documents_[name + "/tags/list"] = Document{"application/json", body, link};
}

int ScriptedUpstream::count(const std::string& method_and_path) const {
    const auto found = counts_.find(method_and_path);
    return found == counts_.end() ? 0 : found->second;
}

awaitable<> ScriptedUpstream::stop() {
    co_await server_->stop(std::chrono::milliseconds(0));
}

awaitable<http::Response> ScriptedUpstream::answer_token(http::Request request) {
    ++counts_["GET /token"];
    token_authorizations.push_back(request.headers.get("Authorization").value_or(""));
    const auto document = R"({"expires_in":300,"token":")" + token + R"("})";
    co_return http::Response(200, "application/json", document);
}

http::Response ScriptedUpstream::send_blob(const http::Request& request, const std::string& bytes) {
    http::Response response(200);
    response.headers.set("Content-Type", "application/octet-stream");
    auto part = proxy::ByteRange{0, bytes.size()};
    const auto range = request.headers.get("Range");
    blob_ranges.push_back(range.value_or(""));
    if (range && !ignores_ranges) {
        const auto choice = proxy::choose_range(*range, bytes.size());
        part = choice.part;
        response.status = 206;
        response.headers.set("Content-Range", proxy::format_content_range(part, bytes.size()));
    }
    auto content = bytes.substr(part.offset, part.length);
    if (corrupts_blobs) {
        content.back() = static_cast<char>(content.back() ^ 1);
    }
    auto break_at = content.size();
    if (cut_after > 0 && cuts_left > 0) {
        --cuts_left;
        break_at = std::min(cut_after, content.size());
    }
    if (!hides_lengths) {
        response.stream_length = content.size();
    }
    response.stream = std::make_shared<ScriptedBody>(std::move(content), break_at, hold);
    return response;
}

/// What a caller without the right Authorization gets.
std::optional<http::Response> ScriptedUpstream::refuse(const http::Request& request) const {
    const auto authorization = request.headers.get("Authorization");
    if (needs_token && authorization != "Bearer " + token) {
        http::Response response(authorization ? refused_token_status : 401, "text/plain", refusal);
        response.headers.set("WWW-Authenticate",
                             "Bearer realm=\"" + (realm.empty() ? url() + "/token" : realm) +
                                 "\",service=\"test\"");
        return response;
    }
    if (!basic_authorization.empty() && authorization != basic_authorization) {
        http::Response response(401, "text/plain", refusal);
        response.headers.set("WWW-Authenticate", "Basic realm=\"test\"");
        return response;
    }
    return std::nullopt;
}

awaitable<http::Response> ScriptedUpstream::answer(http::Request request) {
    const bool elsewhere = request.path.rfind("/elsewhere/", 0) == 0;
    const auto path = request.path.substr(elsewhere ? 11 : 4);
    ++counts_[request.method + " " + path];
    if (const auto silence = silent) {
        co_await silence->wait();
    }
    if (fail_with != 0 && fails_left > 0) {
        --fails_left;
        co_return http::Response(fail_with, "text/plain", "told to fail");
    }
    const auto authorization = request.headers.get("Authorization");
    if (elsewhere && authorization) {
        leaked_authorizations.push_back(*authorization);
    }
    if (auto answer = refuse(request); answer && !elsewhere) {
        co_return std::move(*answer);
    }
    const auto found = documents_.find(path);
    if (found == documents_.end()) {
        co_return http::Response(404, "text/plain", "unknown");
    }
    const bool is_blob = path.find("/blobs/") != std::string::npos;
    if (is_blob && redirects_blobs && !elsewhere) {
        http::Response response(307);
        auto host = url();
        host.replace(host.find("127.0.0.1"), 9, "localhost"); // another host, the same server
        response.headers.set("Location", host + "/elsewhere/" + path);
        co_return response;
    }
    if (is_blob) {
        co_return send_blob(request, found->second.bytes);
    }
    http::Response response(200, found->second.media_type, found->second.bytes);
    if (!found->second.link.empty()) {
        response.headers.set("Link", found->second.link);
    }
    response.headers.set("Docker-Content-Digest",
                         proxy::Sha256::of(found->second.bytes).to_string());
    co_return response;
}

} // namespace methos::test
