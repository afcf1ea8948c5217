// A master's end of the bus, a fake Docker and an executor on one loop: what the executor's
// component tests stand on. The master is a script: it welcomes, acknowledges and remembers.
#pragma once

#include "core/bus/bus.hpp"
#include "core/wire/frames.hpp"
#include "core/wire/mapping.hpp"
#include "executor/executor.hpp"
#include "tests/support/fake_engine.hpp"
#include "tests/support/temporary_folder.hpp"

#include <boost/asio/io_context.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace methos::executor::test {

/// Says WELCOME to every HELLO of a control connection and ACKs every stamp, unless told not to.
class ScriptedMaster {
  public:
    explicit ScriptedMaster(asio::io_context& loop);

    [[nodiscard]] bus::JoinToken token() const;
    /// Closes the socket and opens it again on the same port, with no memory of sessions.
    void restart();
    /// Answers the last HELLO of a control connection, which `welcomes` has held back.
    void welcome();

    void launch(const std::string& name, const std::string& image);
    void kill(const std::string& name, std::int64_t grace_ms);
    void
    open_logs(std::uint64_t stream, const std::string& task, bool follow, std::uint32_t credit);

    void pull_image(std::uint64_t stream, const std::string& image, bool force = false);
    void end_stream(std::uint64_t stream);

    /// Whether a stream connection has been welcomed in this session.
    [[nodiscard]] bool has_stream() const { return !stream_.empty(); }

    void give_credit(std::uint64_t stream, std::uint32_t bytes);

    /// States of a task in the order they were first told (repeats of a stamp left out).
    [[nodiscard]] std::vector<TaskState> states(const std::string& name) const;
    [[nodiscard]] bool has(const std::string& name, TaskState state) const;
    [[nodiscard]] const TaskStatus* last(const std::string& name) const;

    std::function<void(TaskLaunch&, TaskSpec&)> edit; ///< each launch before it is sent
    bool acknowledges = true;
    bool welcomes = true;
    int stream_refusals = 0; ///< how many HELLOs of stream connections are yet to be refused
    int hellos = 0;
    int inventories = 0;
    int goodbyes = 0;
    int repeats = 0; ///< statuses whose stamp had come before, in the same session
    std::vector<TaskStatus> statuses;
    std::vector<TaskStatus> inventory; ///< the last one
    HostInfo host;
    std::string log_text; ///< all lines, each with "\n"
    std::vector<std::string> stream_ends;
    std::vector<std::string> stream_features; ///< of the last stream connection
    std::vector<wire::PullReport> pull_reports;

  private:
    void bind(const std::string& address);
    void take(const bus::PeerId& peer, const std::string& bytes);
    void take_hello(const bus::PeerId& peer, const wire::Hello& hello);
    void welcome(const bus::PeerId& peer);
    void take_status(const wire::Status& status);
    void send(const wire::Frame& frame);

    asio::io_context& loop_;
    bus::CurveKeys keys_;
    std::unique_ptr<bus::BusServer> server_;
    std::string address_;
    bus::PeerId control_;
    bus::PeerId stream_;
    wire::SessionMark mark_;
    std::uint64_t epoch_ = 1;
    std::uint64_t numbers_ = 0;
    std::map<std::string, std::uint64_t> number_of_;
    std::vector<std::uint64_t> stamps_;
};

struct ClusterOfOne {
    ClusterOfOne();
    ~ClusterOfOne();

    /// Turns the loop until `done`, or fails after 20 s.
    void run_until(const std::function<bool()>& done);
    /// Lets a coroutine run to its end.
    void run(awaitable<> work);

    void start();
    void stop(bool orderly = true);
    void launch_and_wait(const std::string& name); ///< until it runs
    [[nodiscard]] int starts();                    ///< of all containers that are there

    asio::io_context loop{1};
    methos::test::TemporaryFolder folder;
    methos::test::FakeEngine docker;
    ScriptedMaster master;
    ExecutorOptions options;
    HostSenses senses;
    std::unique_ptr<Executor> executor;
};

/// Started, joined, and the first inventory has arrived.
struct Joined : ClusterOfOne {
    Joined() {
        start();
        run_until([this] { return master.inventories > 0; });
    }
};

} // namespace methos::executor::test
