// What a task's container is known to be: what inspect says of it and, where inspect fails for
// good, what a list says; and when to look again. Takes in facts, decides nothing.
#include "executor/tasks/lifecycle.hpp"

#include <utility>

namespace methos::executor {

namespace {

using namespace std::chrono_literals;

constexpr Duration list_age_max = 15s; // a list's answer takes 10 s at most

} // namespace

void Lifecycle::on(const event::Seen& seen, const Now&) {
    if (answers(Call::Inspect)) {
        take_present(seen.facts);
    }
}

void Lifecycle::take_present(const ContainerFacts& facts) {
    blind_since_.reset();
    listed_.reset();
    if (!remove_wanted_ && !pending_end_) {
        failures_ = 0;
    }
    phantoms_ = 0;
    create_settles_.reset();
    knowledge_ = Knowledge::Present;
    facts_ = facts;
    look_again_if_hinted();
}

void Lifecycle::on(const event::Missing&, const Now& now) {
    if (answers(Call::Inspect)) {
        take_absent(now);
    }
}

void Lifecycle::take_absent(const Now& now) {
    blind_since_.reset();
    listed_.reset();
    knowledge_ = Knowledge::Absent;
    facts_.id.clear();
    if (std::exchange(resolve_conflict_, false)) { // 409, but nobody has the name
        ++phantoms_;
        retry_later(now);
    }
}

void Lifecycle::on(const event::InspectFailed&, const Now& now) {
    if (!answers(Call::Inspect)) {
        return;
    }
    if (listed_) {
        const auto listed = *listed_;
        take_row(listed.row, now);
        return;
    }
    if (!blind_since_) {
        blind_since_ = now.mono;
    }
    retry_later(now);
}

void Lifecycle::on(const event::Listed& listed, const Now& now) {
    if (!is_blind(now)) {
        return;
    }
    listed_at_ = now.mono;
    if (call_ == Call::Inspect) {
        listed_ = listed;
    } else if (call_ == Call::None && knowledge_ == Knowledge::Unknown) {
        take_row(listed.row, now);
    }
}

/// As if inspect had said it. No call has changed anything since before the list was asked for.
void Lifecycle::take_row(const std::optional<ContainerFacts>& row, const Now& now) {
    not_before_ = MonoTime();
    looked_at_ = listed_at_ - list_age_max;
    if (row) {
        take_present(completed(*row, now));
    } else {
        take_absent(now);
    }
}

/// A row says less than inspect: what is known of the same container stays.
ContainerFacts Lifecycle::completed(ContainerFacts row, const Now& now) const {
    const bool is_same = row.id == facts_.id;
    if (has_process(row.status) && is_same) {
        row.ip_addresses = facts_.ip_addresses;
        row.host_ports = facts_.host_ports.empty() ? row.host_ports : facts_.host_ports;
        row.pid = facts_.pid;
        row.started_at = facts_.started_at == WallTime() ? row.started_at : facts_.started_at;
    } else if (!has_process(row.status)) {
        const bool has_run = row.status == ContainerFacts::Status::Exited || start_sent_;
        row.started_at = has_run ? row.started_at : WallTime();
        row.finished_at = now.wall;
    }
    return row;
}

/// For longer than a list may be under way: what it says is of after our last call.
bool Lifecycle::is_blind(const Now& now) const {
    return blind_since_ && now.mono - *blind_since_ >= list_age_max;
}

void Lifecycle::look_again_if_hinted() {
    if (std::exchange(dirty_, false)) {
        knowledge_ = Knowledge::Unknown;
    }
}

void Lifecycle::want_inspect() {
    if (call_ == Call::Inspect || call_ == Call::Prove) {
        dirty_ = true;
    } else if (create_sent_ && call_ == Call::None &&
               (!outcome_ || knowledge_ == Knowledge::Present)) {
        knowledge_ = Knowledge::Unknown;
    }
}

} // namespace methos::executor
