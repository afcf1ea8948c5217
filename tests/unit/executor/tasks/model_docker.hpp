// Docker's model and the runner around one Lifecycle, for the seeded random driver: it answers
// actions late, in any order, loses answers, cuts calls that go on all the same, dies and comes
// back. It counts what must hold.
#pragma once

#include "executor/tasks/lifecycle.hpp"
#include "tests/support/docker_model.hpp"

#include <optional>
#include <random>
#include <string>
#include <vector>

namespace methos::executor::test {

class ModelDocker {
  public:
    explicit ModelDocker(std::uint64_t seed);

    /// Runs one task's life to its end, or until the step budget is spent.
    void run();

    // ---- what must hold
    int starts_of_one_container_max = 0;
    int running_reports = 0;
    int starts_by_hand = 0;
    int terminal_reports = 0;
    int reports_after_terminal = 0;
    bool terminal_while_running = false;
    bool running_after_terminal = false;
    bool forgotten = false;
    bool left_behind = false;
    TaskState last_state = TaskState::Staging;
    bool kill_asked = false;
    std::string trace; ///< for a failing seed

  private:
    struct Pending {
        Action action;
        bool started = false; ///< the Engine works on it, whatever becomes of the caller
    };

    void feed(const Event& event);
    void take(Actions actions);
    void random_event();
    void list_containers();
    void answer_one();
    [[nodiscard]] Event effect(const Action& action);
    [[nodiscard]] Event effect_of_start(const action::Start& start);
    [[nodiscard]] Event effect_of_create(const action::Create& create);
    void end_some(int exit_code);
    void remove_all();
    void watch_invariants();
    [[nodiscard]] bool chance(int percent);
    [[nodiscard]] bool any_running() const;

    std::mt19937_64 random_;
    Lifecycle life_;
    Now now_;
    bool up_ = true;
    bool calm_ = false;      ///< the second half: no more faults, so that it must come to an end
    bool damaged_ = false;   ///< no container of it can be inspected, ever
    MonoTime stuck_until_{}; ///< nothing can be removed
    std::optional<std::vector<ContainerFacts>> list_; ///< under way
    MonoTime listed_at_{};
    bool acked_ = false;
    bool terminal_ = false;
    methos::test::DockerModel docker_{"c"};
    std::vector<Pending> pending_;
    std::vector<Action> ghosts_; ///< cut calls that the Engine still carries out
};

} // namespace methos::executor::test
