// The health checks of all tasks of this host as one pure machine: which probes are due, and what
// their results say of a task: healthy is who passes all of its checks. First probes are spread, so
// that a host full of tasks does not probe them all at once. Owned by HealthChecker, which probes.
// No I/O, no clock; randomness is given.
#pragma once

#include "core/base/backoff.hpp"
#include "core/base/ids.hpp"
#include "executor/checks/check_state.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace methos::executor {

/// A task that runs, and how to check it.
struct CheckedTask {
    std::vector<HealthCheck> checks; ///< settled (check_label.hpp)
    std::string container_id;
    bool host_network = false;             ///< asked on the host's loopback
    std::vector<std::string> ip_addresses; ///< else on one of these; none: not known (yet)
    Duration age{};                        ///< since the container was started
};

struct DueProbe {
    TaskName task;
    std::uint64_t watch = 0; ///< which watch() it belongs to
    std::size_t index = 0;   ///< of the check
    HealthCheck check;
    std::string container_id;
    std::string address; ///< to be asked; empty: the task has none of the wanted kind
    Duration limit{};    ///< what it may take
    bool slow = false;   ///< it may well take long, and must not hold up those that do not
};

/// What a task's checks say together; told when it changes.
struct HealthVerdict {
    bool healthy = false;
    bool kill = false; ///< it failed too often
    std::string message;
    friend bool operator==(const HealthVerdict&, const HealthVerdict&) = default;
};

class HealthBook {
  public:
    /// `uniform` returns numbers in [0, 1).
    explicit HealthBook(Backoff::Uniform uniform) : uniform_(std::move(uniform)) {}

    /// Begins to check a task, unless this container is checked already, at these addresses.
    void watch(const TaskName& name, const CheckedTask& task, MonoTime now);

    /// Results that are still to come count no more.
    void forget(const TaskName& name) { tasks_.erase(name); }

    /// Each is answered by one take(), also when it could not be done. A task's commands are due
    /// one after the other, however many checks it has.
    [[nodiscard]] std::vector<DueProbe> take_due(MonoTime now);
    [[nodiscard]] std::optional<MonoTime> next_due() const;

    /// The result of a probe; what is to be told now, if anything.
    [[nodiscard]] std::optional<HealthVerdict>
    take(const DueProbe& probe, const ProbeResult& result, MonoTime now);

  private:
    struct Watched {
        std::uint64_t watch = 0;
        std::string container_id;
        bool host_network = false;
        std::vector<std::string> ip_addresses;
        std::vector<CheckState> checks;
        std::optional<bool> told;
        bool kill_told = false;
    };

    [[nodiscard]] static bool may_probe(const Watched& task, const CheckState& state);

    Backoff::Uniform uniform_;
    std::map<TaskName, Watched> tasks_;
    std::uint64_t watches_ = 0;
};

} // namespace methos::executor
