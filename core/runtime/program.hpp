// What every daemon's main does around its own work: the loop, the pool for blocking calls,
// signals, limits, and an orderly end. Used by main.cpp files and by tests that run a whole program
// in-process.
#pragma once

#include "core/runtime/async.hpp"

#include <functional>

namespace methos {

/// Options of the loop's surroundings.
struct ProgramOptions {
    std::size_t pool_threads = 2;
    Duration stop_limit =
        std::chrono::seconds(10); ///< after SIGTERM; then the process leaves anyway, with 1
};

class Program {
  public:
    explicit Program(ProgramOptions options = ProgramOptions());
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;
    ~Program();

    [[nodiscard]] asio::any_io_executor executor();
    [[nodiscard]] asio::thread_pool& pool();

    /// Opens at SIGTERM or SIGINT, or by request_stop(). `body` waits for it and ends in order.
    [[nodiscard]] Gate& stop_requested();
    void request_stop();

    /// Called on the loop at each SIGHUP.
    void on_hangup(std::function<void()> reload);

    /// Runs the loop until `body` has ended; returns the process's exit code: 0, or that of the
    /// Failure it threw (which is printed to stderr). SIGPIPE is ignored, the file limit raised to
    /// the hard limit.
    [[nodiscard]] int run(awaitable<> body);

  private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

} // namespace methos
