#include "registry-proxy/upstream/mirror.hpp"

#include "core/base/json.hpp"
#include "core/base/units.hpp"
#include "core/observe/log.hpp"
#include "core/runtime/timeout.hpp"
#include "registry-proxy/api/errors.hpp"

#include <nlohmann/json.hpp>

#include <limits>

namespace methos::proxy {

namespace {

/// With an older copy at hand nobody waits long for an upstream that does not answer.
constexpr auto revalidation_limit = std::chrono::seconds(2);
/// After a failed question the stale copy is served for so long without asking again.
constexpr auto trouble_pause = std::chrono::seconds(5);
constexpr std::size_t listing_bytes_max = 16 * 1024 * 1024;
constexpr std::size_t promised_sizes_max = 50'000;
constexpr std::size_t unsaved_max = 16;

RepositoryName name_of(const Target& target) {
    return RepositoryName{target.host, target.name};
}

std::string image_of(const Target& target, const std::string& reference) {
    const char* separator = reference.find(':') == std::string::npos ? ":" : "@";
    return target.host + "/" + target.name + separator + reference;
}

/// The query of `Link: </v2/x/tags/list?n=1&last=a>; rel="next"`, whatever its host and path are.
std::string query_of_next_link(const http::Headers& headers) {
    const auto link = headers.get("Link").value_or("");
    const auto open = link.find('<');
    const auto close = link.find('>');
    if (open == std::string::npos || close == std::string::npos || close < open ||
        link.find("next", close) == std::string::npos) {
        return {};
    }
    const auto url = link.substr(open + 1, close - open - 1);
    const auto mark = url.find('?');
    return mark == std::string::npos ? std::string() : url.substr(mark + 1);
}

} // namespace

Mirror::Mirror(std::shared_ptr<UpstreamClient> client,
               ContentStore& store,
               Repositories& repositories,
               TaskGroup& group,
               const Clock& clock,
               MirrorLimits limits,
               ProxyMetrics metrics)
    : client_(std::move(client)), store_(store), repositories_(repositories), clock_(clock),
      limits_(limits), metrics_(metrics), flights_(group) {}

UpstreamCall Mirror::make_call(const Target& target, std::string method, std::string path) const {
    UpstreamCall call;
    call.upstream = *target.upstream;
    call.repository = target.name;
    call.method = std::move(method);
    call.path = std::move(path);
    call.total_limit = limits_.manifest_limit;
    return call;
}

UpstreamCall Mirror::make_manifest_call(const Target& target,
                                        std::string method,
                                        const std::string& reference) const {
    auto call = make_call(target, std::move(method), "/manifests/" + reference);
    call.headers.set("Accept", accepted_manifest_types());
    call.headers.set("Accept-Encoding", "identity");
    return call;
}

awaitable<ManifestAnswer> Mirror::manifest(Target target, std::string reference) {
    if (const auto digest = Digest::parse(reference)) {
        co_return co_await manifest_by_digest(std::move(target), *digest);
    }
    co_return co_await manifest_by_tag(std::move(target), std::move(reference));
}

std::optional<ManifestAnswer> Mirror::find_cached(const Target& target, const Digest& digest) {
    auto media_type = repositories_.find_media_type(name_of(target), digest);
    if (!media_type) {
        return std::nullopt;
    }
    auto bytes = store_.read(digest, manifest_bytes_max);
    if (const auto unsaved = unsaved_.find(digest); !bytes && unsaved != unsaved_.end()) {
        bytes = unsaved->second;
    }
    if (!bytes) {
        return std::nullopt;
    }
    return ManifestAnswer{digest, std::move(*media_type), std::move(*bytes), {}};
}

awaitable<ManifestAnswer> Mirror::manifest_by_digest(Target target, Digest digest) {
    if (auto cached = find_cached(target, digest)) {
        metrics_.hits.increment();
        co_return std::move(*cached);
    }
    metrics_.misses.increment();
    const auto reference = digest.to_string();
    SingleFlight<Digest>::Work work = [this, target, reference, digest] {
        return fetch_manifest(target, reference, digest);
    };
    co_await flights_.run(image_of(target, reference), std::move(work));
    auto fetched = find_cached(target, digest);
    if (!fetched) {
        throw RegistryFailure(
            500, "UNKNOWN", image_of(target, reference) + " vanished from the cache at once");
    }
    co_return std::move(*fetched);
}

awaitable<ManifestAnswer> Mirror::manifest_by_tag(Target target, std::string tag) {
    const auto known = repositories_.find_tag(name_of(target), tag);
    if (known && known->fresh_until > clock_.now().mono) {
        auto answer = co_await manifest_by_digest(target, known->digest);
        answer.warning = known->stale_reason;
        if (!answer.warning.empty()) {
            metrics_.stale.increment();
        }
        co_return answer;
    }
    std::exception_ptr trouble;
    try {
        SingleFlight<Digest>::Work work = [this, target, tag, is_known = known.has_value()] {
            return refresh_tag(target, tag, is_known);
        };
        auto asking = flights_.run(image_of(target, tag), std::move(work));
        if (known) { // the question goes on without us, and its answer serves the next client
            asking = with_timeout(
                std::move(asking), revalidation_limit, "asking " + target.host + " for the tag");
        }
        const auto digest = co_await std::move(asking);
        co_return co_await manifest_by_digest(target, digest);
    } catch (const Failure& failure) {
        if (!known || !is_upstream_trouble(failure.error())) {
            throw;
        }
        trouble = std::current_exception();
    }
    auto stale = repositories_.find_tag(name_of(target), tag).value_or(*known);
    stale.stale_reason = error_of(trouble).to_string();
    stale.fresh_until = clock_.now().mono + trouble_pause;
    repositories_.put_tag(name_of(target), tag, stale);
    log::limited("stale " + target.host,
                 "serving a tag from the cache: its upstream is in trouble",
                 {{"image", image_of(target, tag)}, {"why", stale.stale_reason}});
    auto answer = find_cached(target, stale.digest);
    if (!answer) {
        std::rethrow_exception(trouble);
    }
    metrics_.stale.increment();
    answer->warning = stale.stale_reason;
    co_return std::move(*answer);
}

/// Finds out what a tag means now; the manifest of that digest is in the cache afterwards.
awaitable<Digest> Mirror::refresh_tag(Target target, std::string tag, bool known) {
    std::optional<Digest> digest;
    if (known) {
        digest = co_await ask_tag_digest(target, tag);
    }
    if (digest) {
        const auto cached = find_cached(target, *digest);
        if (!cached) {
            co_await fetch_manifest(target, digest->to_string(), digest);
        }
    } else {
        digest = co_await fetch_manifest(target, tag, std::nullopt);
    }
    Tag value;
    value.digest = *digest;
    value.fresh_until = clock_.now().mono + limits_.tag_ttl;
    repositories_.put_tag(name_of(target), tag, value);
    co_return *digest;
}

/// A HEAD, which no upstream counts against limits. Nothing when it names no digest.
awaitable<std::optional<Digest>> Mirror::ask_tag_digest(Target target, std::string tag) {
    auto call = make_manifest_call(target, "HEAD", tag);
    call.total_limit = revalidation_limit;
    const auto answer = co_await client_->fetch(std::move(call), 0);
    if (answer.status == 404) {
        repositories_.remove_tag(name_of(target), tag);
    }
    if (answer.status != 200) {
        throw failure_of_upstream_status(
            answer.status, answer.headers, "MANIFEST_UNKNOWN", image_of(target, tag));
    }
    const auto digest = Digest::parse(answer.headers.get("Docker-Content-Digest").value_or(""));
    if (!digest) {
        co_return std::nullopt;
    }
    co_return *digest;
}

/// Gets a manifest, checks it and stores it.
awaitable<Digest>
Mirror::fetch_manifest(Target target, std::string reference, std::optional<Digest> wanted) {
    auto call = make_manifest_call(target, "GET", reference);
    const auto answer = co_await client_->fetch(std::move(call), manifest_bytes_max);
    const auto image = image_of(target, reference);
    if (answer.status != 200) {
        throw failure_of_upstream_status(answer.status, answer.headers, "MANIFEST_UNKNOWN", image);
    }
    const auto digest = Sha256::of(answer.body);
    const auto facts = read_manifest(answer.body);
    if (!facts) {
        throw RegistryFailure(502, "UNAVAILABLE", image + ": " + facts.error().message);
    }
    auto media_type = bare_media_type(answer.headers.get("Content-Type").value_or(""));
    const auto named = Digest::parse(answer.headers.get("Docker-Content-Digest").value_or(""));
    // Schema 1 is named by a digest that leaves its signatures out; nobody can check it cheaply.
    const bool signed_form =
        media_type == "application/vnd.docker.distribution.manifest.v1+prettyjws";
    const bool wrong = wanted ? *wanted != digest : named && *named != digest && !signed_form;
    if (wrong) {
        throw RegistryFailure(502,
                              "UNAVAILABLE",
                              image + ": the upstream sent a manifest whose digest is " +
                                  digest.to_string());
    }
    if (media_type.empty() || media_type == "application/json" ||
        media_type == "application/octet-stream" || media_type == "text/plain") {
        media_type = media_type_of(*facts);
    }
    remember_sizes(*facts);
    co_await keep(digest, answer.body);
    repositories_.put_manifest(name_of(target), digest, media_type);
    co_return digest;
}

/// Stores a manifest; when the disk refuses, a few are kept in memory so that they can be served.
awaitable<> Mirror::keep(Digest digest, std::string bytes) {
    try {
        co_await store_.put(bytes, digest);
        if (store_.find_size(digest)) {
            co_return;
        } // else it is larger than the whole cache
    } catch (const Failure& failure) {
        log::limited("manifests",
                     "cannot write a manifest to the cache",
                     {{"error", failure.error().to_string()}});
    }
    if (unsaved_.size() >= unsaved_max) {
        unsaved_.clear();
    }
    unsaved_.insert_or_assign(std::move(digest), std::move(bytes));
}

void Mirror::remember_sizes(const ManifestFacts& facts) {
    if (promised_sizes_.size() > promised_sizes_max) {
        promised_sizes_.clear(); // a HEAD at the upstream tells them again
    }
    for (const auto& blob : facts.blobs) {
        if (!blob.elsewhere) {
            promised_sizes_.insert_or_assign(blob.digest, blob.bytes);
        }
    }
}

std::optional<std::uint64_t> Mirror::find_promised_size(const Digest& digest) const {
    const auto found = promised_sizes_.find(digest);
    if (found == promised_sizes_.end()) {
        return std::nullopt;
    }
    return found->second;
}

awaitable<std::optional<std::uint64_t>> Mirror::ask_blob_size(BlobName blob) {
    UpstreamCall call;
    call.upstream = blob.upstream;
    call.repository = blob.repository;
    call.method = "HEAD";
    call.path = "/blobs/" + blob.digest.to_string();
    call.total_limit = limits_.manifest_limit;
    const auto answer = co_await client_->fetch(std::move(call), 0);
    if (answer.status == 404) {
        throw failure_of_upstream_status(
            404, answer.headers, "BLOB_UNKNOWN", "blob " + blob.digest.to_string());
    }
    const auto length = parse_int(answer.headers.get("Content-Length").value_or(""),
                                  0,
                                  std::numeric_limits<std::int64_t>::max());
    if (answer.status != 200 || !length) {
        co_return std::nullopt; // some registries refuse HEAD of what they give by GET
    }
    co_return static_cast<std::uint64_t>(*length);
}

awaitable<ListingAnswer> Mirror::tags(Target target, std::string query) {
    std::exception_ptr trouble;
    try {
        auto call = make_call(target, "GET", "/tags/list" + (query.empty() ? "" : "?" + query));
        auto answer = co_await client_->fetch(std::move(call), listing_bytes_max);
        if (answer.status != 200) {
            throw failure_of_upstream_status(answer.status,
                                             answer.headers,
                                             "NAME_UNKNOWN",
                                             "repository " + target.host + "/" + target.name);
        }
        ListingAnswer listing;
        listing.body = std::move(answer.body);
        listing.content_type = answer.headers.get("Content-Type").value_or("application/json");
        listing.next_query = query_of_next_link(answer.headers);
        co_return listing;
    } catch (const Failure& failure) {
        trouble = std::current_exception();
        if (!is_upstream_trouble(failure.error())) {
            throw;
        }
    }
    const auto known = repositories_.list_tags(name_of(target));
    if (known.empty()) {
        std::rethrow_exception(trouble);
    }
    auto document = nlohmann::json::object();
    document["name"] = target.name;
    document["tags"] = known;
    ListingAnswer listing;
    listing.body = dump_json(document);
    listing.content_type = "application/json";
    listing.warning = error_of(trouble).to_string();
    co_return listing;
}

awaitable<ListingAnswer> Mirror::referrers(Target target, std::string digest, std::string query) {
    auto call =
        make_call(target, "GET", "/referrers/" + digest + (query.empty() ? "" : "?" + query));
    auto answer = co_await client_->fetch(std::move(call), listing_bytes_max);
    if (answer.status != 200) {
        throw failure_of_upstream_status(
            answer.status, answer.headers, "MANIFEST_UNKNOWN", "the list of referrers");
    }
    ListingAnswer listing;
    listing.body = std::move(answer.body);
    listing.content_type =
        answer.headers.get("Content-Type").value_or("application/vnd.oci.image.index.v1+json");
    listing.next_query = query_of_next_link(answer.headers);
    listing.filters_applied = answer.headers.get("OCI-Filters-Applied").value_or("");
    co_return listing;
}

} // namespace methos::proxy
