#include "executor/tasks/docker_watch.hpp"

#include "core/base/backoff.hpp"
#include "core/observe/log.hpp"
#include "core/runtime/timeout.hpp"
#include "executor/race.hpp"
#include "executor/tasks/docker_age.hpp"
#include "executor/tasks/labels.hpp"

#include <algorithm>
#include <optional>

namespace methos::executor {

namespace {

constexpr BackoffPolicy reconnect{
    std::chrono::milliseconds(100), std::chrono::seconds(5), 2.0, 0.2};
constexpr int pings_missed_max = 3;                      // a loaded daemon may miss one
constexpr std::chrono::milliseconds event_overlap(2000); ///< events may come twice
constexpr Duration past_events_limit = std::chrono::seconds(10);
/// As long as dockerd waits for its containers when it ends, and more.
constexpr Duration last_words_limit = std::chrono::minutes(2);
constexpr Duration last_words_ping = std::chrono::seconds(1);

docker::UnixNanos nanos_of(WallTime time) {
    return std::max<docker::UnixNanos>(
        1, std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count());
}

} // namespace

DockerWatch::DockerWatch(const asio::any_io_executor& executor,
                         docker::Engine& engine,
                         std::string host_id,
                         DockerHandlers handlers,
                         WatchIntervals intervals)
    : engine_(engine), host_id_(std::move(host_id)), handlers_(std::move(handlers)),
      intervals_(intervals), doubts_(executor) {}

awaitable<> DockerWatch::run() {
    Backoff backoff(reconnect, system_uniform());
    for (;;) {
        std::string why = "the event stream ended";
        try {
            co_await connect_and_follow();
        } catch (const std::exception&) {
            const auto error = error_of_current_exception();
            if (error.code == Code::Cancelled) {
                throw;
            }
            why = error.to_string();
        }
        if (std::exchange(up_, false)) {
            backoff.reset();
        }
        tell_down(why);
        log::limited("docker-away",
                     "Docker does not answer; trying again",
                     {{"socket", engine_.socket_path()}, {"why", why}});
        engine_.forget_connections();
        const auto pause = backoff.next();
        co_await sleep_for(pause);
    }
}

/// Once per outage.
void DockerWatch::tell_down(const std::string& why) {
    if (!std::exchange(told_, true)) {
        handlers_.down(why);
    }
}

awaitable<> DockerWatch::connect_and_follow() {
    const auto version = co_await engine_.negotiate();
    const auto info = co_await engine_.info();
    const auto now = clock_.now().wall;
    // dockerd subscribes a moment after it has sent the head of its answer.
    auto query = our_events();
    query.since = nanos_of(now - event_overlap);
    const auto events = co_await engine_.events(std::move(query));
    // What a starting dockerd does to containers is in its ring, and what a lost connection hid.
    auto missed = our_events();
    const auto heard_until =
        alive_at_ == WallTime() ? docker_listens_since(engine_.socket_path()) : alive_at_;
    missed.since = nanos_of(heard_until - event_overlap);
    missed.until = nanos_of(now);
    co_await hear_past_events(std::move(missed));
    auto list = co_await engine_.list_containers(ours());
    up_ = true;
    told_ = false;
    alive_at_ = clock_.now().wall;
    handlers_.up(version, info, std::move(list));

    auto following = follow(*events);
    auto listing = list_regularly();
    auto pinging = ping_regularly();
    auto regular = race(std::move(listing), std::move(pinging));
    co_await race(std::move(following), std::move(regular));
}

/// They tell who ended a container and why; the list will tell that it has ended.
awaitable<> DockerWatch::hear_past_events(docker::EventQuery query) {
    try {
        const auto events = co_await engine_.events(std::move(query));
        auto hearing = follow(*events);
        co_await with_timeout(std::move(hearing), past_events_limit, "Docker's past events");
    } catch (const Failure& failure) {
        if (failure.code() == Code::Cancelled) {
            throw;
        }
        log::warning("Docker did not tell its past events; going by what it lists",
                     {{"why", failure.error().to_string()}});
    }
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
        co_await sleep_for(intervals_.list);
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
        if (list && up_) {
            handlers_.listed(*std::move(list));
        }
    }
}

awaitable<> DockerWatch::ping_regularly() {
    int missed = 0;
    while (missed < pings_missed_max) {
        (void)co_await doubts_.wait_for(intervals_.ping);
        const auto sign = co_await ping();
        if (sign == Sign::Unreachable) {
            co_await hear_last_words();
        }
        missed = sign == Sign::Silent ? missed + 1 : 0;
    }
    throw Failure(Code::Timeout, "Docker answers no pings");
}

/// dockerd takes its listeners away first, and then stops its containers, unless it has
/// live-restore. Its events go on meanwhile; when they end, so does this.
awaitable<> DockerWatch::hear_last_words() {
    up_ = false;
    tell_down("it takes no connections any more");
    const auto until = clock_.now().mono + last_words_limit;
    while (clock_.now().mono < until) {
        co_await sleep_for(last_words_ping);
        if (co_await ping() == Sign::Answers) {
            throw Failure(Code::Unavailable, "Docker takes connections again");
        }
    }
    throw Failure(Code::Timeout, "Docker takes no connections, and does not end");
}

/// Each ping is a connection of its own.
awaitable<DockerWatch::Sign> DockerWatch::ping() {
    auto sign = Sign::Answers;
    try {
        co_await engine_.ping();
        alive_at_ = clock_.now().wall;
    } catch (const Failure& failure) {
        if (failure.code() == Code::Cancelled) {
            throw;
        }
        sign = failure.code() == Code::Unavailable ? Sign::Unreachable : Sign::Silent;
    }
    co_return sign;
}

docker::EventQuery DockerWatch::our_events() const {
    docker::EventQuery query;
    query.types = {"container"};
    query.actions = {"die", "destroy", "kill", "oom", "start", "pause", "unpause"};
    query.labels.emplace_back(label::host, host_id_);
    return query;
}

docker::ListQuery DockerWatch::ours() const {
    docker::ListQuery query;
    query.labels.emplace_back(label::host, host_id_);
    return query;
}

} // namespace methos::executor
