// What frameworks ask about tasks: KILL of one, RECONCILE of some or all.
#include "master/frameworks/external/external.hpp"
#include "master/frameworks/external/publish.hpp"

#include <algorithm>

namespace methos::external {

namespace {

constexpr std::size_t answers_per_turn = 500;

} // namespace

void External::kill(ForeignFramework& framework, const Kill& call, cluster::Step& step) {
    if (framework.to_launch.contains(call.task_id)) {
        cancel_launch(framework, call, step);
        return;
    }
    const auto found = framework.tasks.find(call.task_id);
    const auto* task =
        found == framework.tasks.end() ? nullptr : cluster_.find_task(found->second.number);
    if (task != nullptr) {
        const bool unreachable = task->unreachable;
        cluster_.kill(
            task->number, call.grace.value_or(task->kill_grace), Reason::KilledByRequest, step);
        if (!unreachable) {
            return;
        }
    }
    // Not to be killed, or not now: the framework is told how it stands, as Mesos does.
    tell_state(framework, {call.task_id, call.agent_id}, step);
}

void External::cancel_launch(ForeignFramework& framework, const Kill& call, cluster::Step& step) {
    for (auto& launching : launching_) {
        if (launching.framework != framework.info.id) {
            continue;
        }
        const auto waiting = std::find_if(
            launching.tasks.begin(), launching.tasks.end(), [&](const TaskRequest& request) {
                return request.task_id == call.task_id;
            });
        if (waiting != launching.tasks.end()) {
            tell_not_launched(framework,
                              *waiting,
                              TaskState::Killed,
                              "REASON_TASK_KILLED_DURING_LAUNCH",
                              "Task killed before it was launched",
                              step);
            launching.tasks.erase(waiting);
            framework.to_launch.erase(framework.to_launch.find(call.task_id));
            return;
        }
    }
}

void External::reconcile(ForeignFramework& framework, const Reconcile& call, cluster::Step& step) {
    if (questions_asked_ + call.tasks.size() > limits_.questions_max) {
        step.warn("framework " + label_of(framework) +
                  " asks for more tasks than can be answered; it has to ask again");
        return; // at most once is all that Mesos promises of an answer
    }
    // Asking for everything again, before the answer, gets one answer.
    const bool all = call.tasks.empty();
    const bool asked_already =
        all && std::any_of(questions_.begin(), questions_.end(), [&](const Question& question) {
            return question.all && question.stream == framework.stream && question.after.empty();
        });
    if (asked_already) {
        return;
    }
    Question question;
    question.framework = framework.info.id;
    question.stream = framework.stream;
    question.all = all;
    question.asked = {call.tasks.begin(), call.tasks.end()};
    questions_asked_ += question.asked.size();
    questions_.push_back(std::move(question));
    step.more = true;
}

void External::reconcile_operations(const ForeignFramework& framework,
                                    const ReconcileOperations& call,
                                    cluster::Step& step) {
    for (const auto& id : call.operation_ids) {
        publish(framework,
                OperationStatus{id, "OPERATION_UNKNOWN", "Methos keeps no operations"},
                step);
    }
}

void External::answer_questions(cluster::Step& step) {
    std::size_t room = answers_per_turn;
    while (!questions_.empty() && room > 0) {
        auto& question = questions_.front();
        const auto found = frameworks_.find(question.framework);
        const bool listens = found != frameworks_.end() && found->second.subscribed() &&
                             found->second.stream == question.stream;
        if (listens && question.all) {
            answer_all(question, found->second, room, step);
        }
        while (listens && !question.asked.empty() && room > 0) {
            tell_state(found->second, question.asked.front(), step);
            question.asked.pop_front();
            --questions_asked_;
            --room;
        }
        if (!listens || room > 0) {
            questions_asked_ -= question.asked.size();
            questions_.pop_front();
        }
    }
    step.more = step.more || !questions_.empty();
}

void External::answer_all(Question& question,
                          const ForeignFramework& framework,
                          std::size_t& room,
                          cluster::Step& step) const {
    auto next = framework.tasks.upper_bound(question.after);
    for (; next != framework.tasks.end() && room > 0; ++next, --room) {
        tell_state(framework, {next->first, HostId()}, step);
        question.after = next->first;
    }
}

void External::tell_state(const ForeignFramework& framework,
                          const Reconcile::Asked& asked,
                          cluster::Step& step) const {
    Update update;
    const auto found = framework.tasks.find(asked.task_id);
    if (framework.to_launch.contains(asked.task_id)) {
        update.state = TaskState::Staging;
        update.agent_id = asked.agent_id;
    } else if (found != framework.tasks.end()) {
        const auto* task = cluster_.find_task(found->second.number);
        update =
            task == nullptr ? found->second.latest : update_of(framework, found->second, *task);
        update.uuid.clear();
    } else if (const auto state = state_of_unknown(asked.agent_id)) {
        update.state = *state;
        update.agent_id = asked.agent_id;
        update.message = "Reconciliation: Task is unknown";
        if (update.state == TaskState::Unreachable) {
            update.unreachable_since = cluster_.find_host(asked.agent_id)->lost_at;
        }
    } else {
        return; // its agent has yet to tell what it has: no answer is better than a wrong one
    }
    update.task_id = asked.task_id;
    update.source = StatusSource::Master;
    update.reason = mesos_reason(Reason::Reconciliation);
    update.time = step.now.wall;
    publish(framework, std::move(update), step);
}

std::optional<TaskState> External::state_of_unknown(const HostId& agent) const {
    const auto* host = cluster_.find_host(agent);
    if (host == nullptr) {
        return TaskState::Unknown;
    }
    if (host->duty == cluster::Duty::Gone) {
        return TaskState::GoneByOperator;
    }
    if (host->state == cluster::HostState::Lost) {
        return TaskState::Unreachable;
    }
    return host->inventoried ? std::optional(TaskState::Gone) : std::nullopt;
}

} // namespace methos::external
