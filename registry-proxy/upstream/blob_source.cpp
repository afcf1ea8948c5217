#include "registry-proxy/upstream/blob_source.hpp"

#include "core/base/units.hpp"
#include "registry-proxy/api/errors.hpp"
#include "registry-proxy/api/range.hpp"

#include <limits>

namespace methos::proxy {

namespace {

std::optional<std::uint64_t> content_length(const http::Headers& headers) {
    const auto text = headers.get("Content-Length");
    if (!text) {
        return std::nullopt;
    }
    const auto length = parse_int(*text, 0, std::numeric_limits<std::int64_t>::max());
    if (!length) {
        return std::nullopt;
    }
    return static_cast<std::uint64_t>(*length);
}

} // namespace

awaitable<std::shared_ptr<BlobSource>>
BlobSource::open(std::shared_ptr<UpstreamClient> client, BlobName blob, std::uint64_t offset) {
    UpstreamCall call;
    call.upstream = blob.upstream;
    call.repository = blob.repository;
    call.path = "/blobs/" + blob.digest.to_string();
    call.headers.set("Accept-Encoding", "identity");
    if (offset > 0) {
        call.headers.set("Range", "bytes=" + std::to_string(offset) + "-");
    }
    auto source = std::make_shared<BlobSource>();
    source->client_ = client;
    source->stream_ = co_await client->open(std::move(call));
    const auto status = source->stream_->status();
    const auto& headers = source->stream_->headers();
    const auto encoding = headers.get("Content-Encoding").value_or("identity");
    if (!http::iequals(encoding, "identity")) {
        throw Failure(Code::Protocol,
                      blob.upstream.host + " sent a blob with Content-Encoding " + encoding +
                          ", which nobody asked for");
    }
    if (status == 200) {
        source->total_ = content_length(headers);
        source->drop_ = offset;
        co_return source;
    }
    if (status != 206 || offset == 0) {
        throw failure_of_upstream_status(
            status, headers, "BLOB_UNKNOWN", "blob " + blob.digest.to_string());
    }
    const auto range = parse_content_range(headers.get("Content-Range").value_or(""));
    if (!range || range->first != offset) {
        throw Failure(Code::Protocol,
                      blob.upstream.host +
                          " answered another range than bytes=" + std::to_string(offset) + "-");
    }
    source->total_ = range->total;
    co_return source;
}

awaitable<std::optional<std::string>> BlobSource::read() {
    for (;;) {
        auto piece = co_await client_->read(stream_);
        if (!piece || drop_ == 0) {
            co_return piece;
        }
        if (drop_ < piece->size()) {
            piece->erase(0, drop_);
            drop_ = 0;
            co_return piece;
        }
        drop_ -= piece->size();
    }
}

} // namespace methos::proxy
