// Measures the pure heart, without sockets or disk: allocation cycles on the pattern of Mesos's
// DeclineOffers benchmark (every host offered, every offer declined for ever, so that filters
// fill), placement of an app's instances, what a task takes in memory, and steps: status updates
// with the records that they make. Prints one JSON object.
//
// `heart_bench cycle HOSTS FRAMEWORKS ROUNDS`, `place HOSTS TASKS`, `steps HOSTS TASKS`.
#include "core/base/units.hpp"
#include "master/frameworks/services/definition/app_parse.hpp"
#include "master/heart/heart.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <vector>

using namespace methos;

namespace {

/// What this thread has worked: others on the machine do not count.
struct Clock {
    using time_point = std::chrono::nanoseconds;

    static time_point now() {
        timespec time{};
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
    }
};

double ms_since(Clock::time_point from) {
    return std::chrono::duration<double, std::milli>(Clock::now() - from).count();
}

/// For what takes a microsecond: looking at the other clock takes as long.
using Wall = std::chrono::steady_clock;

double wall_ms_since(Wall::time_point from) {
    return std::chrono::duration<double, std::milli>(Wall::now() - from).count();
}

/// Holds what it is offered until the round is over.
class Holder final : public cluster::Framework {
  public:
    explicit Holder(std::string name) : name_(std::move(name)) {}

    [[nodiscard]] const std::string& name() const override { return name_; }

    void launched(const cluster::Task& /*task*/, cluster::Step& /*step*/) override {}

    void task_changed(const cluster::Task& /*task*/,
                      TaskState /*before*/,
                      cluster::Step& /*step*/) override {}

    void offers_made(const std::vector<const cluster::Offer*>& made,
                     cluster::Step& /*step*/) override {
        for (const auto* offer : made) {
            held.push_back(offer->number);
        }
    }

    std::vector<OfferNumber> held;

  private:
    std::string name_;
};

/// A heart with hosts that have joined; time stands still.
struct World {
    explicit World(std::size_t hosts) : heart(heart::Options()) {
        heart.loaded();
        cluster::Step begin(now);
        heart.begin(begin, "bench");
        for (std::size_t i = 1; i <= hosts; ++i) {
            HostInfo info;
            info.id = HostId("host-" + std::to_string(i));
            info.hostname = "host" + std::to_string(i);
            info.address = "10.0.0.1";
            info.docker_up = true;
            info.resources.scalars = {24'000, 128'000 * bytes_per_mb, 1'000'000 * bytes_per_mb, 0};
            // As Mesos's benchmark has it: the ports in 16 pieces.
            for (unsigned piece = 0; piece < 16; ++piece) {
                const auto first = static_cast<std::uint16_t>(31000 + piece * 60);
                info.resources.ports.insert(
                    PortRange{first, static_cast<std::uint16_t>(first + 49)});
            }
            cluster::Step step(now);
            heart.cluster().host_joined(SessionNumber(i), info, "key", step);
            (void)heart.cluster().inventory(SessionNumber(i), {}, true, step);
        }
    }

    heart::Heart heart;
    Now now{MonoTime(std::chrono::hours(1)), WallTime(std::chrono::hours(24 * 365 * 50))};
};

struct Cycle {
    double ms = 0;
    double longest_slice_ms = 0;
    std::size_t slices = 0;
};

Cycle run_cycle(World& world) {
    Cycle cycle;
    const auto began = Clock::now();
    for (bool more = true; more;) {
        cluster::Step step(world.now);
        const auto slice = Clock::now();
        world.heart.cluster().allocate(step);
        cycle.longest_slice_ms = std::max(cycle.longest_slice_ms, ms_since(slice));
        ++cycle.slices;
        more = step.more;
    }
    cycle.ms = ms_since(began);
    return cycle;
}

int measure_cycle(std::size_t hosts, std::size_t frameworks, std::size_t rounds) {
    World world(hosts);
    std::vector<std::unique_ptr<Holder>> holders;
    for (std::size_t i = 0; i < frameworks; ++i) {
        holders.push_back(std::make_unique<Holder>("framework-" + std::to_string(i)));
        cluster::FrameworkTerms terms;
        terms.classic = true;
        world.heart.cluster().add_framework(*holders.back(), terms);
    }
    std::vector<double> times;
    double longest_slice = 0;
    double declining = 0;
    std::size_t offers = 0;
    for (std::size_t round = 0; round < rounds; ++round) {
        const auto cycle = run_cycle(world);
        times.push_back(cycle.ms);
        longest_slice = std::max(longest_slice, cycle.longest_slice_ms);
        const auto began = Clock::now();
        for (auto& holder : holders) {
            cluster::Step step(world.now);
            offers += holder->held.size();
            for (const auto offer : holder->held) {
                (void)world.heart.cluster().decline(
                    holder->name(), offer, std::chrono::hours(24 * 365), step);
            }
            holder->held.clear();
        }
        declining += ms_since(began);
        world.now.mono += std::chrono::milliseconds(100);
    }
    std::sort(times.begin(), times.end());
    std::printf("{\"hosts\": %zu, \"frameworks\": %zu, \"rounds\": %zu, \"offers\": %zu, "
                "\"median_ms\": %.2f, \"worst_ms\": %.2f, \"longest_slice_ms\": %.2f, "
                "\"decline_all_ms\": %.2f}\n",
                hosts,
                frameworks,
                rounds,
                offers,
                times[times.size() / 2],
                times.back(),
                longest_slice,
                declining / static_cast<double>(rounds));
    return 0;
}

/// RssAnon of this process in MB.
double memory_mb() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.rfind("RssAnon:", 0) == 0) {
            return std::stod(line.substr(std::strlen("RssAnon:"))) / 1024;
        }
    }
    return 0;
}

