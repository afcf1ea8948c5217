#include "tests/simulation/master.hpp"

#include "master/state/records.pb.h"

#include <algorithm>
#include <utility>

namespace methos::simulation {

namespace {

constexpr Duration tick_interval = std::chrono::milliseconds(250);
constexpr Duration probe_interval = std::chrono::seconds(2);
constexpr Duration pause_noticed = std::chrono::milliseconds(500);
constexpr std::uint64_t commit_hang_chance = 3'000; ///< in a million: takes ten times as long
constexpr std::size_t slice = 3;                    ///< small, so that inventories come in parts

void apply_changes(const state::Batch& changes, ModelMaster::Records& records) {
    for (const auto& change : changes) {
        const auto place = std::make_pair(change.table, change.key);
        if (change.value) {
            records[place] = *change.value;
        } else {
            records.erase(place);
        }
    }
}

} // namespace

ModelMaster::ModelMaster(Network& network, Random& random, Trace& trace, Boundaries& boundaries)
    : network_(network), random_(random), trace_(trace), boundaries_(boundaries) {}

// ---- life -----------------------------------------------------------------------------------
void ModelMaster::load() {
    heart_ = std::make_unique<heart::Heart>(options_);
    for (const auto& [place, value] : records_) {
        heart_->load(place.first, place.second, value);
    }
    heart_->loaded();
    for (const auto& [place, value] : records_) {
        state::TaskRecord record;
        const bool killed = place.first == state::Table::Task && record.ParseFromString(value) &&
                            record.kill_wanted();
        if (killed && !heart_->cluster().find_task(TaskNumber(place.second))->kill_wanted) {
            throw Violation("the kill of " + record.name() + " is forgotten");
        }
    }
}

void ModelMaster::start() {
    trace_.say("master: starts");
    load();
    cluster::Step step(now());
    heart_->begin(step, "cluster-of-the-simulation");
    check_step(step);
    refusing_ = disk_ == Disk::Full;
    if (disk_ == Disk::Good || (disk_ == Disk::Broken && random_.percent(50))) {
        apply_changes(step.changes, records_);
    }
    if (disk_ == Disk::Broken) {
        give_up();
    }
    tick_due_ = trace_.now.mono + tick_interval;
    probe_due_ = trace_.now.mono + probe_interval;
}

void ModelMaster::kill() {
    trace_.say("master: killed");
    if (committing_ && disk_ == Disk::Good && random_.percent(50)) {
        write(*committing_);
    }
    auto lost = std::exchange(committing_, std::nullopt).value_or(Pending());
    auto late = std::exchange(pending_, Pending());
    heart_.reset();
    refusing_ = decide_wanted_ = false;
    stalled_ = false;
    for (const auto& [id, session] : std::exchange(session_of_, {})) {
        network_.close(id, Towards::Host, trace_.now.mono);
    }
    connection_of_.clear();
    heard_.clear();
    answer_all(lost, false);
    answer_all(late, false);
}

void ModelMaster::set_disk(Disk disk) {
    static constexpr const char* words[] = {"good again", "full", "broken"};
    if (disk != disk_) {
        trace_.say("master: the disk is ", words[static_cast<std::size_t>(disk)]);
    }
    disk_ = disk;
}

/// The store cannot be trusted any more. Whoever starts us again finds what is durable.
void ModelMaster::give_up() {
    trace_.say("master: gives up on its store");
    throw Crash{Victim::Master, 0};
}

void ModelMaster::turn() {
    const auto mono = trace_.now.mono;
    if (committing_ && mono >= commit_due_) {
        end_commit();
    }
    if (refusing_ && mono >= probe_due_) {
        probe();
    }
    if (!refusing_ && mono >= tick_due_) {
        const auto gap = mono - tick_due_;
        tick_due_ = mono + tick_interval;
        if (gap > pause_noticed) {
            trace_.say("master: was held up");
            heart_->paused(gap);
        } else {
            decide_wanted_ = true;
        }
    }
    for (int moves = 0; !committing_ && (decide_wanted_ || !pending_.empty()); ++moves) {
        if (moves > 1000) {
            throw Violation("the heart never comes to rest");
        }
        if (decide_wanted_ && !refusing_) {
            decide();
        }
        begin_commit();
    }
}

bool ModelMaster::apply(const Event& event, Answer answer) {
    if (refusing_) {
        return false;
    }
    cluster::Step step(now());
    event(*heart_, step);
    step.more = true;
    push(std::move(step));
    if (answer) {
        pending_.answers.push_back(std::move(answer));
    }
    return true;
}

void ModelMaster::push(cluster::Step step) {
    check_step(step);
    decide_wanted_ = decide_wanted_ || step.more;
    pending_.steps.push_back(std::move(step));
}

void ModelMaster::decide() {
    decide_wanted_ = false;
    cluster::Step step(now());
    heart_->decide(step);
    push(std::move(step));
}

// ---- commits --------------------------------------------------------------------------------
void ModelMaster::begin_commit() {
    if (pending_.empty()) {
        decide_wanted_ = decide_wanted_ && !refusing_;
        return;
    }
    committing_ = std::exchange(pending_, Pending());
    boundaries_.pass_master();
    auto time = random_.percent(70) ? Duration::zero() : random_.ms(0, commit_ms_max_);
    if (random_.per_million(commit_hang_chance)) {
        time = random_.ms(0, 10 * commit_ms_max_);
    }
    commit_due_ = trace_.now.mono + time;
    if (time == Duration::zero()) {
        end_commit();
    }
}

void ModelMaster::write(const Pending& batch) {
    for (const auto& step : batch.steps) {
        apply_changes(step.changes, records_);
    }
}

void ModelMaster::end_commit() {
    auto batch = std::exchange(committing_, std::nullopt).value();
    try {
        settle(batch);
    } catch (const Crash&) {
        answer_all(batch, false);
        throw;
    }
}

void ModelMaster::settle(Pending& batch) {
    const bool has_changes = std::any_of(batch.steps.begin(),
                                         batch.steps.end(),
                                         [](const auto& step) { return !step.changes.empty(); });
    if (!has_changes || disk_ == Disk::Good) {
        write(batch);
        boundaries_.pass_master();
        release(batch);
        return;
    }
    if (disk_ == Disk::Broken) {
        if (random_.percent(50)) {
            write(batch);
        }
        give_up();
    }
    // What was decided meanwhile stands on what was refused: it goes with it.
    auto late = std::exchange(pending_, Pending());
    recover();
    answer_all(batch, false);
    answer_all(late, false);
}

void ModelMaster::answer_all(Pending& batch, bool committed) {
    for (const auto& answer : std::exchange(batch.answers, {})) {
        answer(committed);
    }
}

void ModelMaster::recover() {
    trace_.say("master: a commit is refused");
    refusing_ = true;
    decide_wanted_ = false;
    probe_due_ = trace_.now.mono + probe_interval;
    const auto discarded = std::move(heart_);
    load();
    heart_->adopt_sessions(*discarded);
    heart_->cluster().check_invariants();
}

void ModelMaster::probe() {
    probe_due_ = trace_.now.mono + probe_interval;
    cluster::Step step(now());
    heart_->probe(step);
    check_step(step);
    if (disk_ == Disk::Good) {
        trace_.say("master: the store takes writes again");
        apply_changes(step.changes, records_);
        refusing_ = false;
        heart_->resume(now());
        decide_wanted_ = true;
        tick_due_ = trace_.now.mono + tick_interval;
    }
}

void ModelMaster::release(Pending& batch) {
    std::map<SessionNumber, std::vector<cluster::Message>> boxes;
    for (const auto& step : batch.steps) {
        for (const auto& notice : step.notices) {
            trace_.say("master: ", notice.text);
        }
        for (const auto& message : step.messages) {
            check_durable(message);
            if (std::holds_alternative<cluster::SendWelcome>(message.body)) {
                Frame welcome;
                welcome.kind = Kind::Welcome;
                send(message.session, std::move(welcome));
            } else {
                boxes[message.session].push_back(message);
            }
        }
    }
    for (auto& [session, messages] : boxes) {
        Frame orders;
        orders.kind = Kind::Orders;
        // One frame of each kind, as the bus sends them: launches, kills, acks.
        std::stable_sort(messages.begin(), messages.end(), [](const auto& a, const auto& b) {
            return a.body.index() < b.body.index();
        });
        orders.messages = std::move(messages);
        boundaries_.pass_master();
        send(session, std::move(orders));
    }
    answer_all(batch, true);
}

// ---- promises -------------------------------------------------------------------------------
void ModelMaster::check_step(const cluster::Step& step) const {
    if (const auto fits = state::check_caps(step.changes); !fits) {
        throw Violation(fits.error().message);
    }
    heart_->cluster().check_invariants();
    for (const auto& [number, host] : heart_->cluster().hosts()) {
        if (host.free().negative()) {
            throw Violation(host.info.hostname + " is given more than it has");
        }
    }
}

void ModelMaster::check_durable(const cluster::Message& message) {
    const auto task_record = [this](TaskNumber number) {
        const auto found = records_.find({state::Table::Task, number.value});
        state::TaskRecord record;
        const bool read = found != records_.end() && record.ParseFromString(found->second);
        return read ? std::optional(record) : std::nullopt;
    };
    if (const auto* launch = std::get_if<cluster::SendLaunch>(&message.body)) {
        const auto& name = launch->launch.name.value;
        if (!launched_.insert(name).second) {
            throw Violation("a second LAUNCH is sent for " + name);
        }
        const auto record = task_record(launch->launch.number);
        // Its own end may be in the same commit; the name is then gone for good.
        if (record && record->name() != name) {
            throw Violation("the number of " + name + " belongs to " + record->name());
        }
        if (!record && heart_->cluster().find_task(launch->launch.name) != nullptr) {
            throw Violation("LAUNCH of " + name + " is sent and not durable");
        }
    } else if (const auto* kill = std::get_if<cluster::SendKill>(&message.body)) {
        const auto record = task_record(kill->number);
        const auto* host = heart_->cluster().find_host(message.session);
        if (record && host != nullptr && record->host() == host->number.value &&
            !record->kill_wanted()) {
            throw Violation("KILL of " + record->name() + " is sent and not durable");
        }
    } else if (const auto* ack = std::get_if<cluster::SendAck>(&message.body)) {
        const auto heard =
            heard_.find({message.session, ack->number.value, ack->name.value, ack->stamp});
        if (heard == heard_.end()) {
            throw Violation("an ACK is sent for what was never reported in its session");
        }
        auto number = ack->number;
        if (const auto* task = heart_->cluster().find_task(ack->name);
            number.empty() && task != nullptr) {
            number = task->number;
        }
        const auto record = task_record(number);
        const auto* host = heart_->cluster().find_host(message.session);
        if (!record || host == nullptr || record->host() != host->number.value) {
            return;
        }
        if (is_terminal(heard->second) ||
            record->state() != static_cast<std::uint32_t>(heard->second)) {
            throw Violation("ACK of " + record->name() + " " +
                            std::string(to_string(heard->second)) + " is sent and not durable");
        }
    }
}

// ---- the bus --------------------------------------------------------------------------------
void ModelMaster::send(SessionNumber session, Frame frame) {
    if (const auto found = connection_of_.find(session); found != connection_of_.end()) {
        frame.session = session;
        frame.epoch = heart_->cluster().epoch();
        network_.send(found->second, Towards::Host, std::move(frame), trace_.now.mono);
    }
}

void ModelMaster::forget(ConnectionId id) {
    if (const auto found = session_of_.find(id); found != session_of_.end()) {
        connection_of_.erase(found->second);
        session_of_.erase(found);
    }
}

void ModelMaster::refuse(ConnectionId id) {
    forget(id);
    Frame refused;
    refused.kind = Kind::Refused;
    network_.send(id, Towards::Host, std::move(refused), trace_.now.mono);
}

void ModelMaster::open(ConnectionId id, const Frame& hello) {
    constexpr unsigned counter_bits = 32;
    const SessionNumber session((heart_->cluster().epoch() << counter_bits) | ++sessions_opened_);
    session_of_[id] = session;
    connection_of_[session] = id;
    apply([&](heart::Heart& heart, cluster::Step& step) {
        heart.cluster().host_joined(session, hello.info, "key", step);
    });
}

void ModelMaster::take(ConnectionId id, const Frame& frame) {
    const auto found = session_of_.find(id);
    if (frame.kind == Kind::Hello) {
        if (refusing_) {
            refuse(id);
        } else {
            open(id, frame);
        }
        return;
    }
    if (frame.kind == Kind::Closed) {
        network_.close(id, Towards::Host, trace_.now.mono);
        if (found != session_of_.end()) {
            const auto session = found->second;
            forget(id);
            apply([&](heart::Heart& heart, cluster::Step& step) {
                heart.cluster().connection_closed(session, step);
            });
        }
        return;
    }
    const bool known = found != session_of_.end() && found->second == frame.session &&
                       frame.epoch == heart_->cluster().epoch() &&
                       heart_->cluster().find_host(frame.session) != nullptr;
    if (!known) {
        refuse(id);
        return;
    }
    hear(frame.session, frame);
}

void ModelMaster::hear(SessionNumber session, const Frame& frame) {
    heart_->heard(session, now());
    if (frame.kind == Kind::Beat) {
        send(session, Frame());
    } else if (frame.kind == Kind::Host) {
        apply([&](heart::Heart& heart, cluster::Step& step) {
            heart.cluster().host_changed(session, frame.info, step);
        });
    } else if (frame.kind == Kind::Goodbye) {
        apply([&](heart::Heart& heart, cluster::Step& step) {
            heart.cluster().goodbye(session, frame.grace, step);
        });
    } else {
        for (const auto& status : frame.statuses) {
            heard_[{session,
                    status.number.value,
                    status.number.empty() ? status.name.value : "",
                    status.stamp}] = status.state;
        }
        std::size_t at = 0;
        do {
            const auto end = std::min(frame.statuses.size(), at + slice);
            const std::vector<TaskStatus> part(
                frame.statuses.begin() + static_cast<std::ptrdiff_t>(at),
                frame.statuses.begin() + static_cast<std::ptrdiff_t>(end));
            const bool last = end == frame.statuses.size();
            apply([&](heart::Heart& heart, cluster::Step& step) {
                if (frame.kind == Kind::Inventory) {
                    heart.cluster().inventory(session, part, last, step);
                } else {
                    heart.cluster().statuses(session, part, step);
                }
            });
            at = end;
        } while (at < frame.statuses.size());
    }
}

} // namespace methos::simulation
