// All tasks of this host, made true: tells the task book what the master and Docker say, carries
// out what it wants, and hands status updates to whoever speaks to the master. Every call to the
// Engine runs on its own; starts are limited, since more at once than twice the CPUs only wait for
// each other. Keeps nothing on disk: Docker is the database. Decides nothing. Loop thread only.
#pragma once

#include "core/runtime/async.hpp"
#include "executor/checks/health_checker.hpp"
#include "executor/fetch/fetcher.hpp"
#include "executor/images/puller.hpp"
#include "executor/tasks/container_calls.hpp"
#include "executor/tasks/container_plan.hpp"
#include "executor/tasks/docker_watch.hpp"
#include "executor/tasks/host_paths.hpp"
#include "executor/tasks/process_watch.hpp"
#include "executor/tasks/stop_witness.hpp"
#include "executor/tasks/task_book.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace methos::executor {

struct RunnerOptions {
    PlanContext plan;
    std::size_t starts_max = 4;           ///< at once; 2 * CPUs
    bool keeps_ended = true;              ///< containers, for `logs --previous`
    std::function<std::string()> trouble; ///< why no new task is taken; empty text: it is
    HostPathOptions host_paths;
    WatchIntervals watch;
    ProcessWatch processes;
};

struct RunnerHandlers {
    std::function<void(std::vector<TaskStatus>)> send; ///< only called while a session is open
    std::function<void()> docker_changed;              ///< see docker()
    std::function<void()> inventory_due;               ///< Docker was (re)connected and listed
    std::function<void(const Error&)> broke;           ///< it is of no use any more
};

struct DockerState {
    bool up = false;
    std::string version;
    std::string api;
    std::string root_dir;
};

class TaskRunner {
  public:
    /// `engine`, `images` and `files` must outlive it.
    TaskRunner(const asio::any_io_executor& executor,
               docker::Engine& engine,
               ImagePuller& images,
               Fetcher& files,
               RunnerOptions options,
               RunnerHandlers handlers);
    TaskRunner(const TaskRunner&) = delete;
    TaskRunner& operator=(const TaskRunner&) = delete;
    ~TaskRunner();

    void start();
    /// Ends all calls; containers stay as they are.
    [[nodiscard]] awaitable<> stop();

    // ---- what the master says
    /// A task that is known already is only reported again.
    void launch(std::shared_ptr<const TaskSpec> spec, TaskLaunch launch);
    /// A launch that cannot even be tried: reported as terminal.
    void refuse(const TaskLaunch& launch, TaskState state, Reason reason, std::string message);
    void kill(TaskNumber number, TaskName name, std::optional<Duration> grace);
    void acknowledge(TaskNumber number, const TaskName& name, std::uint64_t stamp);
    void session_opened(const std::string& cluster);
    void session_closed();

    // ---- what others ask
    [[nodiscard]] const DockerState& docker() const { return docker_; }

    /// Whether Docker was listed since this process began: before, an inventory would lie.
    [[nodiscard]] bool knows_containers() const { return book_.knows_containers(); }

    [[nodiscard]] std::vector<TaskStatus> inventory() const { return book_.inventory(); }

    /// The container of a task, running or kept; empty when there is none.
    [[nodiscard]] std::string container_of(const TaskName& name) const;

  private:
    void docker_up(const docker::EngineVersion& version,
                   const docker::EngineInfo& info,
                   const ContainerList& list);
    void docker_down(const std::string& why);
    void docker_event(const docker::Event& event);
    void docker_signalled(const TaskName& name, const docker::Event& event);
    void kill_lost_processes();

    void deliver(const TaskName& name, const Event& event);
    void carry_out(Orders orders);
    void follow(const order::Perform& perform);
    void follow(const order::InspectFound& inspect);
    void follow(const order::RemoveStray& remove);
    void follow(const order::TellInventory&);
    void follow(const order::Note& note);
    void perform(const TaskName& name, const action::EnsureImage&);
    void perform(const TaskName& name, const action::AbandonImage&);
    void perform(const TaskName& name, const action::Create& create);
    void perform(const TaskName& name, const action::Start& start);
    void perform(const TaskName& name, const action::Inspect& inspect);
    void perform(const TaskName& name, const action::Stop& stop);
    void perform(const TaskName& name, const action::ForceKill& kill);
    void perform(const TaskName& name, const action::Remove& remove);
    void perform(const TaskName& name, const action::ProveDocker&);
    void perform(const TaskName& name, const action::Report& report);
    void perform(const TaskName& name, const action::Forget&);

    void ensure_image(const TaskName& name, const std::string& docker_config);
    void check_health(const TaskStatus& status);

    [[nodiscard]] awaitable<> run_call(TaskName name, awaitable<Event> call);
    [[nodiscard]] awaitable<> run_limited(TaskName name, Semaphore& lane, awaitable<Event> call);
    [[nodiscard]] awaitable<>
    run_create(TaskName name, docker::ContainerConfig config, std::string container_name);
    [[nodiscard]] awaitable<> run_start(TaskName name, std::string container);
    [[nodiscard]] awaitable<> run_remove_stray(std::string container);
    [[nodiscard]] awaitable<> run_inspect_found(std::string container);
    [[nodiscard]] awaitable<> run_pump();
    [[nodiscard]] std::optional<MonoTime> turn(const Now& now);

    docker::Engine& engine_;
    ImagePuller& images_;
    Fetcher& files_;
    RunnerOptions options_;
    RunnerHandlers handlers_;
    SystemClock clock_;
    StopWitness witness_;
    ContainerCalls calls_;
    HostPaths host_paths_;
    DockerWatch watch_;
    TaskBook book_;
    ProcessWatch processes_;
    HealthChecker health_;
    DockerState docker_;
    std::deque<Order> orders_;
    bool carrying_out_ = false;
    std::set<std::string> strays_; ///< containers that are being removed for nobody
    Semaphore starts_;
    Semaphore inspects_;
    Semaphore
        creates_; ///< apart: a create may take a minute, and inspects are what tells the truth
    Semaphore removes_;
    Signal pump_;
    TaskGroup lasting_; ///< what runs from start() to stop()
    TaskGroup group_;   ///< last: its children use all of the above
};

} // namespace methos::executor
