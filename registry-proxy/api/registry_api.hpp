// The registry API as HTTP: reads requests, asks the mirror, the fills or the hosting, and prints
// their answers with the headers that clients insist on. No decisions beyond the protocol's.
#pragma once

#include "core/http/server.hpp"
#include "registry-proxy/api/route.hpp"
#include "registry-proxy/hosting/hosting.hpp"
#include "registry-proxy/hosting/push_guard.hpp"
#include "registry-proxy/upstream/mirror.hpp"
#include "registry-proxy/upstream/names.hpp"

namespace methos::proxy {

class RegistryApi {
  public:
    struct Parts {
        const UpstreamTable& upstreams;
        ContentStore& store;
        Mirror& mirror;
        BlobFills& fills;
        Hosting& hosting;
        const PushGuard& push_guard;
        Metrics& metrics;
        ProxyMetrics counters;
    };

    explicit RegistryApi(Parts parts) : parts_(parts) {}

    /// Adds /v2/* and /metrics. This object must outlive the router.
    void add_routes(http::Router& router);

    /// For the server: any error in the registry's JSON.
    [[nodiscard]] static http::Response render_error(const http::Request& request,
                                                     const Error& error);

  private:
    using Response = http::Response;
    using Request = http::Request;

    /// Every registry request comes through here; failures become answers.
    [[nodiscard]] awaitable<Response> handle(Request request);
    [[nodiscard]] awaitable<Response> dispatch(Request request);
    [[nodiscard]] awaitable<Response> read(Request request, RegistryPath path, Target target);
    [[nodiscard]] awaitable<Response> write(Request request, RegistryPath path, Target target);

    [[nodiscard]] awaitable<Response> print_metrics(Request request);
    [[nodiscard]] Response ping(const Request& request) const;
    [[nodiscard]] Response catalog(const Request& request) const;

    [[nodiscard]] awaitable<Response>
    get_manifest(Request request, Target target, std::string reference);
    [[nodiscard]] awaitable<Response> get_blob(Request request, Target target, Digest digest);
    [[nodiscard]] awaitable<Response> head_blob(Target target, Digest digest);
    [[nodiscard]] awaitable<Response> get_tags(Request request, RegistryPath path, Target target);
    [[nodiscard]] awaitable<Response>
    get_referrers(Request request, RegistryPath path, Target target, Digest digest);
    [[nodiscard]] Response
    cached_blob(const Request& request, const Digest& digest, OpenContent content);
    [[nodiscard]] Response filling_blob(const Request& request, std::shared_ptr<BlobFill> fill);
    /// The check of content that an earlier process left, once it can be answered from; null when
    /// it was damaged.
    [[nodiscard]] awaitable<std::shared_ptr<BlobFill>> open_unchecked(Digest digest,
                                                                      OpenContent content);
    /// Content whose digest is known to be right, after a check of the whole if need be.
    [[nodiscard]] awaitable<std::optional<OpenContent>> open_checked(Digest digest);

    [[nodiscard]] awaitable<Response> start_upload(Request request, Target target);
    [[nodiscard]] awaitable<Response>
    continue_upload(Request request, Target target, std::string id);
    [[nodiscard]] awaitable<Response> finish_upload(Request request, Target target, std::string id);
    [[nodiscard]] awaitable<Response>
    put_manifest(Request request, Target target, std::string reference);
    void require_push_right(const Request& request, const Target& target) const;

    Parts parts_;
};

} // namespace methos::proxy
