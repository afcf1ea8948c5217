#include "executor/tasks/docker_watch.hpp"

#include "core/base/backoff.hpp"
#include "core/observe/log.hpp"
#include "executor/race.hpp"
#include "executor/tasks/labels.hpp"

#include <optional>

namespace methos::executor {

namespace {

constexpr BackoffPolicy reconnect{
    std::chrono::milliseconds(100), std::chrono::seconds(5), 2.0, 0.2};
constexpr Duration list_interval = std::chrono::seconds(30);
constexpr Duration ping_interval = std::chrono::seconds(5);
constexpr int pings_missed_max = 3; // a loaded daemon may miss one

} // namespace

DockerWatch::DockerWatch(docker::Engine& engine, std::string host_id, DockerHandlers handlers)
    : engine_(engine), host_id_(std::move(host_id)), handlers_(std::move(handlers)) {}

awaitable<> DockerWatch::run() {
    Backoff backoff(reconnect, system_uniform());
    bool told = false;
    for (;;) {
        std::string why = "the event stream ended";
        up_ = false;
        try {
            co_await connect_and_follow();
        } catch (const std::exception&) {
            const auto error = error_of_current_exception();
            if (error.code == Code::Cancelled) {
                throw;
            }
            why = error.to_string();
        }
        if (up_) {
            backoff.reset();
            told = false;
        }
        if (!std::exchange(told, true)) {
            handlers_.down(why);
        }
        log::limited("docker-away",
                     "Docker does not answer; trying again",
                     {{"socket", engine_.socket_path()}, {"why", why}});
        engine_.forget_connections();
        const auto pause = backoff.next();
        co_await sleep_for(pause);
    }
}

awaitable<> DockerWatch::connect_and_follow() {
    const auto version = co_await engine_.negotiate();
    const auto info = co_await engine_.info();
    docker::EventQuery query;
    query.types = {"container"};
    query.actions = {"die", "destroy", "start", "pause", "unpause"};
    query.labels.emplace_back(label::host, host_id_);
    const auto events = co_await engine_.events(std::move(query));
    auto list = co_await engine_.list_containers(ours());
    up_ = true;
    handlers_.up(version, info, std::move(list));

    auto following = follow(*events);
    auto listing = list_regularly();
    auto pinging = ping_regularly();
    auto regular = race(std::move(listing), std::move(pinging));
    co_await race(std::move(following), std::move(regular));
}

awaitable<> DockerWatch::follow(docker::EventStream& events) {
    for (;;) {
        const auto event = co_await events.next();
        if (!event) {
            co_return;
        }
        handlers_.event(*event);
    }
}

awaitable<> DockerWatch::list_regularly() {
    for (;;) {
        co_await sleep_for(list_interval);
        std::optional<ContainerList> list;
        try {
            list = co_await engine_.list_containers(ours());
        } catch (const Failure& failure) {
            if (failure.code() == Code::Cancelled) {
                throw;
            }
            // A busy daemon may be slow to list; whether it is away is for the pings to say.
            log::limited("docker-list",
                         "Docker did not list its containers; trying again",
                         {{"why", failure.error().to_string()}});
        }
        if (list) {
            handlers_.listed(*std::move(list));
        }
    }
}

awaitable<> DockerWatch::ping_regularly() {
    int missed = 0;
    while (missed < pings_missed_max) {
        co_await sleep_for(ping_interval);
        try {
            co_await engine_.ping();
            missed = 0;
        } catch (const Failure& failure) {
            if (failure.code() == Code::Cancelled) {
                throw;
            }
            ++missed;
        }
    }
    throw Failure(Code::Timeout, "Docker answers no pings");
}

docker::ListQuery DockerWatch::ours() const {
    docker::ListQuery query;
    query.labels.emplace_back(label::host, host_id_);
    return query;
}

} // namespace methos::executor
