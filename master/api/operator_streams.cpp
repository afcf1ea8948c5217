#include "master/api/operator_streams.hpp"

#include "core/base/json.hpp"
#include "core/observe/log.hpp"
#include "master/api/mesos_listings.hpp"

#include <nlohmann/json.hpp>

namespace methos::master {

namespace {

using nlohmann::json;

json event(const char* type, const char* field, json content) {
    json out;
    out["type"] = type;
    out[field] = std::move(content);
    return out;
}

json id_of(const std::string& value) {
    return {{"value", value}};
}

} // namespace

/// Shared with the streams' ends, which may come after the owner's.
struct OperatorStreams::State : std::enable_shared_from_this<State> {
    State(asio::any_io_executor executor_, Shell& shell_, RecordLimits limits_)
        : executor(std::move(executor_)), shell(shell_), limits(limits_), changed(executor) {}

    void publish(const Shell::Publications& publications);
    [[nodiscard]] json print(const cluster::TaskChanged& change) const;
    [[nodiscard]] json print(const cluster::HostChanged& change) const;
    [[nodiscard]] json print(const cluster::FrameworkChanged& change) const;
    void send(const json& document);
    void finish_all();
    void leave();

    asio::any_io_executor executor;
    Shell& shell;
    RecordLimits limits;
    std::shared_ptr<RecordBudget> budget = std::make_shared<RecordBudget>();
    std::list<std::weak_ptr<RecordStream>> streams;
    std::size_t count = 0; ///< of streams that have not ended
    bool closing = false;
    Signal changed;
};

OperatorStreams::OperatorStreams(asio::any_io_executor executor, Shell& shell, RecordLimits limits)
    : state_(std::make_shared<State>(std::move(executor), shell, limits)) {
    shell.on_publications(
        [weak = std::weak_ptr<State>(state_)](const Shell::Publications& publications) {
            const auto state = weak.lock();
            if (state && state->count > 0) {
                state->publish(publications);
            }
        });
    shell.on_reload([weak = std::weak_ptr<State>(state_)] {
        if (const auto state = weak.lock()) {
            state->finish_all(); // what was undone cannot be told; they ask again
        }
    });
}

OperatorStreams::~OperatorStreams() = default;

awaitable<std::shared_ptr<RecordStream>> OperatorStreams::open() {
    const auto state = state_;
    if (state->count >= subscribers_max || state->closing) {
        throw Failure(Code::Unavailable,
                      "there are " + std::to_string(state->count) +
                          " subscribers already; more are not taken");
    }
    // Before the state is printed: what changes meanwhile comes after it, even when it is in it.
    ++state->count;
    state->shell.watch();
    auto stream = std::make_shared<RecordStream>(state->executor,
                                                 state->limits,
                                                 state->budget,
                                                 external::print_heartbeat(),
                                                 [weak = std::weak_ptr<State>(state)] {
                                                     if (const auto still = weak.lock()) {
                                                         still->leave();
                                                     }
                                                 });
    state->streams.push_back(stream);

    const auto interval =
        std::chrono::duration_cast<std::chrono::duration<double>>(state->limits.heartbeat_interval);
    auto listing = std::make_shared<Listing>(state->shell);
    listing->text(R"({"type":"SUBSCRIBED","subscribed":{"heartbeat_interval_seconds":)" +
                  dump_json(json(interval.count())) + R"(,"get_state":)");
    mesos::list_state(*listing, state->shell);
    listing->text("}}");
    std::string document;
    for (auto piece = co_await listing->read(); piece; piece = co_await listing->read()) {
        document += *piece;
    }
    stream->push_first(document);
    co_return stream;
}

awaitable<> OperatorStreams::close(Duration limit) {
    const auto state = state_;
    state->closing = true;
    state->finish_all();
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (state->count > 0) {
        const bool more =
            co_await state->changed.wait_for(deadline - std::chrono::steady_clock::now());
        if (!more) {
            co_return;
        }
    }
}

void OperatorStreams::State::leave() {
    --count;
    shell.unwatch();
    changed.notify();
}

void OperatorStreams::State::publish(const Shell::Publications& publications) {
    for (const auto& publication : publications) {
        const auto* any = publication.get();
        if (const auto* task = dynamic_cast<const cluster::TaskChanged*>(any)) {
            send(print(*task));
        } else if (const auto* host = dynamic_cast<const cluster::HostChanged*>(any)) {
            send(print(*host));
        } else if (const auto* framework = dynamic_cast<const cluster::FrameworkChanged*>(any)) {
            send(print(*framework));
        }
    }
}

json OperatorStreams::State::print(const cluster::TaskChanged& change) const {
    const auto& task = change.task;
    if (change.added) {
        json content;
        content["task"] = mesos::v1_task(task, shell.heart());
        return event("TASK_ADDED", "task_added", std::move(content));
    }
    json content = {{"framework_id", id_of(task.framework)},
                    {"status", mesos::v1_status(task, shell.heart())},
                    {"state", std::string(to_string(task.state()))}};
    return event("TASK_UPDATED", "task_updated", std::move(content));
}

json OperatorStreams::State::print(const cluster::HostChanged& change) const {
    const auto* host = shell.heart().cluster().find_host(change.host);
    json content;
    if (change.there && host != nullptr) {
        content["agent"] = mesos::v1_agent(*host);
        return event("AGENT_ADDED", "agent_added", std::move(content));
    }
    content["agent_id"] = id_of(change.id.value);
    return event("AGENT_REMOVED", "agent_removed", std::move(content));
}

json OperatorStreams::State::print(const cluster::FrameworkChanged& change) const {
    const auto* framework = shell.heart().external().find(external::FrameworkId(change.id));
    mesos::FrameworkView view;
    view.info.id = external::FrameworkId(change.id);
    if (framework != nullptr) {
        view = mesos::view_of(*framework);
    }
    json content;
    if (change.kind == cluster::FrameworkChanged::Kind::Removed) {
        content["framework_info"] = external::json_of(view.info);
        return event("FRAMEWORK_REMOVED", "framework_removed", std::move(content));
    }
    content["framework"] = mesos::v1_framework(view);
    if (change.kind == cluster::FrameworkChanged::Kind::Added) {
        return event("FRAMEWORK_ADDED", "framework_added", std::move(content));
    }
    return event("FRAMEWORK_UPDATED", "framework_updated", std::move(content));
}

void OperatorStreams::State::send(const json& document) {
    const auto text = external::print_line(document);
    for (auto at = streams.begin(); at != streams.end();) {
        const auto stream = at->lock();
        if (!stream || stream->ended()) {
            at = streams.erase(at);
            continue;
        }
        if (!stream->push(text)) {
            log::warning("a subscriber of the operator API reads too slowly and is cut off");
            stream->cut();
        }
        ++at;
    }
}

void OperatorStreams::State::finish_all() {
    for (const auto& weak : streams) {
        if (const auto stream = weak.lock()) {
            stream->finish();
        }
    }
}

} // namespace methos::master
