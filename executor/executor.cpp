#include "executor/executor.hpp"

#include "core/http/client.hpp"
#include "core/observe/log.hpp"
#include "executor/collect/collector.hpp"
#include "executor/docker/engine.hpp"
#include "executor/fetch/fetcher.hpp"
#include "executor/images/puller.hpp"
#include "executor/images/relay.hpp"
#include "executor/session/host_resources.hpp"
#include "executor/session/log_streams.hpp"
#include "executor/session/session.hpp"
#include "executor/tasks/runner.hpp"

#include <algorithm>
#include <filesystem>

namespace methos::executor {

namespace {

constexpr std::size_t starts_per_cpu = 2; // more only wait for each other (docker-engine.md 4)
constexpr std::int64_t milli = 1000;

/// Absolute, since Docker mounts what is in it.
std::string sandboxes_folder(const std::string& data_dir) {
    return std::filesystem::absolute(data_dir).lexically_normal() / "sandboxes";
}

http::ClientOptions client_options() {
    http::ClientOptions options;
    options.connections_max = 16;
    options.user_agent = "methos-executor/" METHOS_VERSION;
    return options;
}

} // namespace

/// In construction order; destroyed in reverse after stop().
struct Executor::Parts {
    Parts(const asio::any_io_executor& executor_,
          ExecutorOptions options_,
          HostIdentity identity_,
          HostSenses senses_)
        : options(std::move(options_)), senses(std::move(senses_)), executor(executor_),
          identity(std::move(identity_)), client(executor, client_options()),
          engine(client, options.docker_socket, engine_limits()), relay(make_relay()),
          images(executor, engine, puller_options()), files(executor, client, fetch_options()),
          docker_told(executor),
          runner(executor, engine, images, files, runner_options(), runner_handlers()),
          session(executor, runner, session_options(), session_handlers()),
          streams(executor, engine, runner, images, session_options(), options.log_stall_limit),
          collector(engine, collector_options(), collector_handlers()), broken(executor),
          group(executor, [this](const std::string&, const Error& error) { broke(error); }) {}

    void broke(const Error& error) {
        log::failure("a part of the executor ended unexpectedly", error);
        failure = error;
        broken.open();
    }

    [[nodiscard]] docker::EngineLimits engine_limits() const {
        docker::EngineLimits limits;
        limits.ping = senses.ping_limit;
        return limits;
    }

    [[nodiscard]] std::unique_ptr<LoopbackRelay> make_relay() const {
        if (!options.registry_proxy || is_loopback(options.registry_proxy->host)) {
            return nullptr;
        }
        return std::make_unique<LoopbackRelay>(executor, *options.registry_proxy);
    }

    [[nodiscard]] PullerOptions puller_options() {
        PullerOptions puller;
        puller.observer.brought = [this](const auto& id, const auto& names, bool is_new) {
            collector.image_brought(id, names, is_new);
        };
        puller.observer.used = [this](const auto& id) { collector.image_used(id); };
        puller.fallback = options.pull_fallback;
        puller.docker_config = options.docker_config;
        puller.limit = options.pull_limit;
        if (relay) {
            puller.proxy = relay->address();
        } else if (options.registry_proxy) {
            puller.proxy = format_host_port(*options.registry_proxy);
        }
        return puller;
    }

    [[nodiscard]] FetchOptions fetch_options() const {
        FetchOptions fetch;
        fetch.folder = sandboxes_folder(options.data_dir);
        fetch.policy.roots = options.fetch_roots;
        fetch.bytes_max = options.fetch_bytes_max;
        fetch.stall = options.fetch_stall;
        return fetch;
    }

    [[nodiscard]] RunnerOptions runner_options() {
        RunnerOptions for_runner;
        for_runner.plan.cluster_key = options.token.server_key;
        for_runner.plan.host = identity.id.value;
        for_runner.plan.publish_ip = options.publish_ip;
        for_runner.plan.limit_cpus = options.limit_cpus;
        for_runner.plan.sandboxes = sandboxes_folder(options.data_dir);
        for_runner.plan.policy.forbidden_paths = forbidden_host_paths(options.docker_socket, "");
        const auto cpus = detect_host_resources("").scalars.milli_cpus / milli;
        for_runner.starts_max = static_cast<std::size_t>(cpus) * starts_per_cpu;
        for_runner.keeps_ended = options.keep_ended;
        for_runner.watch = WatchIntervals{senses.list_interval, senses.ping_interval};
        for_runner.processes = ProcessWatch(senses.proc_dir, senses.lost_process_patience);
        for_runner.trouble = [this] { return collector.trouble(); };
        for_runner.host_paths = senses.host_paths;
        return for_runner;
    }

    [[nodiscard]] RunnerHandlers runner_handlers() {
        return RunnerHandlers{
            [this](const std::vector<TaskStatus>& statuses) { send_statuses(statuses); },
            [this] {
                collector.look();
                docker_told.notify();
                session.send_host();
            },
            [this] { session.send_inventory(); },
            [this](const Error& error) { broke(error); },
        };
    }

