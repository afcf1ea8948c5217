// A Docker Engine for tests, in this process, on a temporary Unix socket: images, pulls,
// containers, events and logs with the words and statuses of the real one (tests/component/docker
// runs the same cases on both), and faults on demand. State is open: tests set it up and look at
// it. Lives on the test's loop.
#pragma once

#include "executor/docker/values.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/unix_http_server.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace methos::test {

struct FakeImage {
    std::string id; ///< "sha256:<64 hex>"; made when empty
    std::vector<std::string> command = {"/bin/sh"};
    std::vector<std::string> entrypoint;
    std::vector<std::string> environment;
    std::string user;
    docker::Labels labels;
};

/// What a registry has under a reference, and how its pull goes.
struct FakePull {
    FakeImage image;
    std::vector<std::int64_t> layers = {1000, 2000};
    int status = 200;           ///< else: refused before the first line, with `message`
    std::string message;        ///< of that refusal
    std::string stream_error;   ///< the stream ends with it after the layers
    bool retry_forever = false; ///< "Retrying in 1 second" until the client goes away
    bool vanishes = false;      ///< it ends well, and the image is not there
    bool hold = false; ///< after the first layer nothing, until release_pulls() or the client goes
};

/// What happens to a container's process.
struct FakeProgram {
    std::optional<int> exits_at_once; ///< before start has answered; `die` may come before `start`
    bool runs_out_of_memory = false;  ///< with exits_at_once: and that is why
    bool ignores_sigterm = false;     ///< then a stop ends it by SIGKILL (137)
    int start_status = 204;           ///< else the start is refused with `start_error`
    std::string start_error;
    int start_exit_code = 127;       ///< State.ExitCode of a refused start
    std::vector<std::string> output; ///< written to stdout at start, with their line ends
    std::vector<std::string> errors; ///< likewise to stderr, after that
};

struct FakeLogEntry {
    docker::UnixNanos time = 0;
    bool is_error = false;
    std::string text; ///< with its "\n", unless it is part of a longer line
};

struct FakeContainer {
    std::string id;
    std::string name;
    std::string image; ///< as given
    std::string image_id;
    std::string body; ///< of the create call: JSON
    docker::Labels labels;
    std::vector<std::string> environment;
    bool tty = false;
    std::string network_mode;
    std::vector<docker::PortBinding> ports; ///< with the chosen host port while it runs

    docker::ContainerStatus status = docker::ContainerStatus::Created;
    int exit_code = 0;
    std::string error;
    bool oom_killed = false;
    std::int64_t pid = 0;
    docker::UnixNanos created_at = 0;
    docker::UnixNanos started_at = 0;
    docker::UnixNanos finished_at = 0;
    int starts = 0; ///< how often its process was started
    FakeProgram program;
    std::vector<FakeLogEntry> log;
};

/// Something goes wrong with calls that match. Faults are tried in the order of their injection.
struct FakeFault {
    enum class Kind {
        Answer,     ///< `status` and `body` instead of doing it
        DropBefore, ///< the connection closes; nothing was done
        DropAfter,  ///< it is done, and then the connection closes without an answer
        CutBody,    ///< it is not done; half of `body` arrives
        CutAnswer,  ///< it is done, and of its answer only the first `bytes` arrive, head included
        Hold,       ///< nothing, until release_held(); then it is done as usual
    };
    std::string call; ///< beginning of "POST /containers/create": without the version
    std::string ends; ///< and the end of that without its query: "/start"
    Kind kind = Kind::Answer;
    int status = 500;
    std::string body = R"({"message":"injected fault"})";
    std::size_t bytes = 0; ///< of CutAnswer
    int skip = 0;          ///< calls left alone first
    int times = 1;         ///< -1: always
};

class FakeEngine {
  public:
    explicit FakeEngine(asio::any_io_executor executor);
    FakeEngine(const FakeEngine&) = delete;
    FakeEngine& operator=(const FakeEngine&) = delete;
    ~FakeEngine();

