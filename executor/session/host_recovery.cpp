#include "executor/session/host_recovery.hpp"

#include "core/base/backoff.hpp"
#include "core/http/client.hpp"
#include "core/observe/log.hpp"
#include "executor/docker/engine.hpp"
#include "executor/session/host_claim.hpp"
#include "executor/tasks/container_plan.hpp"
#include "executor/tasks/labels.hpp"

#include <optional>
#include <set>

namespace methos::executor {

namespace {

constexpr BackoffPolicy ask_again{
    std::chrono::milliseconds(250), std::chrono::seconds(1), 2.0, 0.2};
/// It is asked much more often than it is worth telling.
constexpr BackoffPolicy tell_again{std::chrono::seconds(5), std::chrono::minutes(5), 2.0, 0.0};

std::string label_of(const docker::Labels& labels, const char* name) {
    const auto found = labels.find(name);
    return found == labels.end() ? std::string() : found->second;
}

/// Waits for as long as it takes: to join as a new host while the containers of the old one run on
/// would start all of them a second time, and dockerd alone may need longer to come up than any
/// patience that seems reasonable here.
awaitable<std::string> ask_docker(asio::any_io_executor executor, ExecutorOptions options) {
    http::Client client(executor);
    docker::Engine engine(client, options.docker_socket);
    Backoff backoff(ask_again, system_uniform());
    Backoff telling(tell_again, system_uniform());
    std::optional<std::chrono::steady_clock::time_point> tell_at; // at once
    for (;;) {
        std::string why;
        try {
            docker::ListQuery query;
            query.labels.emplace_back(label::version, label::version_value);
            const auto containers = co_await engine.list_containers(std::move(query));
            co_return host_id_of(containers, options.token.server_key);
        } catch (const std::exception&) {
            const auto error = error_of_current_exception();
            if (error.code == Code::Cancelled) {
                throw;
            }
            why = error.to_string();
        }
        if (!tell_at || std::chrono::steady_clock::now() >= *tell_at) {
            log::warning(
                "Docker does not answer; is it running? The host joins when it does: with "
                "no host id in the data directory its containers say which host it is",
                {{"socket", options.docker_socket}, {"why", why}, {"data_dir", options.data_dir}});
            tell_at = std::chrono::steady_clock::now() + telling.next();
        }
        const auto pause = backoff.next();
        co_await sleep_for(pause);
    }
}

} // namespace

std::string host_id_of(const std::vector<docker::ContainerSummary>& containers,
                       const std::string& cluster_key) {
    std::set<std::string> hosts;
    for (const auto& container : containers) {
        const auto host = label_of(container.labels, label::host);
        const bool ours = label_of(container.labels, label::cluster_key) == cluster_key;
        const bool copied = is_copy(container.labels, container.name, container.image_id);
        if (ours && !copied && is_host_id(host) && !is_claimed(HostId(host))) {
            hosts.insert(host);
        }
    }
    if (hosts.size() > 1) {
        log::warning("containers of several hosts are here; joining as a new host", {});
    }
    return hosts.size() == 1 ? *hosts.begin() : std::string();
}

awaitable<HostIdentity> find_identity(asio::any_io_executor executor, ExecutorOptions options) {
    const auto data_dir = options.data_dir;
    std::string known;
    if (!has_host_id(data_dir)) {
        known = co_await ask_docker(std::move(executor), std::move(options));
    }
    if (!known.empty()) {
        log::warning("the data directory was lost; this host is known by its containers' labels",
                     {{"host", known}, {"data_dir", data_dir}});
    }
    co_return load_or_make_identity(data_dir, known);
}

} // namespace methos::executor
