// The daemons of `methos dev` as child processes: started in order, their lines printed under their
// names, ended in the opposite order. What is started, and when, is dev.cpp's.
#pragma once

#include "cli/client/child_process.hpp"
#include "cli/output/terminal.hpp"
#include "core/base/clock.hpp"

#include <memory>
#include <string>
#include <vector>

namespace methos::cli {

/// SIGINT, SIGTERM and SIGCHLD as something to poll, instead of as interruptions.
class Signals {
  public:
    Signals();
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;
    ~Signals();

    [[nodiscard]] int get() const { return descriptor_; }

    /// Whether one of those that came asks for the end.
    [[nodiscard]] bool take_end_request() const;

  private:
    int descriptor_;
};

class DevCluster {
  public:
    explicit DevCluster(Terminal& terminal) : terminal_(terminal) {}

    void start(const std::string& name, const std::vector<std::string>& command);

    /// Prints what comes, for at most `limit`. False when it is time to end: a signal, or a daemon
    /// that ended (which is told).
    [[nodiscard]] bool turn(Duration limit);

    /// SIGTERM to each, the last one first.
    void stop();

    void fail();

    /// What the command ends with.
    [[nodiscard]] int code() const { return code_; }

  private:
    void pump(Duration limit);
    void print_lines();

    Terminal& terminal_;
    Signals signals_;
    std::vector<std::unique_ptr<ChildProcess>> children_;
    int code_ = 0;
};

} // namespace methos::cli