    /// A full disk is told before what failed of it, so that no app is blamed.
    void send_statuses(const std::vector<TaskStatus>& statuses) {
        const bool failed =
            std::any_of(statuses.begin(), statuses.end(), [](const TaskStatus& status) {
                return status.state == TaskState::Failed;
            });
        if (failed) {
            collector.look();
        }
        session.send_statuses(statuses);
    }

    [[nodiscard]] CollectorOptions collector_options() const {
        CollectorOptions collecting;
        collecting.watermark = options.disk_watermark;
        collecting.images = options.images;
        collecting.data_dir = options.data_dir;
        collecting.measure = senses.measure_disk ? senses.measure_disk : measure_disk;
        collecting.look_interval = senses.look_interval;
        collecting.collect_interval = senses.collect_interval;
        return collecting;
    }

    [[nodiscard]] CollectorHandlers collector_handlers() {
        return CollectorHandlers{
            [this] { return runner.docker().root_dir; },
            [this] { session.send_host(); },
        };
    }

    [[nodiscard]] SessionOptions session_options() const {
        SessionOptions for_session;
        for_session.token = options.token;
        for_session.identity = identity;
        for_session.build = METHOS_VERSION;
        return for_session;
    }

    [[nodiscard]] SessionHandlers session_handlers() {
        return SessionHandlers{
            [this](const std::string& local_ip) { return host_info(local_ip); },
            [this](const wire::SessionMark& mark, const std::string& address) {
                streams.open(mark, address);
            },
            [this] { streams.close(); },
        };
    }

    [[nodiscard]] HostInfo host_info(const std::string& local_ip) const {
        const auto& docker = runner.docker();
        HostInfo host;
        host.id = identity.id;
        host.hostname = options.hostname;
        host.address = options.advertise_ip.empty() ? local_ip : options.advertise_ip;
        host.resources = detect_host_resources(docker.root_dir);
        if (!options.resources.empty()) {
            const auto merged = parse_host_resources(options.resources, host.resources);
            if (merged) { // checked at start
                host.resources = *merged;
            }
        }
        host.attributes = options.attributes;
        host.role = options.role;
        host.docker_up = docker.up;
        host.docker_version = docker.version;
        host.docker_api = docker.api;
        host.trouble = collector.trouble();
        host.build = METHOS_VERSION;
        return host;
    }

    awaitable<> join_cluster() {
        (void)co_await docker_told.wait_for(options.docker_patience);
        co_await session.run();
    }

    ExecutorOptions options;
    HostSenses senses;
    asio::any_io_executor executor;
    HostIdentity identity;
    http::Client client;
    docker::Engine engine;
    std::unique_ptr<LoopbackRelay> relay;
    ImagePuller images;
    Fetcher files;
    Signal docker_told; ///< that it is there, or that it is not
    TaskRunner runner;
    MasterSession session;
    LogStreams streams;
    Collector collector;
    Gate broken;
    std::optional<Error> failure; ///< why it is
    TaskGroup group;
};

Executor::Executor(const asio::any_io_executor& executor,
                   ExecutorOptions options,
                   HostIdentity identity,
                   HostSenses senses)
    : parts_(std::make_unique<Parts>(
          executor, std::move(options), std::move(identity), std::move(senses))) {}

Executor::~Executor() = default;

void Executor::start() {
    log::info("executor starts",
              {{"host", parts_->identity.id.value}, {"docker", parts_->options.docker_socket}});
    if (parts_->relay) {
        parts_->relay->start();
    }
    parts_->runner.start();
    parts_->group.spawn("session", parts_->join_cluster());
    parts_->group.spawn("disk", parts_->collector.run());
}

void Executor::reload(const ExecutorOptions& options) {
    auto next = parts_->options;
    next.resources = options.resources;
    next.attributes = options.attributes;
    next.role = options.role;
    next.hostname = options.hostname;
    next.advertise_ip = options.advertise_ip;
    next.log_level = options.log_level; // main has set it
    if (next != options) {
        log::warning(
            "some of what was changed takes effect only when the executor is started again; "
            "resources, attributes, role, hostname and advertise-ip were read anew");
    }
    parts_->options = std::move(next);
    parts_->session.send_host();
}

awaitable<> Executor::broken() {
    co_await parts_->broken.wait();
    throw Failure(*parts_->failure);
}

awaitable<> Executor::stop(bool orderly) {
    if (orderly) {
        parts_->session.say_goodbye();
    }
    parts_->group.stop();
    co_await parts_->group.join();
    co_await parts_->streams.stop();
    co_await parts_->runner.stop();
    co_await parts_->files.stop();
    co_await parts_->images.stop();
    if (parts_->relay) {
        co_await parts_->relay->stop();
    }
}

} // namespace methos::executor
