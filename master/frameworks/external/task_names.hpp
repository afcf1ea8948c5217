// Which names foreign tasks have in the cluster. A name is never given to two tasks that a host
// could take for one: it rests after its task is over, for as long as an executor keeps the
// container. Pure; owned by class External, which keeps the records.
#pragma once

#include "core/base/clock.hpp"
#include "core/base/ids.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_set>

namespace methos::external {

/// The name of a task that is over.
struct RestingName {
    std::uint64_t key = 0; ///< of its record
    TaskName name;
    std::optional<MonoTime> since; ///< none: since before this master started
};

class TaskNames {
  public:
    /// Executors keep an ended container for 10 minutes.
    static constexpr std::chrono::minutes rest{15};
    static constexpr std::size_t resting_max = 100'000; ///< then the oldest rests no longer

    [[nodiscard]] bool taken(const TaskName& name) const { return taken_.contains(name.value); }

    void take(const TaskName& name) { taken_.insert(name.value); }

    /// The task of this name is over.
    void lay_to_rest(RestingName name);
    /// A name that has rested long enough, and is free from now on.
    /// Those of before this master's start rest anew from the first call on.
    [[nodiscard]] std::optional<RestingName> take_rested(MonoTime now);

  private:
    std::unordered_set<std::string> taken_; ///< resting ones included
    std::deque<RestingName> resting_;       ///< oldest first
    std::optional<MonoTime> started_;       ///< when it was first asked
};

} // namespace methos::external
