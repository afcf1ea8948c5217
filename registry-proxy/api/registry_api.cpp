#include "registry-proxy/api/registry_api.hpp"

#include "core/base/json.hpp"
#include "core/base/units.hpp"
#include "registry-proxy/api/answers.hpp"
#include "registry-proxy/api/errors.hpp"

#include <nlohmann/json.hpp>

namespace methos::proxy {

namespace {

constexpr std::uint64_t upload_bytes_max = 1ULL << 40U; ///< one layer; the disk is the real limit

http::Response make_manifest_response(const http::Request& request,
                                      const Digest& digest,
                                      const std::string& media_type,
                                      std::string bytes) {
    http::Response response(200);
    response.headers.set("Docker-Content-Digest", digest.to_string());
    response.headers.set("ETag", "\"" + digest.to_string() + "\"");
    if (matches_etag(request.headers.all("If-None-Match"), digest)) {
        response.status = 304;
        return response;
    }
    response.headers.set("Content-Type", media_type);
    response.body = std::move(bytes);
    return response;
}

Digest require_digest(const std::string& text) {
    auto digest = Digest::parse(text);
    if (!digest) {
        throw RegistryFailure(400, "DIGEST_INVALID", digest.error().message);
    }
    return *digest;
}

void require_reference(const std::string& reference) {
    if (reference.find(':') != std::string::npos) {
        (void)require_digest(reference);
    } else if (!is_legal_tag(reference)) {
        throw RegistryFailure(404,
                              "MANIFEST_UNKNOWN",
                              "'" + reference.substr(0, 128) + "' is neither a tag nor a digest");
    }
}

} // namespace

void RegistryApi::add_routes(http::Router& router) {
    const auto add = [this, &router](const char* method, http::BodyMode mode) {
        http::Route route;
        route.method = method;
        route.pattern = "/v2/{rest*}";
        route.auth = http::Auth::Public; // pulls are open, pushes are checked by the push guard
        route.body_mode = mode;
        if (mode == http::BodyMode::Streamed) {
            route.body_bytes_max = upload_bytes_max;
        }
        route.handler = [this](Request request) { return handle(std::move(request)); };
        router.add(std::move(route));
    };
    for (const auto* method : {"GET", "HEAD", "DELETE"}) {
        add(method, http::BodyMode::Buffered);
    }
    for (const auto* method : {"POST", "PATCH", "PUT"}) {
        add(method, http::BodyMode::Streamed);
    }
    for (const auto* pattern : {"/metrics", "/metrics/prometheus"}) {
        http::Route route;
        route.method = "GET";
        route.pattern = pattern;
        route.auth = http::Auth::Public;
        route.handler = [this](Request request) { return print_metrics(std::move(request)); };
        router.add(std::move(route));
    }
}

awaitable<http::Response> RegistryApi::print_metrics(Request request) {
    parts_.counters.cache_bytes.set(static_cast<double>(parts_.store.index().used_bytes()));
    const auto accept = request.headers.get("Accept");
    const bool text = request.path == "/metrics/prometheus" ||
                      Metrics::wants_prometheus(accept ? &*accept : nullptr);
    if (text) {
        co_return Response(
            200, "text/plain; version=0.0.4; charset=utf-8", parts_.metrics.prometheus_text());
    }
    co_return Response(200, "application/json", parts_.metrics.dropwizard_json());
}

http::Response RegistryApi::render_error(const Request& /*request*/, const Error& error) {
    return make_error_response(error);
}

awaitable<http::Response> RegistryApi::handle(Request request) {
    try {
        auto answer = dispatch(std::move(request));
        co_return co_await std::move(answer);
    } catch (const RegistryFailure& failure) {
        co_return make_error_response(failure);
    } catch (const Failure& failure) {
        co_return make_error_response(failure.error());
    }
}

awaitable<http::Response> RegistryApi::dispatch(Request request) {
    const auto path = parse_registry_path(http::percent_decode(request.path));
    if (!path) {
        const bool bad_name = path.error().code == Code::InvalidInput;
        throw RegistryFailure(
            bad_name ? 400 : 404, bad_name ? "NAME_INVALID" : "UNSUPPORTED", path.error().message);
    }
    if (path->endpoint == Endpoint::Ping) {
        co_return ping(request);
    }
    if (path->endpoint == Endpoint::Catalog) {
        co_return catalog(request);
    }
    const auto ns = request.query_value("ns");
    const auto target = parts_.upstreams.resolve(path->name, ns);
    if (!target) {
        const bool denied = target.error().code == Code::Forbidden;
        throw RegistryFailure(
            denied ? 403 : 400, denied ? "DENIED" : "NAME_INVALID", target.error().to_string());
    }
    const bool reads = request.method == "GET" || request.method == "HEAD";
    Response response;
    if (reads && path->endpoint != Endpoint::Uploads && path->endpoint != Endpoint::Upload) {
        response = co_await read(std::move(request), *path, *target);
    } else {
        response = co_await write(std::move(request), *path, *target);
    }
    if (ns && !ns->empty()) {
        response.headers.set("OCI-Namespace", target->host);
    }
    co_return response;
}

http::Response RegistryApi::ping(const Request& request) const {
    // Docker sends credentials only to a registry whose ping asked for them; callers on this
    // machine need none.
    if (parts_.push_guard.has_users()) {
        const auto right =
            parts_.push_guard.check(request.remote_address, request.headers.get("Authorization"));
        if (!right) {
            auto response = make_error_response(401, "UNAUTHORIZED", right.error().message);
            response.headers.set("WWW-Authenticate", "Basic realm=\"methos-registry-proxy\"");
            return response;
        }
    }
    return Response(200, "application/json", "{}");
}

http::Response RegistryApi::catalog(const Request& request) const {
    auto names = parts_.hosting.names();
    for (auto& name : names) {
        name = std::string(hosted_host) + "/" + name;
    }
    const auto page = cut_page(names, request.query_value("n"), request.query_value("last"));
    if (!page) {
        throw RegistryFailure(400, "PAGINATION_NUMBER_INVALID", page.error().message);
    }
    auto document = nlohmann::json::object();
    document["repositories"] = page->entries;
    Response response(200, "application/json", dump_json(document));
    if (!page->next_query.empty()) {
        response.headers.set("Link",
                             format_next_link("/v2/_catalog", page->next_query, std::nullopt));
    }
    return response;
}

awaitable<http::Response> RegistryApi::read(Request request, RegistryPath path, Target target) {
    switch (path.endpoint) {
    case Endpoint::Manifest:
        require_reference(path.reference);
        co_return co_await get_manifest(std::move(request), std::move(target), path.reference);
    case Endpoint::Blob: {
        const auto digest = require_digest(path.reference);
        if (request.method == "HEAD") {
            co_return co_await head_blob(std::move(target), digest);
        }
        co_return co_await get_blob(std::move(request), std::move(target), digest);
    }
    case Endpoint::Tags:
        co_return co_await get_tags(std::move(request), std::move(path), std::move(target));
    case Endpoint::Referrers: {
        const auto digest = require_digest(path.reference);
        co_return co_await get_referrers(
            std::move(request), std::move(path), std::move(target), digest);
    }
    default:
        throw RegistryFailure(404, "UNSUPPORTED", "no such path in the registry API");
    }
}

awaitable<http::Response>
RegistryApi::get_manifest(Request request, Target target, std::string reference) {
    if (target.hosted()) {
        auto manifest = parts_.hosting.get_manifest(target.name, reference);
        co_return make_manifest_response(
            request, manifest.digest, manifest.media_type, std::move(manifest.bytes));
    }
    auto answer = co_await parts_.mirror.manifest(std::move(target), std::move(reference));
    auto response =
        make_manifest_response(request, answer.digest, answer.media_type, std::move(answer.bytes));
    if (!answer.warning.empty()) {
        response.headers.set("Warning", format_warning(answer.warning));
    }
    co_return response;
}

awaitable<http::Response> RegistryApi::get_tags(Request request, RegistryPath path, Target target) {
    const auto own_path = "/v2/" + path.name + "/tags/list";
    const auto ns = request.query_value("ns");
    if (target.hosted()) {
        const auto page = cut_page(parts_.hosting.tags(target.name),
                                   request.query_value("n"),
                                   request.query_value("last"));
        if (!page) {
            throw RegistryFailure(400, "PAGINATION_NUMBER_INVALID", page.error().message);
        }
        auto document = nlohmann::json::object();
        document["name"] = path.name;
        document["tags"] = page->entries;
        Response response(200, "application/json", dump_json(document));
        if (!page->next_query.empty()) {
            response.headers.set("Link", format_next_link(own_path, page->next_query, ns));
        }
        co_return response;
    }
    auto query = query_without_ns(request);
    const auto listing = co_await parts_.mirror.tags(std::move(target), std::move(query));
    Response response(200, listing.content_type, listing.body);
    if (!listing.next_query.empty()) {
        response.headers.set("Link", format_next_link(own_path, listing.next_query, ns));
    }
    if (!listing.warning.empty()) {
        response.headers.set("Warning", format_warning(listing.warning));
    }
    co_return response;
}

awaitable<http::Response>
RegistryApi::get_referrers(Request request, RegistryPath path, Target target, Digest digest) {
    if (target.hosted()) {
        const auto type = request.query_value("artifactType").value_or("");
        Response response(200,
                          "application/vnd.oci.image.index.v1+json",
                          parts_.hosting.referrers(target.name, digest, type));
        if (!type.empty()) {
            response.headers.set("OCI-Filters-Applied", "artifactType");
        }
        co_return response;
    }
    auto query = query_without_ns(request);
    const auto listing =
        co_await parts_.mirror.referrers(std::move(target), digest.to_string(), std::move(query));
    Response response(200, listing.content_type, listing.body);
    if (!listing.filters_applied.empty()) {
        response.headers.set("OCI-Filters-Applied", listing.filters_applied);
    }
    if (!listing.next_query.empty()) {
        response.headers.set("Link",
                             format_next_link("/v2/" + path.name + "/referrers/" + path.reference,
                                              listing.next_query,
                                              request.query_value("ns")));
    }
    co_return response;
}

} // namespace methos::proxy
