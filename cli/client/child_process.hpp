// A daemon that `methos dev` started: its process and what it prints. Linux only: the child gets a
// SIGTERM from the kernel when its parent dies, however that happens, so that none is left behind.
#pragma once

#include "core/base/error.hpp"

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace methos::cli {

class ChildProcess {
  public:
    /// `command` is a path and its arguments. Throws Failure when it cannot be started.
    ChildProcess(std::string name, const std::vector<std::string>& command);
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;
    /// Kills it at once when it still runs.
    ~ChildProcess();

    [[nodiscard]] const std::string& name() const noexcept { return name_; }

    /// Readable when it printed something; -1 after the end of its output.
    [[nodiscard]] int output() const noexcept { return output_; }

    /// Reads what is there and hands over whole lines; the rest when the output has ended.
    void read_lines(const std::function<void(const std::string&)>& on_line);

    /// Whether it still runs; collects its exit status.
    [[nodiscard]] bool is_running();

    /// "ended with code 1", "was ended by signal 9 (Killed)", once it does not run.
    [[nodiscard]] std::string how_it_ended() const;

    void send_signal(int number) const;

  private:
    std::string name_;
    pid_t pid_ = -1;
    int output_ = -1;
    std::string pending_;
    std::optional<int> wait_status_;
};

} // namespace methos::cli
