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

ModelMaster::ModelMaster(Network& network,
                         Streams& streams,
                         TaskHistory& history,
                         Random& random,
                         Trace& trace,
                         Boundaries& boundaries)
    : network_(network), streams_(streams), history_(history), random_(random), trace_(trace),
      boundaries_(boundaries) {
    // So that a run sees what is rare: an update that replaces another, and long retries.
    options_.external.unacknowledged_per_task_max = 3;
    options_.external.update_retry_max = std::chrono::seconds(20);
}

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

cluster::Step ModelMaster::new_step() const {
    cluster::Step step(trace_.seen_with(clock_offset_));
    step.watched = true;
    return step;
}

void ModelMaster::start() {
    trace_.say("master: starts");
    load();
    auto step = new_step();
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
    streams_.cut_all();
    last_offer_ = OfferNumber();
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
    auto step = new_step();
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
    auto step = new_step();
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
        streams_.write(step.changes);
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
    streams_.cut_all();
    heart_->cluster().check_invariants();
}

void ModelMaster::probe() {
    probe_due_ = trace_.now.mono + probe_interval;
    auto step = new_step();
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
    tell_frameworks(batch);
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

void ModelMaster::tell_frameworks(const Pending& batch) {
    for (const auto& step : batch.steps) {
        for (const auto& publication : step.publications) {
            if (const auto* event = dynamic_cast<const external::Event*>(publication.get())) {
                boundaries_.pass_master();
                streams_.publish(*event);
            } else if (const auto* changed =
                           dynamic_cast<const cluster::TaskChanged*>(publication.get())) {
                note_given_up(changed->task);
            }
        }
    }
    streams_.check_offers(records_, heart_->cluster());
}

void ModelMaster::note_given_up(const cluster::Task& task) {
    if (task.reported == TaskState::Gone || task.reported == TaskState::GoneByOperator) {
        history_.given_up.insert(task.name.value);
    }
}

} // namespace methos::simulation
