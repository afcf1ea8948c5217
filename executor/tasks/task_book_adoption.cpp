// How containers that an earlier executor left become tasks again: each is inspected, the best of
// those of one task is taken, and only then is an inventory the truth.
#include "executor/tasks/task_book.hpp"

#include <algorithm>
#include <tuple>

namespace methos::executor {

namespace {

constexpr Duration adopt_retry = std::chrono::milliseconds(500);
constexpr int adopt_tries_max = 6; // then the list's row must do

} // namespace

void TaskBook::adopt(const ContainerFacts& row, Orders& orders) {
    if (adoptions_.try_emplace(row.id, Adoption{row, 1, std::nullopt}).second) {
        orders.emplace_back(order::InspectFound{row.id});
    }
}

Orders TaskBook::inspected(const std::string& container_id, const Event& answer, const Now& now) {
    Orders orders;
    const auto found = adoptions_.find(container_id);
    if (found == adoptions_.end()) {
        return orders;
    }
    // An inventory without this container would be a lie, so there is no giving it up; and one
    // container that Docker cannot inspect (its files are damaged) must not keep the inventory of
    // all others back, so in the end what the list said of it must do.
    auto& adoption = found->second;
    const bool failed = std::holds_alternative<event::InspectFailed>(answer);
    if (failed && docker_up_ && adoption.tries < adopt_tries_max) {
        adoption.again_at = now.mono + adopt_retry;
        return orders;
    }
    auto task = adoption.row.task;
    if (const auto* seen = std::get_if<event::Seen>(&answer)) {
        adoption.row = seen->facts;
        task = seen->facts.task;
        adoption.known = true;
    } else if (failed && docker_up_) {
        orders.emplace_back(
            order::Note{true,
                        "Docker lists a container but cannot inspect it; going by the list",
                        TaskName(task),
                        container_id});
        adoption.known = true;
        adoption.by_list = true;
    } else {
        adoptions_.erase(found);
    }
    adopt_best(task, now, orders);
    adoption_ended(now, orders);
    return orders;
}

/// Of several containers of one task the one that runs, then the newest; when all are known. The
/// next list has the others removed.
void TaskBook::adopt_best(const std::string& task, const Now& now, Orders& orders) {
    const Adoption* best = nullptr;
    const auto rank_of = [](const Adoption& adoption) {
        const auto& row = adoption.row;
        return std::tuple(has_process(row.status), row.attempt, row.started_at);
    };
    for (const auto& [id, adoption] : adoptions_) {
        if (adoption.row.task != task) {
            continue;
        }
        if (!adoption.known) {
            return;
        }
        if (best == nullptr || rank_of(*best) < rank_of(adoption)) {
            best = &adoption;
        }
    }
    if (best == nullptr) {
        return;
    }
    const auto chosen = *best;
    std::erase_if(adoptions_, [&task](const auto& entry) { return entry.second.row.task == task; });
    adopt_as(chosen.row, now, orders);
    if (chosen.by_list && has_process(chosen.row.status)) {
        // The list does not say where to ask for its health.
        step(TaskName(task), event::Hint(), now, orders);
    }
}

void TaskBook::adopt_as(const ContainerFacts& facts, const Now& now, Orders& orders) {
    const TaskName name(facts.task);
    if (tasks_.contains(name)) {
        return;
    }
    TaskIdentity identity;
    identity.name = name;
    identity.app = facts.app;
    identity.host = facts.host;
    identity.spec_hash = facts.spec_hash;
    identity.attempt = facts.attempt;
    identity.kill_grace = facts.kill_grace.value_or(identity.kill_grace);
    orders.emplace_back(order::Note{false, "found a task's container again", name, facts.id});
    Task task{Lifecycle::adopted(std::move(identity)), nullptr, TaskLaunch(), ""};
    tasks_.emplace(name, std::move(task));
    step(name, event::Seen{facts}, now, orders);
}

void TaskBook::adoption_ended(const Now& now, Orders& orders) {
    if (!adoptions_.empty() || !docker_up_) {
        return;
    }
    listed_ = true;
    const auto kills = std::exchange(pending_kills_, {});
    for (const auto& [name, pending] : kills) {
        auto more = kill(pending.number, name, pending.grace, now);
        std::move(more.begin(), more.end(), std::back_inserter(orders));
    }
    orders.emplace_back(order::TellInventory());
}

} // namespace methos::executor
