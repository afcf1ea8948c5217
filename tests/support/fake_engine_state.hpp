// What FakeEngine's parts share: its state (fake_engine.cpp), the shapes of its answers
// (fake_engine_json.cpp) and its calls (fake_engine_calls.cpp and what that names). Private to
// FakeEngine.
#pragma once

#include "tests/support/fake_engine.hpp"

#include <nlohmann/json.hpp>

namespace methos::test {

using Json = nlohmann::json;
using Exchange = std::shared_ptr<UnixExchange>;

/// An answer that is whole.
struct FakeAnswer {
    int status = 200;
    std::string body;
};

[[nodiscard]] FakeAnswer refusal(int status, const std::string& message);

/// A client that reads what comes: events of the Engine, or the log of a container.
struct FakeSubscriber {
    explicit FakeSubscriber(const asio::any_io_executor& executor) : signal(executor) {}

    std::deque<std::string> pieces;
    std::vector<std::string> held; ///< events that wait for release_events()
    bool ended = false;
    bool stalled = false; ///< gets nothing more
    Signal signal;
    std::function<bool(const Json& event)> wants;
    std::string container; ///< of a log
};

template <class Function>
void for_each_reader(std::list<std::weak_ptr<FakeSubscriber>>& readers, Function function) {
    readers.remove_if([](const auto& weak) { return weak.expired(); });
    for (const auto& weak : readers) {
        if (const auto reader = weak.lock()) {
            function(*reader);
            reader->signal.notify();
        }
    }
}

struct FakeEvent {
    Json json;
    docker::UnixNanos time = 0;
};

struct FakeEngine::State {
    explicit State(asio::any_io_executor executor_);

    // ---- fake_engine.cpp
    [[nodiscard]] docker::UnixNanos tick(); ///< the time; never the same twice
    void publish(const std::string& type,
                 const std::string& action,
                 const std::string& id,
                 const docker::Labels& attributes);
    void publish(const FakeContainer& container,
                 const std::string& action,
                 const docker::Labels& more = {});
    [[nodiscard]] FakeContainer* find(const std::string& id_or_name);
    [[nodiscard]] FakeImage* find_image(const std::string& reference);
    void put_image(const std::string& reference, FakeImage image);
    [[nodiscard]] FakeAnswer start(FakeContainer& container);
    void finish(FakeContainer& container, int code, bool oom, bool announce);
    void erase(const std::string& id);
    void log(FakeContainer& container, std::string text, bool is_error);
    [[nodiscard]] docker::ApiVersion api_of(const std::string& target) const;

    // ---- fake_engine_json.cpp
    [[nodiscard]] Json version_json() const;
    [[nodiscard]] Json info_json() const;
    [[nodiscard]] Json image_json(const std::string& reference, const FakeImage& image) const;
    [[nodiscard]] Json inspect_json(const FakeContainer& container, docker::ApiVersion api) const;
    [[nodiscard]] Json list_json(const FakeContainer& container) const;
    [[nodiscard]] Json event_json(const std::string& type,
                                  const std::string& action,
                                  const std::string& id,
                                  const docker::Labels& attributes,
                                  docker::UnixNanos time) const;

    // ---- fake_engine_calls.cpp
    [[nodiscard]] static awaitable<void> serve(std::shared_ptr<State> state, Exchange exchange);

    asio::any_io_executor executor;
    TemporaryFolder folder;
    std::unique_ptr<UnixHttpServer> server;

    docker::ApiVersion api_max{1, 41};
    docker::ApiVersion api_min{1, 12};
    std::string engine = "20.10.24";

    std::map<std::string, FakeImage> images; ///< by normal reference
    std::map<std::string, FakePull> remotes; ///< by normal reference
    std::map<std::string, int> pulls;
    std::vector<std::string> pull_credentials;
    int pulls_active = 0;
    std::list<std::shared_ptr<Gate>> held_pulls;

    std::list<FakeContainer> containers;
    std::map<std::string, int> phantoms;
    std::function<FakeProgram(const FakeContainer&)> program;
    std::function<std::pair<int, std::string>(const FakeContainer&,
                                              const std::vector<std::string>&)>
        exec;

    struct Exec {
        std::string container;
        std::vector<std::string> command;
        int exit_code = 0;
    };

    std::map<std::string, Exec> execs;
    std::int64_t next_pid = 1000;
    int next_port = 32768;

    std::deque<FakeEvent> ring;
    std::list<std::weak_ptr<FakeSubscriber>> event_readers;
    std::list<std::weak_ptr<FakeSubscriber>> log_readers;
    bool events_held = false;
    std::shared_ptr<Gate> subscribers_held; ///< null: they are not
    docker::UnixNanos last_time = 0;

    struct Fault {
        FakeFault fault;
        int skip;
        int times;
    };

    std::list<Fault> faults;
    int cuts = 0;
    bool chunk_answers = false;
    std::list<std::shared_ptr<Gate>> held_calls;
    std::vector<std::string> calls;
};

/// "busybox" -> "busybox:latest"; ids and digests stay.
[[nodiscard]] std::string normal_reference(const std::string& reference);
/// One log entry as the logs call sends it.
[[nodiscard]] std::string log_bytes(const FakeLogEntry& entry, bool tty, bool timestamps);
[[nodiscard]] std::string format_time(docker::UnixNanos time);

} // namespace methos::test
