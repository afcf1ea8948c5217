// The proxy's own metrics, named once. Handles only; the registry belongs to main.
#pragma once

#include "core/observe/metrics.hpp"

namespace methos::proxy {

struct ProxyMetrics {
    explicit ProxyMetrics(Metrics& registry)
        : upstream_bytes(registry.counter("methos_proxy_upstream_bytes_total",
                                          "Body bytes received from upstream registries")),
          upstream_requests(registry.counter("methos_proxy_upstream_requests_total",
                                             "Requests sent to upstream registries")),
          upstream_failures(registry.counter("methos_proxy_upstream_failures_total",
                                             "Upstream requests without an answer")),
          token_requests(registry.counter("methos_proxy_token_requests_total",
                                          "Requests sent to token servers")),
          hits(registry.counter("methos_proxy_cache_hits_total",
                                "Requests answered from the cache")),
          misses(registry.counter("methos_proxy_cache_misses_total",
                                  "Requests that needed an upstream")),
          stale(registry.counter("methos_proxy_stale_answers_total",
                                 "Tags answered from the cache because the upstream could not")),
          evictions(registry.counter("methos_proxy_evictions_total",
                                     "Blobs and manifests evicted from the cache")),
          sent_bytes(registry.counter("methos_proxy_sent_bytes_total", "Bytes sent to clients")),
          cache_bytes(registry.gauge("methos_proxy_cache_bytes", "Bytes of content on disk")) {}

    Metrics::Counter upstream_bytes;
    Metrics::Counter upstream_requests;
    Metrics::Counter upstream_failures;
    Metrics::Counter token_requests;
    Metrics::Counter hits;
    Metrics::Counter misses;
    Metrics::Counter stale;
    Metrics::Counter evictions;
    Metrics::Counter sent_bytes;
    Metrics::Gauge cache_bytes;
};

} // namespace methos::proxy
