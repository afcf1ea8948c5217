// One host's Docker: a daemon that takes its time, cuts its answers, hangs and dies, and containers
// that outlive their executor, and sometimes the daemon too. Checks what only it can see: no task
// is started twice, and none on a host without room for it.
#pragma once

#include "executor/tasks/task_book.hpp"
#include "tests/simulation/random.hpp"
#include "tests/simulation/trace.hpp"
#include "tests/support/docker_model.hpp"

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace methos::simulation {

/// How unkind Docker and the containers are.
struct DockerWeather {
    std::uint64_t exit_chance = 0; ///< of a container, in parts of a million per turn
    std::uint64_t refusal_percent = 0;
    std::uint64_t cut_percent = 0;
    std::uint64_t event_loss_percent = 0;
    std::uint64_t stuck_percent = 0; ///< stops and kills that do nothing
    std::uint64_t call_ms_max = 50;
    std::uint64_t pull_ms_max = 300;
};

/// What all hosts have seen: of each task, over all its containers.
struct TaskHistory {
    std::map<std::string, int> starts;
    std::set<std::string> ended; ///< its end was told to a master
    /// Ended by the master without a word from its host: what it uses there is used beside what is
    /// launched until the host has heard.
    std::set<std::string> given_up;
};

class Dockerd {
  public:
    enum class Mode : std::uint8_t { Up, Hung, Down };

    /// A call of the executor: an order of its task book.
    struct Call {
        TaskName task;          ///< whose lifecycle hears the answer
        std::string to_inspect; ///< a found container instead; answered to the book itself
        executor::Action action;
        docker::ContainerConfig config; ///< of Create
        std::string name;               ///< of Create, and of Inspect by name
    };

    struct Answer {
        TaskName task;
        std::string inspected;
        executor::Event event;
    };

    /// What the event stream says of a container's end.
    struct EndEvent {
        TaskName task;
        std::string container_id;
        std::optional<int> exit_code;
    };

    Dockerd(std::size_t host,
            HostResources resources,
            Random& random,
            Trace& trace,
            TaskHistory& history);

    void turn(const DockerWeather& weather);
    void set_mode(Mode mode);
    /// The daemon is gone, and with it what it was about to do; with `containers_die` they too.
    void die(bool containers_die);

    [[nodiscard]] Mode mode() const { return mode_; }

    /// Whether it has died since it was asked last: connections to it are gone.
    [[nodiscard]] std::uint64_t lives() const { return lives_; }

    // ---- for the executor
    void ask(Call call, const DockerWeather& weather);
    void abandon_image(const TaskName& task);
    [[nodiscard]] std::optional<Answer> take_answer();
    /// Ends since subscribe(); some are lost.
    [[nodiscard]] std::optional<EndEvent> take_event();

    void subscribe() { events_.clear(); }

    [[nodiscard]] std::vector<executor::ContainerFacts> list() const { return model_.list(); }

    /// The executor is dead: what it has sent goes on, and nobody hears how it went.
    void forget_executor();

    [[nodiscard]] const test::DockerModel& model() const { return model_; }

    [[nodiscard]] bool runs(const std::string& task) const;

  private:
    struct Pending {
        Call call;
        MonoTime effect_at{};
        MonoTime answer_at{}; ///< or what the caller takes for one, when it is cut
        bool cut = false;
        bool heard = true; ///< somebody waits for the answer
        std::optional<executor::Event> answer;
    };

    void carry_out(Pending& pending, const DockerWeather& weather);
    [[nodiscard]] executor::Event effect(Pending& pending, const DockerWeather& weather);
    [[nodiscard]] executor::Event create(const Call& call, const DockerWeather& weather);
    [[nodiscard]] executor::Event start(const std::string& id, const DockerWeather& weather);
    [[nodiscard]] executor::Event
    stop(Pending& pending, const executor::action::Stop& stop, const DockerWeather& weather);
    [[nodiscard]] executor::Event remove(const std::string& id);
    void end(const std::string& id, int exit_code);
    void tell_end(const std::string& id, std::optional<int> exit_code);
    void check_start(const test::DockerModel::Container& container);

    std::string label_;
    HostResources resources_;
    Random& random_;
    Trace& trace_;
    TaskHistory& history_;
    test::DockerModel model_;
    Mode mode_ = Mode::Up;
    std::uint64_t lives_ = 1;
    std::uint64_t event_loss_percent_ = 0;
    std::deque<Pending> calls_;                ///< in the order in which they were sent
    std::map<std::string, MonoTime> stopping_; ///< containers whose process leaves then
    std::deque<EndEvent> events_;
};

} // namespace methos::simulation
