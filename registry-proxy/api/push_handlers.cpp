// The writing half of the registry API: uploads, manifests and deletion of hosted images.
#include "registry-proxy/api/errors.hpp"
#include "registry-proxy/api/range.hpp"
#include "registry-proxy/api/registry_api.hpp"

namespace methos::proxy {

namespace {

/// Where clients find a hosted repository, however this request addressed it.
std::string base_path(const Target& target) {
    return "/v2/" + std::string(hosted_host) + "/" + target.name;
}

http::Response
make_upload_answer(int status, const Target& target, const std::string& id, std::uint64_t bytes) {
    http::Response response(status);
    response.headers.set("Location", base_path(target) + "/blobs/uploads/" + id);
    response.headers.set("Docker-Upload-UUID", id);
    response.headers.set("Range", "0-" + std::to_string(bytes == 0 ? 0 : bytes - 1));
    return response;
}

http::Response make_blob_created(const Target& target, const Digest& digest) {
    http::Response response(201);
    response.headers.set("Location", base_path(target) + "/blobs/" + digest.to_string());
    response.headers.set("Docker-Content-Digest", digest.to_string());
    return response;
}

Digest require_digest_query(const http::Request& request) {
    const auto text = request.query_value("digest");
    if (!text) {
        throw RegistryFailure(400, "DIGEST_INVALID", "the digest parameter is missing");
    }
    auto digest = Digest::parse(*text);
    if (!digest) {
        throw RegistryFailure(400, "DIGEST_INVALID", digest.error().message);
    }
    return *digest;
}

/// Where the client believes its chunk begins.
std::optional<std::uint64_t> chunk_start(const http::Request& request) {
    const auto header = request.headers.get("Content-Range");
    if (!header) {
        return std::nullopt;
    }
    const auto range = parse_upload_range(*header);
    if (!range) {
        throw RegistryFailure(400,
                              "BLOB_UPLOAD_INVALID",
                              "Content-Range '" + header->substr(0, 80) + "' is malformed");
    }
    if (request.content_length && *request.content_length != range->last - range->first + 1) {
        throw RegistryFailure(
            400, "SIZE_INVALID", "Content-Range and Content-Length contradict each other");
    }
    return range->first;
}

/// The whole document, however its length is announced.
awaitable<std::string> read_manifest_body(http::Request request) {
    bool too_large = request.content_length.value_or(0) > manifest_bytes_max;
    std::string body;
    while (!too_large) {
        const auto piece = co_await request.body_stream->read();
        if (!piece) {
            co_return body;
        }
        body += *piece;
        too_large = body.size() > manifest_bytes_max;
    }
    throw RegistryFailure(413, "SIZE_INVALID", "the manifest is larger than 4 MiB");
}

} // namespace

void RegistryApi::require_push_right(const Request& request, const Target& target) const {
    if (!target.hosted()) {
        throw RegistryFailure(405,
                              "UNSUPPORTED",
                              target.host +
                                  " is an upstream and only read through this proxy; push "
                                  "to " +
                                  std::string(hosted_host) + "/" + target.name);
    }
    const auto right =
        parts_.push_guard.check(request.remote_address, request.headers.get("Authorization"));
    if (right) {
        return;
    }
    const bool could_log_in = right.error().code == Code::Unauthorized;
    RegistryFailure failure(
        could_log_in ? 401 : 403, could_log_in ? "UNAUTHORIZED" : "DENIED", right.error().message);
    if (could_log_in) {
        failure.headers.set("WWW-Authenticate", "Basic realm=\"methos-registry-proxy\"");
    }
    throw failure;
}

awaitable<http::Response> RegistryApi::write(Request request, RegistryPath path, Target target) {
    require_push_right(request, target);
    const auto& method = request.method;
    if (path.endpoint == Endpoint::Uploads && method == "POST") {
        co_return co_await start_upload(std::move(request), std::move(target));
    }
    if (path.endpoint == Endpoint::Upload) {
        if (method == "PATCH") {
            co_return co_await continue_upload(
                std::move(request), std::move(target), std::move(path.reference));
        }
        if (method == "PUT") {
            co_return co_await finish_upload(
                std::move(request), std::move(target), std::move(path.reference));
        }
        if (method == "GET" || method == "HEAD") {
            const auto bytes = parts_.hosting.upload_bytes(target.name, path.reference);
            co_return make_upload_answer(204, target, path.reference, bytes);
        }
        if (method == "DELETE") {
            parts_.hosting.cancel_upload(target.name, path.reference);
            co_return Response(204);
        }
    }
    if (path.endpoint == Endpoint::Manifest) {
        const bool legal = Digest::parse(path.reference) || is_legal_tag(path.reference);
        if (!legal) {
            throw RegistryFailure(400,
                                  "MANIFEST_INVALID",
                                  "'" + path.reference.substr(0, 128) +
                                      "' is neither a tag nor a sha256 digest");
        }
        if (method == "PUT") {
            co_return co_await put_manifest(
                std::move(request), std::move(target), std::move(path.reference));
        }
        if (method == "DELETE") {
            co_await parts_.hosting.delete_manifest(target.name, path.reference);
            co_return Response(202);
        }
    }
    throw RegistryFailure(405, "UNSUPPORTED", method + " is not supported here");
}

awaitable<http::Response> RegistryApi::start_upload(Request request, Target target) {
    if (const auto mount = request.query_value("mount")) {
        const auto digest = Digest::parse(*mount);
        if (digest) {
            const auto content = co_await open_checked(*digest);
            if (content && parts_.hosting.mount(*digest)) {
                co_return make_blob_created(target, *digest);
            }
        }
    }
    std::optional<Digest> whole;
    if (request.query_value("digest")) {
        whole = require_digest_query(request);
    }
    const auto id = parts_.hosting.start_upload(target.name);
    if (!whole) {
        co_return make_upload_answer(202, target, id, 0);
    }
    try {
        co_await parts_.hosting.append(target.name, id, std::nullopt, request.body_stream);
    } catch (...) {
        parts_.hosting.cancel_upload(target.name, id); // nobody knows its id, so nobody resumes it
        throw;
    }
    co_await parts_.hosting.finish_upload(target.name, id, *whole);
    co_return make_blob_created(target, *whole);
}

awaitable<http::Response>
RegistryApi::continue_upload(Request request, Target target, std::string id) {
    const auto first = chunk_start(request);
    const auto bytes = co_await parts_.hosting.append(target.name, id, first, request.body_stream);
    co_return make_upload_answer(202, target, id, bytes);
}

awaitable<http::Response>
RegistryApi::finish_upload(Request request, Target target, std::string id) {
    const auto digest = require_digest_query(request);
    const auto first = chunk_start(request);
    co_await parts_.hosting.append(target.name, id, first, request.body_stream);
    co_await parts_.hosting.finish_upload(target.name, id, digest);
    co_return make_blob_created(target, digest);
}

awaitable<http::Response>
RegistryApi::put_manifest(Request request, Target target, std::string reference) {
    if (!request.body_stream) {
        throw RegistryFailure(400, "MANIFEST_INVALID", "the manifest is missing");
    }
    auto media_type = bare_media_type(request.headers.get("Content-Type").value_or(""));
    auto body = co_await read_manifest_body(std::move(request));
    const auto stored = co_await parts_.hosting.put_manifest(
        target.name, std::move(reference), std::move(media_type), std::move(body));
    Response response(201);
    response.headers.set("Location", base_path(target) + "/manifests/" + stored.digest.to_string());
    response.headers.set("Docker-Content-Digest", stored.digest.to_string());
    if (stored.subject) {
        response.headers.set("OCI-Subject", stored.subject->to_string());
    }
    co_return response;
}

} // namespace methos::proxy
