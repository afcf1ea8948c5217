// The executor's word with the master: opens a session (HELLO, WELCOME, INVENTORY), beats, passes
// LAUNCH, KILL and ACK on to the runner and updates to the master, and opens another session when
// one ends, for ever. Containers never notice. Loop thread only.
#pragma once

#include "core/base/backoff.hpp"
#include "core/bus/bus.hpp"
#include "core/model/task.hpp"
#include "core/wire/frames.hpp"
#include "executor/session/identity.hpp"
#include "executor/tasks/runner.hpp"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace methos::executor {

struct SessionOptions {
    bus::JoinToken token;
    HostIdentity identity;
    std::string build;
    Duration goodbye_grace = std::chrono::seconds(30);
};

struct SessionHandlers {
    /// This host as it is now; `local_ip` is that of the bus connection.
    std::function<HostInfo(const std::string& local_ip)> host;
    /// A session is open (with the address it runs over), or has ended.
    std::function<void(const wire::SessionMark& mark, const std::string& address)> opened;
    std::function<void()> closed;
};

class MasterSession {
  public:
    /// `runner` must outlive it.
    MasterSession(asio::any_io_executor executor,
                  TaskRunner& runner,
                  SessionOptions options,
                  SessionHandlers handlers);
    MasterSession(const MasterSession&) = delete;
    MasterSession& operator=(const MasterSession&) = delete;
    ~MasterSession();

    /// Runs until cancelled.
    [[nodiscard]] awaitable<> run();
    /// Tells the master that this host stops in order and will be back.
    void say_goodbye();

    void send_statuses(const std::vector<TaskStatus>& statuses);
    /// This host as it is now, if that is not what this session was told last.
    void send_host();
    /// Every task there is, if Docker has been listed.
    void send_inventory();

  private:
    struct Connection;

    [[nodiscard]] awaitable<> run_session(std::string address);
    [[nodiscard]] awaitable<> connect(Connection& connection);
    [[nodiscard]] awaitable<> welcome(Connection& connection);
    [[nodiscard]] awaitable<> follow(Connection& connection);
    [[nodiscard]] wire::Frame make_hello(const HostInfo& host) const;
    void take(const wire::Frame& frame);
    void take_launch(const wire::Launch& launch);
    void take_kill(const wire::Kill& kill);
    void take_ack(const wire::Ack& ack);
    void take_refused(const wire::Refused& refused);
    void send(const wire::Frame& frame);

    asio::any_io_executor executor_;
    TaskRunner& runner_;
    SessionOptions options_;
    SessionHandlers handlers_;
    Connection* connection_ = nullptr; ///< of the session that is open or opening
    wire::SessionMark mark_;           ///< {0, 0} while there is no session
    HostInfo told_;                    ///< what the master knows of this host
    std::map<std::uint64_t, std::shared_ptr<const TaskSpec>> specs_; ///< of this session
    std::map<std::uint64_t, std::string> bad_specs_; ///< and what is wrong with them
    bool refused_ = false; ///< by something that only a person can change: try slowly
    /// How much longer than it has to a silent master is borne: doubled by each session that ends
    /// so soon after its begin. A master that drowns in returning hosts is not helped by another
    /// HELLO.
    std::uint32_t patience_ = 1;
};

} // namespace methos::executor
