// A whole master in this process - shell, bus, HTTP - on a store that a test controls, and
// executors played by hand over real ZeroMQ. Everything on one loop; run() ends a test that hangs.
#pragma once

#include "core/bus/bus.hpp"
#include "core/http/client.hpp"
#include "core/http/server.hpp"
#include "core/wire/mapping.hpp"
#include "master/api/api.hpp"
#include "master/shell/bus_port.hpp"
#include "tests/support/scripted_store.hpp"

#include <nlohmann/json_fwd.hpp>

#include <boost/asio/io_context.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <string>

namespace methos::test {

inline constexpr const char* admin_token = "token-of-the-tests";
inline constexpr const char* join_secret = "secret-of-the-tests";

/// An executor's end of the bus, without an executor.
class FakeExecutor {
  public:
    FakeExecutor(asio::any_io_executor executor,
                 const std::string& address,
                 const std::string& server_key);

    void send(const wire::Frame& frame);
    void send_raw(std::string bytes);
    /// The next frame of the given kind; others before it are dropped.
    [[nodiscard]] awaitable<wire::Frame> next(wire::Frame::BodyCase kind);
    /// HELLO, WELCOME, and an empty (or the given) INVENTORY.
    [[nodiscard]] awaitable<> join(std::string hostname, wire::Inventory has = wire::Inventory());
    /// The second connection of the host that joined with `control`.
    [[nodiscard]] awaitable<>
    join_stream(const FakeExecutor& control, std::string hostname, bool pulls_images);
    void report(const wire::TaskLaunch& task, TaskState state);

    void beat() { send(wire::make_beat(mark, ++beats_)); }

    [[nodiscard]] static wire::Frame hello(const std::string& hostname, const std::string& secret);

    void close() { client_.close(); }

    wire::SessionMark mark;

  private:
    Signal arrived_;
    std::deque<wire::Frame> frames_;
    std::uint64_t beats_ = 0;
    std::uint64_t stamps_ = 0;
    bus::BusClient client_;
};

class MasterLab {
  public:
    MasterLab();
    MasterLab(const MasterLab&) = delete;
    MasterLab& operator=(const MasterLab&) = delete;
    ~MasterLab();

    /// Starts the master, runs `body`, stops the master; a failure of either becomes the test's.
    void run(std::function<awaitable<>(MasterLab&)> body);

    [[nodiscard]] awaitable<http::ClientResponse> call(std::string method,
                                                       std::string path,
                                                       std::string body = "",
                                                       http::Headers headers = http::Headers());
    /// Repeats GET `path` until `good` says so; fails the test after ten seconds.
    [[nodiscard]] awaitable<nlohmann::json>
    get_until(std::string path, std::function<bool(const nlohmann::json&)> good);
    [[nodiscard]] std::unique_ptr<FakeExecutor> executor();

    ScriptedStore store;
    std::unique_ptr<master::Shell> shell;
    std::unique_ptr<master::SchedulerStreams> schedulers;
    std::unique_ptr<master::OperatorStreams> operators;
    master::RecordLimits scheduler_limits; ///< set before run()
    std::string url;

  private:
    awaitable<> serve(std::function<awaitable<>(MasterLab&)> body);

    asio::io_context context_;
    asio::thread_pool pool_{2};
    SystemClock clock_;
    Metrics metrics_;
    bus::CurveKeys keys_;
    master::LogStreams streams_;
    std::unique_ptr<master::BusPort> bus_;
    http::Client client_;
};

} // namespace methos::test
