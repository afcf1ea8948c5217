#include "tests/simulation/settled.hpp"

#include "executor/tasks/labels.hpp"

#include <map>
#include <set>

namespace methos::simulation {

namespace {

/// A task as the hosts show it.
struct Seen {
    std::string name;
    std::string framework;
    std::string app; ///< empty: a foreign framework's
    std::string spec_hash;
};

std::string label_of(const test::DockerModel::Container& container, const char* label) {
    const auto found = container.state.labels.find(label);
    return found == container.state.labels.end() ? "" : found->second;
}

std::vector<Seen> running(const Outcome& outcome) {
    std::vector<Seen> tasks;
    for (std::size_t i = 0; i < outcome.hosts.size(); ++i) {
        if (outcome.lost_host == i) {
            continue;
        }
        for (const auto& [id, container] : outcome.hosts[i]->docker().model().containers()) {
            if (container.is_running()) {
                tasks.push_back({label_of(container, executor::label::task),
                                 label_of(container, executor::label::framework),
                                 label_of(container, executor::label::app),
                                 label_of(container, executor::label::spec_hash)});
            }
        }
    }
    return tasks;
}

std::size_t wanted_instances(const People& people) {
    std::size_t wanted = 0;
    for (const auto& [id, app] : people.apps()) {
        wanted += app.deleted ? 0U : static_cast<std::size_t>(app.instances);
    }
    return wanted;
}

std::size_t wanted_tasks(const Outcome& outcome) {
    auto wanted = wanted_instances(outcome.people);
    for (const auto& scheduler : outcome.schedulers) {
        wanted += scheduler->wanted();
    }
    return wanted;
}

std::string unsettled_requests(const Outcome& outcome) {
    if (outcome.master.refusing()) {
        return "the master refuses changes";
    }
    for (const auto& [id, wanted] : outcome.people.apps()) {
        if (wanted.answered != wanted.revision) {
            return id + " is not as its owner asked: no answer";
        }
    }
    return "";
}

std::string unsettled_apps(const Outcome& outcome, const std::vector<Seen>& tasks) {
    const auto& services = outcome.master.heart().services();
    for (const auto& [id, wanted] : outcome.people.apps()) {
        const auto* app = services.find(AppId(id));
        if (wanted.deleted) {
            if (services.apps().contains(AppId(id))) {
                return id + " was deleted and is there";
            }
            continue;
        }
        if (app == nullptr) {
            return id + " is forgotten";
        }
        const auto spec = outcome.master.heart().cluster().find_spec(app->spec);
        int instances = 0;
        for (const auto& task : tasks) {
            instances += task.app == id && task.spec_hash == spec->hash ? 1 : 0;
        }
        if (instances != wanted.instances) {
            return id + " has " + std::to_string(instances) + " of " +
                   std::to_string(wanted.instances) + " instances";
        }
        if (!app->deployment.empty()) {
            return "the deployment of " + id + " is open";
        }
    }
    const auto wanted = wanted_tasks(outcome);
    return tasks.size() == wanted ? ""
                                  : std::to_string(tasks.size()) + " containers run, " +
                                        std::to_string(wanted) + " are wanted";
}

/// Each foreign framework believes what is true, and its containers are its tasks.
std::string unsettled_frameworks(const Outcome& outcome, const std::vector<Seen>& tasks) {
    for (const auto& scheduler : outcome.schedulers) {
        if (const auto wrong = scheduler->unsettled(); !wrong.empty()) {
            return wrong;
        }
    }
    const auto& heart = outcome.master.heart();
    for (const auto& seen : tasks) {
        const auto* task = heart.cluster().find_task(TaskName(seen.name));
        if (task == nullptr || task->framework != seen.framework ||
            task->state() != TaskState::Running) {
            return seen.name + " runs and is not known as running";
        }
    }
    return "";
}

/// What executors believe: nothing but what runs, and ended ones whose container is kept.
std::string unsettled_books(const Outcome& outcome) {
    for (std::size_t i = 0; i < outcome.hosts.size(); ++i) {
        const auto* book = outcome.hosts[i]->book();
        if (outcome.lost_host == i || book == nullptr) {
            continue;
        }
        for (const auto& status : book->inventory()) {
            const bool runs = outcome.hosts[i]->docker().runs(status.name.value);
            const bool says_so = status.state == TaskState::Running;
            if (runs != says_so || (!runs && !is_terminal(status.state))) {
                return "the executor of " + outcome.hosts[i]->info().hostname + " takes " +
                       status.name.value + " for " + std::string(to_string(status.state));
            }
        }
    }
    return "";
}

/// What an app was is known as far as anything of it is left, and no further than is allowed.
std::string unsettled_versions(const Outcome& outcome) {
    constexpr std::size_t versions_max = 50;
    const auto& heart = outcome.master.heart();
    std::size_t past = 0;
    for (const auto& [id, app] : heart.services().apps()) {
        const auto versions = heart.services().versions_of(app);
        past += versions.size() - 1;
        if (versions.size() > versions_max) {
            return id.value + " has " + std::to_string(versions.size()) + " versions";
        }
        for (const auto number : app.tasks) {
            const auto* task = heart.cluster().find_task(number);
            WallTime version;
            // What is still to be ended may be of an earlier app of that name.
            const bool known =
                task->kill_wanted ||
                (parse_wall_time(heart.cluster().find_spec(task->spec)->version, version) &&
                 heart.services().find_version(app, version));
            if (!known) {
                return "the version of " + task->name.value + " is forgotten";
            }
        }
    }
    std::size_t stored = 0;
    for (const auto& [place, value] : outcome.master.records()) {
        stored += place.first == state::Table::AppVersion ? 1U : 0U;
    }
    return stored == past ? ""
                          : std::to_string(stored) + " past versions are stored, " +
                                std::to_string(past) + " are known";
}

std::string unsettled_records(const Outcome& outcome) {
    const auto& heart = outcome.master.heart();
    std::set<SpecNumber> specs;
    std::size_t away = 0; // on the host that is gone for good
    for (const auto& [number, task] : heart.cluster().tasks()) {
        const auto& host = heart.cluster().find_host(task.host)->info.id;
        if (outcome.lost_host && host == outcome.hosts[*outcome.lost_host]->info().id) {
            ++away;
        }
        specs.insert(task.spec);
    }
    for (const auto& [id, app] : heart.services().apps()) {
        specs.insert(app.spec);
    }
    std::size_t apps = 0;
    for (const auto& [id, wanted] : outcome.people.apps()) {
        apps += wanted.deleted ? 0U : 1U;
    }
    std::map<state::Table, std::size_t> counts;
    for (const auto& [place, value] : outcome.master.records()) {
        ++counts[place.first];
    }
    const auto compare = [&counts](state::Table table, std::size_t wanted, const char* what) {
        const auto left = counts[table];
        return left == wanted ? std::string()
                              : std::to_string(left) + " records of " + what + " are left, " +
                                    std::to_string(wanted) + " are wanted";
    };
    auto wrong = compare(state::Table::App, apps, "apps");
    if (wrong.empty()) {
        wrong = compare(state::Table::Task, wanted_tasks(outcome) + away, "tasks");
    }
    return wrong.empty() ? compare(state::Table::Spec, specs.size(), "specs") : wrong;
}

} // namespace

std::string unsettled(const Outcome& outcome) {
    auto wrong = unsettled_requests(outcome);
    if (wrong.empty()) {
        wrong = outcome.operators.unsettled();
    }
    const auto tasks = running(outcome);
    if (wrong.empty()) {
        wrong = unsettled_frameworks(outcome, tasks);
    }
    if (wrong.empty()) {
        wrong = unsettled_apps(outcome, tasks);
    }
    if (wrong.empty()) {
        wrong = unsettled_books(outcome);
    }
    if (wrong.empty()) {
        wrong = unsettled_versions(outcome);
    }
    return wrong.empty() ? unsettled_records(outcome) : wrong;
}

} // namespace methos::simulation