struct Placement {
    double ms = 0;
    double longest_step_ms = 0;
    std::size_t steps = 0;
};

/// One app of so many instances, and decisions until all are placed. False when it is refused.
bool place(World& world, std::size_t tasks, Placement& placement) {
    auto app = services::parse_app(
        R"({"id":"/many","cpus":0.01,"mem":1,"cmd":"sleep 1000","instances":)" +
        std::to_string(tasks) + R"(,"container":{"type":"DOCKER","docker":{"image":"busybox"}}})");
    if (!app) {
        std::fprintf(stderr, "heart_bench: %s\n", app.error().body_json.c_str());
        return false;
    }
    cluster::Step put(world.now);
    (void)world.heart.services().put(
        *app, services::Services::Existing::Refuse, RequestId("bench"), put);
    const auto began = Clock::now();
    for (bool more = true; more; ++placement.steps) {
        cluster::Step step(world.now);
        const auto turn = Clock::now();
        world.heart.decide(step);
        placement.longest_step_ms = std::max(placement.longest_step_ms, ms_since(turn));
        more = step.more;
    }
    placement.ms = ms_since(began);
    return true;
}

int measure_placement(std::size_t hosts, std::size_t tasks) {
    World world(hosts);
    const auto empty_mb = memory_mb();
    Placement placement;
    if (!place(world, tasks, placement)) {
        return 1;
    }
    const auto placed = world.heart.cluster().tasks().size();
    const auto each = static_cast<double>(std::max<std::size_t>(placed, 1));
    std::printf("{\"hosts\": %zu, \"tasks\": %zu, \"placed\": %zu, \"ms\": %.1f, \"steps\": %zu, "
                "\"longest_step_ms\": %.2f, \"us_per_task\": %.2f, \"mb_per_100k_tasks\": %.1f}\n",
                hosts,
                tasks,
                placed,
                placement.ms,
                placement.steps,
                placement.longest_step_ms,
                placement.ms * 1000 / each,
                (memory_mb() - empty_mb) * 100'000 / each);
    return 0;
}

/// Every task becomes STARTING, then RUNNING: one status a step, and the heart's own decision after
/// as many steps as a group commit has under load.
int measure_steps(std::size_t hosts, std::size_t tasks) {
    constexpr std::size_t steps_per_commit = 100;
    World world(hosts);
    Placement placement;
    if (!place(world, tasks, placement)) {
        return 1;
    }
    std::vector<std::pair<SessionNumber, TaskStatus>> updates;
    for (const auto& [number, task] : world.heart.cluster().tasks()) {
        TaskStatus status;
        status.number = number;
        status.name = task.name;
        status.container_id = std::string(64, 'c');
        const auto& host = world.heart.cluster().hosts().at(task.host);
        updates.emplace_back(host.session, std::move(status));
    }
    double longest = 0;
    std::size_t steps = 0;
    std::size_t bytes = 0;
    const auto began = Wall::now();
    for (const auto state : {TaskState::Starting, TaskState::Running}) {
        for (auto& [session, status] : updates) {
            const auto turn = Wall::now();
            status.state = state;
            status.stamp = ++steps;
            cluster::Step step(world.now);
            (void)world.heart.cluster().statuses(session, std::span(&status, 1), step);
            for (const auto& change : step.changes) {
                bytes += change.value ? change.value->size() : 0;
            }
            if (steps % steps_per_commit == 0) {
                cluster::Step decision(world.now);
                world.heart.decide(decision);
            }
            longest = std::max(longest, wall_ms_since(turn));
        }
    }
    const auto ms = wall_ms_since(began);
    std::printf("{\"hosts\": %zu, \"tasks\": %zu, \"steps\": %zu, \"ms\": %.1f, "
                "\"steps_per_s\": %.0f, \"longest_step_ms\": %.2f, \"record_bytes\": %zu}\n",
                hosts,
                updates.size(),
                steps,
                ms,
                static_cast<double>(steps) * 1000 / ms,
                longest,
                bytes);
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    const auto number = [&words](std::size_t index) {
        const auto value = parse_int(index < words.size() ? words[index] : "", 1, 10'000'000);
        return value ? static_cast<std::size_t>(*value) : std::size_t{0};
    };
    if (words.size() == 4 && words[0] == "cycle" && number(1) > 0 && number(2) > 0 &&
        number(3) > 0) {
        return measure_cycle(number(1), number(2), number(3));
    }
    if (words.size() == 3 && words[0] == "place" && number(1) > 0 && number(2) > 0) {
        return measure_placement(number(1), number(2));
    }
    if (words.size() == 3 && words[0] == "steps" && number(1) > 0 && number(2) > 0) {
        return measure_steps(number(1), number(2));
    }
    std::fprintf(stderr,
                 "usage: heart_bench cycle HOSTS FRAMEWORKS ROUNDS | place HOSTS TASKS | steps "
                 "HOSTS TASKS\n");
    return 2;
}
