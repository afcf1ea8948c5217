// What is loaded, which call goes where, and what a decision does in which order.
#include "master/frameworks/external/external.hpp"

#include "master/frameworks/external/framework_seat.hpp"
#include "master/frameworks/external/publish.hpp"
#include "master/frameworks/external/stored.hpp"

#include <algorithm>

namespace methos::external {

External::External(cluster::Cluster& cluster, Limits limits, std::string default_image)
    : cluster_(cluster), limits_(limits), default_image_(std::move(default_image)) {}

External::~External() = default;

void External::load_framework(std::uint64_t key, const std::string& bytes) {
    auto framework = load_stored_framework(key, bytes);
    next_framework_key_ = std::max(next_framework_key_, key + 1);
    const auto id = framework.info.id;
    frameworks_.insert_or_assign(id, std::move(framework));
}

void External::load_update(std::uint64_t key, const std::string& bytes) {
    next_update_key_ = std::max(next_update_key_, key + 1);
    auto loaded = load_stored_update(key, bytes);
    if (auto* update = std::get_if<LoadedUpdate>(&loaded)) {
        const auto place = task_by_key_.find(update->task_key);
        if (place == task_by_key_.end()) {
            throw Failure(Code::Internal,
                          "status update " + std::to_string(key) + " is stored without its task");
        }
        auto& [framework, id] = place->second;
        auto& task = framework->tasks.at(id);
        update->pending.update.task_id = id;
        update->pending.update.agent_id = task.latest.agent_id;
        task.latest = update->pending.update;
        task.pending.push_back(std::move(update->pending));
        ++framework->unacknowledged;
        return;
    }
    if (auto* resting = std::get_if<RestingName>(&loaded)) {
        names_.lay_to_rest(std::move(*resting));
        return;
    }
    auto& [framework_key, task] = std::get<LoadedTask>(loaded);
    names_.take(task.name);
    for (auto& [id, framework] : frameworks_) {
        if (framework.key == framework_key) {
            task_by_key_.emplace(key, std::pair(&framework, task.id));
            framework.tasks.insert_or_assign(task.id, std::move(task));
            return;
        }
    }
    throw Failure(Code::Internal,
                  "task " + task.id + " is stored without its framework; restore a snapshot");
}

namespace {

void remember_spec(ForeignFramework& framework, const TaskSpec& spec) {
    const auto [first, last] = framework.spec_by_hash.equal_range(spec.hash);
    const bool known = std::any_of(
        first, last, [&spec](const auto& entry) { return entry.second == spec.number; });
    if (!known) {
        framework.spec_by_hash.emplace(spec.hash, spec.number);
    }
}

} // namespace

void External::loaded() {
    for (auto& [id, framework] : frameworks_) {
        if (framework.state != FrameworkState::Completed) {
            seat_at_table(framework);
            loaded_.push_back(id);
        }
        for (auto& [task_id, mine] : framework.tasks) {
            const auto* task = cluster_.find_task(mine.number);
            if (task == nullptr) {
                mine.number = TaskNumber();
                continue;
            }
            framework.ids.emplace(mine.number, task_id);
            mine.latest = update_of(framework, mine, *task);
        }
    }
    for (const auto& [number, task] : cluster_.tasks()) {
        const auto found = frameworks_.find(FrameworkId(task.framework));
        if (found != frameworks_.end()) {
            remember_spec(found->second, *cluster_.find_spec(task.spec));
        } else if (!cluster_.has_framework(task.framework)) {
            orphans_.push_back(number);
        }
    }
}

void External::adopt_streams(const External& discarded) {
    next_stream_ = discarded.next_stream_;
    orphaned_streams_ = discarded.orphaned_streams_;
    for (const auto& [stream, id] : discarded.by_stream_) {
        orphaned_streams_.push_back(stream);
    }
}

std::optional<Refusal> External::call(const Call& call, StreamNumber stream, cluster::Step& step) {
    const auto found = frameworks_.find(call.framework);
    if (found == frameworks_.end() || found->second.over_for_good()) {
        return Refusal{400, "Framework cannot be found"};
    }
    auto& framework = found->second;
    if (!framework.subscribed()) {
        return Refusal{403, "Framework is not subscribed"};
    }
    if (stream != framework.stream) {
        return Refusal{400,
                       "The stream ID included in this request didn't match the stream ID "
                       "currently associated with framework ID '" +
                           call.framework.value + "'"};
    }
    if (const auto* update = std::get_if<UpdateFramework>(&call.body)) {
        return update_framework(framework, *update, step);
    }
    do_call(framework, call.body, step);
    return std::nullopt;
}

void External::do_call(ForeignFramework& framework, const CallBody& body, cluster::Step& step) {
    if (const auto* accepted = std::get_if<Accept>(&body)) {
        accept(framework, *accepted, step);
    } else if (const auto* declined = std::get_if<Decline>(&body)) {
        decline(framework, *declined, step);
    } else if (const auto* acknowledged = std::get_if<Acknowledge>(&body)) {
        acknowledge(framework, *acknowledged, step);
    } else if (const auto* killed = std::get_if<Kill>(&body)) {
        kill(framework, *killed, step);
    } else if (const auto* asked = std::get_if<Reconcile>(&body)) {
        reconcile(framework, *asked, step);
    } else if (const auto* asked_operations = std::get_if<ReconcileOperations>(&body)) {
        reconcile_operations(framework, *asked_operations, step);
    } else if (const auto* revived = std::get_if<Revive>(&body)) {
        revive(framework, *revived, step);
    } else if (const auto* suppressed = std::get_if<Suppress>(&body)) {
        suppress(framework, *suppressed, step);
    } else if (std::holds_alternative<Teardown>(body)) {
        end(framework, "it tore itself down", step);
    } else if (const auto* message = std::get_if<ToExecutor>(&body)) {
        step.note("framework " + label_of(framework) + " sent a message to its executor " +
                  message->executor_id + ": dropped, Methos runs no executors of frameworks");
    } else if (const auto* ignored = std::get_if<Ignored>(&body)) {
        step.note("framework " + label_of(framework) + " called " + ignored->type +
                  ", which means nothing here");
    }
}

void External::decide(cluster::Step& step) {
    for (const auto stream : std::exchange(orphaned_streams_, {})) {
        step.publications.push_back(std::make_shared<Event>(
            stream, ErrorEvent{"The master had to read its state anew; subscribe again"}));
    }
    for (const auto& id : std::exchange(loaded_, {})) {
        auto& framework = frameworks_.at(id);
        if (framework.state == FrameworkState::Ending) {
            ending_.insert(id);
        } else if (framework.state == FrameworkState::Disconnected) {
            const auto within =
                std::max(framework.info.failover_timeout, limits_.return_after_restart);
            expect_back(framework, within, step.now);
        }
    }
    end_orphans(step);
    end_the_absent(step);
    go_on_ending(step);
    go_on_launching(step);
    answer_questions(step);
    repeat_updates(step);
    free_rested_names(step);
}

void External::end_orphans(cluster::Step& step) {
    while (!orphans_.empty()) {
        if (!step.has_room()) {
            step.more = true;
            return;
        }
        if (const auto* task = cluster_.find_task(orphans_.back()); task != nullptr) {
            step.warn("task " + task->name.value + " is of a framework that is not known (" +
                      task->framework + "): it is killed");
            cluster_.kill(task->number, task->kill_grace, Reason::KilledByRequest, step);
        }
        orphans_.pop_back();
    }
}

const ForeignFramework* External::find(const FrameworkId& id) const {
    const auto found = frameworks_.find(id);
    return found == frameworks_.end() ? nullptr : &found->second;
}

const ForeignTask* External::find_task(const cluster::Task& task) const {
    const auto* framework = find(FrameworkId(task.framework));
    if (framework == nullptr) {
        return nullptr;
    }
    const auto id = framework->ids.find(task.number);
    return id == framework->ids.end() ? nullptr : &framework->tasks.at(id->second);
}

} // namespace methos::external
