// Blobs as clients get them: from the cache with sendfile, or from a fill as it goes on. The other
// half of RegistryApi's reads; what a fill is, upstream/blob_fills says.
#include "registry-proxy/api/answers.hpp"
#include "registry-proxy/api/errors.hpp"
#include "registry-proxy/api/range.hpp"
#include "registry-proxy/api/registry_api.hpp"

namespace methos::proxy {

namespace {

/// Blobs never change.
void set_blob_headers(http::Response& response, const Digest& digest) {
    response.headers.set("Content-Type", "application/octet-stream");
    response.headers.set("Docker-Content-Digest", digest.to_string());
    response.headers.set("ETag", "\"" + digest.to_string() + "\"");
    response.headers.set("Accept-Ranges", "bytes");
    response.headers.set("Cache-Control", "max-age=31536000");
}

http::Response make_range_refusal(std::uint64_t total) {
    auto response = make_error_response(416, "UNSUPPORTED", "the range is beyond the blob's end");
    response.headers.set("Content-Range", "bytes */" + std::to_string(total));
    return response;
}

/// The answer to HEAD: the length of a body that is not sent.
http::Response make_head(const Digest& digest, std::uint64_t bytes) {
    http::Response response(200);
    set_blob_headers(response, digest);
    response.headers.set("Content-Length", std::to_string(bytes));
    return response;
}

RegistryFailure not_pushed(const Digest& digest) {
    return RegistryFailure(
        404, "BLOB_UNKNOWN", "blob " + digest.to_string() + " was not pushed to this proxy");
}

} // namespace

http::Response
RegistryApi::cached_blob(const Request& request, const Digest& digest, OpenContent content) {
    Response response(200);
    set_blob_headers(response, digest);
    ByteRange part{0, content.bytes};
    if (const auto header = request.headers.get("Range")) {
        const auto choice = choose_range(*header, content.bytes);
        if (choice.kind == RangeChoice::Kind::Unsatisfiable) {
            return make_range_refusal(content.bytes);
        }
        if (choice.kind == RangeChoice::Kind::Part) {
            part = choice.part;
            response.status = 206;
            response.headers.set("Content-Range", format_content_range(part, content.bytes));
        }
    }
    http::FileBody file;
    file.descriptor = content.descriptor.release();
    file.offset = part.offset;
    file.length = part.length;
    response.file = file;
    return response;
}

awaitable<http::Response> RegistryApi::get_blob(Request request, Target target, Digest digest) {
    auto content = parts_.store.open(digest);
    std::shared_ptr<BlobFill> fill;
    if (content && !parts_.store.is_checked(digest)) {
        fill = co_await open_unchecked(digest, std::move(*content));
        content = parts_.store.open(digest); // nothing, when it was found damaged
    }
    if (content && parts_.store.is_checked(digest)) {
        parts_.counters.hits.increment();
        co_return cached_blob(request, digest, std::move(*content));
    }
    if (fill) {
        parts_.counters.hits.increment();
        co_return filling_blob(request, std::move(fill));
    }
    if (target.hosted()) {
        throw not_pushed(digest);
    }
    parts_.counters.misses.increment();
    const BlobName blob{*target.upstream, target.name, digest};
    fill = parts_.fills.join_or_start(blob);
    const bool joined =
        fill->blob.repository != blob.repository || fill->blob.upstream.host != blob.upstream.host;
    bool retry = false;
    try {
        co_await fill->wait_until_answerable();
    } catch (const Failure&) {
        if (!joined) {
            throw;
        }
        retry = true; // another repository's transfer failed; this one may have the blob
    }
    if (retry) {
        fill = parts_.fills.join_or_start(blob);
        co_await fill->wait_until_answerable();
    }
    co_return filling_blob(request, std::move(fill));
}

awaitable<std::shared_ptr<BlobFill>> RegistryApi::open_unchecked(Digest digest,
                                                                 OpenContent content) {
    auto fill = parts_.fills.join_or_check(digest, std::move(content));
    try {
        co_await fill->wait_until_answerable();
    } catch (const Failure& failure) {
        if (failure.code() == Code::Cancelled) {
            throw;
        }
        co_return nullptr; // it has been removed: as if it had never been there
    }
    co_return fill;
}

awaitable<std::optional<OpenContent>> RegistryApi::open_checked(Digest digest) {
    auto content = parts_.store.open(digest);
    if (!content || parts_.store.is_checked(digest)) {
        co_return content;
    }
    const auto fill = parts_.fills.join_or_check(digest, std::move(*content));
    try {
        co_await fill->wait_until_ended();
    } catch (const Failure& failure) {
        if (failure.code() == Code::Cancelled) {
            throw;
        }
        co_return std::nullopt;
    }
    co_return parts_.store.open(digest);
}

http::Response RegistryApi::filling_blob(const Request& request, std::shared_ptr<BlobFill> fill) {
    Response response(200);
    set_blob_headers(response, fill->blob.digest);
    const auto total = fill->state.total();
    std::optional<std::uint64_t> end = total;
    std::uint64_t offset = 0;
    const auto header = request.headers.get("Range");
    if (header && total) {
        const auto choice = choose_range(*header, *total);
        if (choice.kind == RangeChoice::Kind::Unsatisfiable) {
            return make_range_refusal(*total);
        }
        if (choice.kind == RangeChoice::Kind::Part) {
            offset = choice.part.offset;
            end = offset + choice.part.length;
            response.status = 206;
            response.headers.set("Content-Range", format_content_range(choice.part, *total));
        }
    }
    response.stream = parts_.fills.make_reader(std::move(fill), offset, end);
    if (end) {
        response.stream_length = *end - offset;
    }
    return response;
}

awaitable<http::Response> RegistryApi::head_blob(Target target, Digest digest) {
    // Who pushes asks whether we have it: saying yes to damaged content would keep it so.
    if (const auto content = co_await open_checked(digest)) {
        co_return make_head(digest, content->bytes);
    }
    if (target.hosted()) {
        throw not_pushed(digest);
    }
    auto bytes = parts_.mirror.find_promised_size(digest);
    const BlobName blob{*target.upstream, target.name, digest};
    if (!bytes && !parts_.fills.find(digest)) {
        bytes = co_await parts_.mirror.ask_blob_size(blob);
    }
    if (!bytes) { // only a GET tells; whoever asks for the head mostly wants the body next
        const auto fill = parts_.fills.join_or_start(blob);
        co_await fill->wait_until_answerable();
        bytes = fill->state.total();
    }
    if (!bytes) {
        throw RegistryFailure(
            502, "UNAVAILABLE", "the upstream does not say how long the blob is; GET it");
    }
    co_return make_head(digest, *bytes);
}

} // namespace methos::proxy