    [[nodiscard]] const std::string& socket_path() const;

    // ---- what it is
    /// As a daemon of that version answers; shapes of answers follow `max`.
    void set_api(std::string max, std::string min, std::string engine);
    /// Every byte of every body comes alone.
    void split_bytes(bool on);
    /// Whole answers come in chunks, as dockerd sends those of more than 2 KiB.
    void chunk_answers(bool on);
    /// Without it, each connection serves one call.
    void keep_alive(bool on);
    /// It begins to end: no new connections, and those that are there go on.
    void stop_listening();
    /// The socket refuses connections and running ones are cut; containers go on.
    void go_down();
    /// Back, with an empty ring of events.
    void come_up();

    // ---- images
    FakeImage& add_image(const std::string& reference, FakeImage image = {});
    void add_remote(const std::string& reference, FakePull pull = {});
    void release_pulls();
    /// `docker rmi -f`: that name is gone, and containers of the image go on.
    void untag(const std::string& reference);
    [[nodiscard]] bool has_image(const std::string& reference) const;
    [[nodiscard]] int pulls_started(const std::string& reference) const;
    /// The X-Registry-Auth of every pull, in order; empty without.
    [[nodiscard]] const std::vector<std::string>& pull_credentials() const;
    [[nodiscard]] int pulls_active() const;
    [[nodiscard]] std::size_t pulls_held() const; ///< that release_pulls() would let go on

    // ---- containers
    /// How the processes of containers made from now on behave.
    void set_program(std::function<FakeProgram(const FakeContainer&)> program);
    [[nodiscard]] FakeContainer* find(const std::string& id_or_name);
    [[nodiscard]] std::vector<FakeContainer*> containers();
    /// As if somebody had made it by hand. Status, labels and so on may be set before.
    FakeContainer& add_container(FakeContainer container);
    /// The process ends by itself. With `announce` false no event tells (a daemon outage).
    void exit(const std::string& id_or_name, int code, bool oom = false, bool announce = true);
    /// Somebody, or dockerd itself, sends it SIGTERM, of which it makes that exit code.
    void terminate(const std::string& id_or_name, int code);
    /// `docker rm -f` behind everybody's back.
    void remove(const std::string& id_or_name);
    /// `docker rename`.
    void rename(const std::string& id_or_name, const std::string& name);
    void write_log(const std::string& id_or_name, std::string text, bool is_error = false);
    /// Who follows a log now gets no more of its lines, and no end (moby 37646).
    void stall_logs();
    /// Create with that name is refused `times` times; its holder does not exist.
    void add_phantom_name(const std::string& name, int times);
    /// Answers exec: exit code and output.
    void set_exec(std::function<std::pair<int, std::string>(const FakeContainer&,
                                                            const std::vector<std::string>&)> exec);

    // ---- faults and observation
    void inject(FakeFault fault);
    void forget_faults();
    /// How many answers a CutAnswer has cut: one that it let through was not longer than that.
    [[nodiscard]] int cuts() const;
    void release_held();
    [[nodiscard]] std::size_t held() const; ///< calls that release_held() would let go on
    /// Subscribers to events get the head of their answer, and the events from the moment of
    /// release_subscribers() on, or since when they asked for.
    void hold_subscribers();
    void release_subscribers();
    /// Subscribers hear nothing; what happens from now on is kept for them.
    void hold_events();
    /// They hear what was kept as `arrange` leaves it: lost, twice, in another order.
    void release_events(const std::function<void(std::vector<std::string>& lines)>& arrange);
    /// An event's text as it goes to subscribers, for duplicates and disorder.
    void emit_raw(std::string line);
    [[nodiscard]] int subscribers() const;
    /// "POST /containers/create?name=x": every call in order, without the version.
    [[nodiscard]] const std::vector<std::string>& calls() const;
    /// How many calls begin with that.
    [[nodiscard]] int count(const std::string& call) const;

    struct State;

  private:
    std::shared_ptr<State> state_;
};

} // namespace methos::test
