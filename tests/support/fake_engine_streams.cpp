// The fake Engine's answers that flow: events, logs, and the output of commands.
#include "tests/support/fake_engine_calls.hpp"

#include <algorithm>
#include <cstdlib>

namespace methos::test {

namespace {

using docker::ContainerStatus;

docker::UnixNanos nanos_of(const std::string& seconds) {
    if (seconds.empty()) {
        return 0;
    }
    char* end = nullptr;
    const auto whole = std::strtoll(seconds.c_str(), &end, 10);
    docker::UnixNanos fraction = 0;
    if (*end == '.') {
        auto digits = std::string(end + 1);
        digits.resize(9, '0');
        fraction = std::strtoll(digits.c_str(), nullptr, 10);
    }
    return whole * 1'000'000'000 + fraction;
}

std::function<bool(const Json&)> event_filter(const UnixRequest& request) {
    auto types = filter_of(request, "type");
    auto actions = filter_of(request, "event");
    auto labels = filter_of(request, "label");
    return [types, actions, labels](const Json& event) {
        const auto type = event.at("Type").get<std::string>();
        const auto action = event.at("Action").get<std::string>();
        const auto attributes = event.at("Actor").at("Attributes").get<docker::Labels>();
        const auto is_in = [](const std::vector<std::string>& list, const std::string& word) {
            return list.empty() || std::any_of(list.begin(), list.end(), [&word](const auto& one) {
                       return word == one || word.compare(0, one.size() + 1, one + ":") == 0;
                   });
        };
        return is_in(types, type) && is_in(actions, action) &&
               std::all_of(labels.begin(), labels.end(), [&attributes](const auto& filter) {
                   return matches(attributes, filter);
               });
    };
}

struct LogWindow {
    bool out = false;
    bool err = false;
    bool timestamps = false;
    docker::UnixNanos since = 0;
    docker::UnixNanos until = 0;
    std::size_t begin = 0;

    [[nodiscard]] bool shows(const FakeLogEntry& entry) const {
        return (entry.is_error ? err : out) && entry.time >= since &&
               (until == 0 || entry.time <= until);
    }
};

LogWindow window_of(const UnixRequest& request, const FakeContainer& container) {
    LogWindow window;
    window.out = request.parameter("stdout") == "1";
    window.err = request.parameter("stderr") == "1";
    window.timestamps = request.parameter("timestamps") == "1";
    window.since = nanos_of(request.parameter("since"));
    window.until = nanos_of(request.parameter("until"));
    const auto tail = request.parameter("tail");
    if (!tail.empty() && tail != "all") {
        const auto count = static_cast<std::size_t>(std::atoi(tail.c_str()));
        window.begin = container.log.size() - std::min(count, container.log.size());
    }
    return window;
}

} // namespace

awaitable<void> stream_events(StatePtr state, Exchange exchange) {
    auto reader = std::make_shared<FakeSubscriber>(state->executor);
    reader->wants = event_filter(exchange->request);
    const auto since = nanos_of(exchange->request.parameter("since"));
    const bool past_only = !exchange->request.parameter("until").empty();
    reader->ended = past_only;
    auto headers = headers_of(*state, "application/json");
    const auto held = state->subscribers_held;
    const bool is_late = held && !past_only;
    if (is_late) {
        co_await exchange->begin(200, headers);
        co_await held->wait();
    }
    for (const auto& event : state->ring) {
        if (since > 0 && event.time >= since && reader->wants(event.json)) {
            reader->pieces.push_back(event.json.dump() + "\n");
        }
    }
    state->event_readers.push_back(reader);
    if (!is_late) {
        co_await exchange->begin(200, std::move(headers));
    }
    for (;;) {
        while (!reader->pieces.empty()) {
            auto piece = std::move(reader->pieces.front());
            reader->pieces.pop_front();
            co_await exchange->write(std::move(piece));
        }
        if (reader->ended) {
            break;
        }
        const bool there = co_await exchange->wait(reader->signal);
        if (!there) {
            break;
        }
    }
    if (past_only) {
        co_await exchange->end();
    }
    exchange->close();
}

awaitable<void> stream_logs(StatePtr state, Exchange exchange, std::string id) {
    const auto* container = state->find(id);
    if (container == nullptr) {
        co_await reply(state, exchange, no_such_container(id));
        co_return;
    }
    const auto window = window_of(exchange->request, *container);
    if (!window.out && !window.err) {
        co_await reply(
            state, exchange, refusal(400, "Bad parameters: you must choose at least one stream"));
        co_return;
    }
    const bool follow = exchange->request.parameter("follow") == "1";
    auto reader = std::make_shared<FakeSubscriber>(state->executor);
    reader->container = container->id;
    state->log_readers.push_back(reader);
    auto headers = headers_of(*state, "");
    co_await exchange->begin(200, std::move(headers));
    auto next = window.begin;
    for (;;) {
        // The container may go while a piece is written.
        container = state->find(id);
        if (!reader->stalled && container != nullptr && next < container->log.size()) {
            const auto& entry = container->log[next++];
            if (window.shows(entry)) {
                auto bytes = log_bytes(entry, container->tty, window.timestamps);
                co_await exchange->write(std::move(bytes));
            }
            continue;
        }
        const bool is_running =
            container != nullptr && container->status == ContainerStatus::Running;
        if (!follow || reader->ended || !is_running) {
            break;
        }
        const bool there = co_await exchange->wait(reader->signal);
        if (!there) {
            co_return;
        }
    }
    co_await exchange->end();
}

awaitable<void> start_exec(StatePtr state, Exchange exchange, std::string id) {
    auto& exec = state->execs.at(id);
    const auto* container = state->find(exec.container);
    FakeLogEntry output;
    if (container != nullptr && state->exec) {
        const auto result = state->exec(*container, exec.command);
        exec.exit_code = result.first;
        output.text = result.second;
    }
    auto headers = headers_of(*state, "application/vnd.docker.raw-stream");
    co_await exchange->begin_until_close(200, std::move(headers));
    if (!output.text.empty()) {
        co_await exchange->write(log_bytes(output, false, false));
    }
    exchange->close();
}

} // namespace methos::test
