#include "tests/simulation/scheduler.hpp"

#include <algorithm>

namespace methos::simulation {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t target_max = 4;
constexpr Duration reconcile_interval = 5s;
constexpr Duration leaves_within = 60s; ///< who would be missed for longer does not just go away

/// Ids that begin so are asked for in ways that must be refused.
constexpr std::string_view never = "never-";

} // namespace

Scheduler::Scheduler(
    std::size_t index, ModelMaster& master, Streams& streams, Random& random, const Trace& trace)
    : index_(index), master_(master), streams_(streams), random_(random), trace_(trace) {
    begin_life();
}

// ---- its life -------------------------------------------------------------------------------
void Scheduler::begin_life() {
    static constexpr std::uint64_t timeouts_s[] = {0, 5, 30, 3600};
    info_ = external::FrameworkInfo();
    info_.name = "framework" + std::to_string(index_);
    info_.user = "root";
    info_.failover_timeout = std::chrono::seconds(timeouts_s[random_.below(4)]);
    if (random_.percent(70)) {
        info_.capabilities.insert("PARTITION_AWARE");
    }
    if (random_.percent(50)) {
        info_.capabilities.insert("TASK_KILLING_STATE");
    }
    info_.roles = {"*"};
    if (random_.percent(40)) {
        info_.capabilities.insert("MULTI_ROLE");
        info_.roles = {"*", "gold"};
    }
    target_ = random_.below(target_max + 1);
    acknowledge_ms_max_ = random_.percent(50) ? 100 : random_.between(100, 60'000);
    torn_down_ = false;
}

void Scheduler::end_life() {
    over_.insert(info_.id);
    trace_.say("framework ", info_.id.value, ": is over");
    tasks_.clear();
    offers_.clear();
    to_acknowledge_.clear();
    begin_life();
}

void Scheduler::calm_down() {
    calm_ = true;
    acknowledge_ms_max_ = 100;
    for (auto& acknowledgement : to_acknowledge_) {
        acknowledgement.at = trace_.now.mono;
    }
    if (random_.percent(20) && info_.failover_timeout <= leaves_within) {
        leaves_ = true;
        hang_up();
        if (!info_.id.empty()) {
            over_.insert(info_.id);
        }
    }
}

void Scheduler::turn() {
    if (stream_ && (calm_ || random_.percent(80))) {
        read();
    }
    if (!master_.takes_calls()) {
        return;
    }
    tell_of_hung_up();
    if (leaves_) {
        return;
    }
    if (!stream_) {
        if (!asking_ && trace_.now.mono >= subscribe_at_) {
            subscribe();
        }
        return;
    }
    acknowledge_due();
    if (calm_ && trace_.now.mono >= reconcile_at_) {
        reconcile();
    }
    if (!calm_) {
        mischief();
    }
    if (stream_) {
        keep_target();
        answer_offers();
    }
}

// ---- its session ----------------------------------------------------------------------------
void Scheduler::subscribe() {
    external::Subscribe wanted;
    wanted.info = info_;
    const auto refusal = std::make_shared<std::optional<external::Refusal>>();
    const auto opened = std::make_shared<Streams::Handle>();
    const auto id = std::make_shared<external::FrameworkId>();
    const auto request = [this, wanted, refusal, opened, id](heart::Heart& heart,
                                                             cluster::Step& step) {
        const auto result = heart.external().subscribe(wanted, "people", step);
        if (const auto* no = std::get_if<external::Refusal>(&result)) {
            *refusal = *no;
            return;
        }
        const auto& subscription = std::get<external::Subscription>(result);
        *opened = streams_.open(subscription.stream);
        *id = subscription.framework;
    };
    asking_ = master_.apply(request, [this, refusal, opened, id](bool committed) {
        asking_ = false;
        subscribe_at_ = trace_.now.mono + random_.ms(100, 2'000);
        if (!committed) {
            return;
        }
        if (*refusal) {
            refused(**refusal);
        } else if (leaves_) {
            hung_up_.emplace_back(trace_.now.mono, *opened);
            over_.insert(*id);
        } else {
            trace_.say("framework ", id->value, ": is subscribed");
            info_.id = *id;
            stream_ = *opened; // an older one is its other self's; that hears of it
            offers_.clear();
            reconcile_at_ = trace_.now.mono;
        }
    });
}

void Scheduler::refused(const external::Refusal& refusal) {
    if (info_.id.empty()) {
        throw Violation("a first subscription is refused: " + refusal.message);
    }
    if (!torn_down_ && trace_.now.mono < away_since_ + info_.failover_timeout) {
        throw Violation("a framework is given up before its failover timeout");
    }
    end_life();
}

/// Its process is killed, or its connection breaks; the master hears of it later.
void Scheduler::hang_up() {
    if (stream_) {
        trace_.say("framework ", info_.id.value, ": goes away");
        hung_up_.emplace_back(trace_.now.mono + random_.ms(0, calm_ ? 0 : 4'000), stream_);
        stream_.reset();
        offers_.clear();
        away_since_ = trace_.now.mono;
        subscribe_at_ = trace_.now.mono + random_.ms(0, random_.percent(30) ? 40'000 : 4'000);
    }
}

void Scheduler::tell_of_hung_up() {
    for (auto next = hung_up_.begin(); next != hung_up_.end();) {
        const auto stream = next->second;
        if (stream->number.empty()) {
            next = hung_up_.erase(next);
        } else if (next->first <= trace_.now.mono) {
            (void)master_.apply([&stream](heart::Heart& heart, cluster::Step& step) {
                heart.external().disconnected(stream->number, step);
            });
            streams_.forget(stream);
            next = hung_up_.erase(next);
        } else {
            ++next;
        }
    }
}

bool Scheduler::call(external::CallBody body) {
    if (!stream_) {
        return false;
    }
    const external::Call made{info_.id, std::move(body)};
    const auto number = stream_->number;
    return master_.apply([&made, number](heart::Heart& heart, cluster::Step& step) {
        const auto refusal = heart.external().call(made, number, step);
        if (!refusal && number.empty()) {
            throw Violation("a call is taken on a stream that has ended");
        }
    });
}

// ---- what it hears --------------------------------------------------------------------------
void Scheduler::read() {
    const auto stream = stream_;
    while (stream == stream_ && !stream->events.empty()) {
        const auto body = std::move(stream->events.front());
        stream->events.pop_front();
        hear(body);
    }
    if (stream == stream_ && stream->ended) {
        stream_.reset();
        offers_.clear();
        away_since_ = trace_.now.mono;
        subscribe_at_ = trace_.now.mono + random_.ms(0, calm_ ? 500 : 5'000);
    }
}

void Scheduler::hear(const external::EventBody& body) {
    if (const auto* offers = std::get_if<external::Offers>(&body)) {
        hear(*offers);
    } else if (const auto* rescind = std::get_if<external::Rescind>(&body)) {
        offers_.erase(rescind->offer);
    } else if (const auto* update = std::get_if<external::Update>(&body)) {
        hear(*update);
    }
}

void Scheduler::hear(const external::Offers& offers) {
    for (const auto& offer : offers.offers) {
        const auto* host = master_.up() ? master_.heart().cluster().find_host(offer.host) : nullptr;
        offers_.insert_or_assign(offer.number,
                                 HeldOffer{offer, host == nullptr ? HostId() : host->info.id});
    }
}

void Scheduler::hear(const external::Update& update) {
    trace_.say("framework ",
               info_.id.value,
               ": hears that ",
               update.task_id,
               " is ",
               to_string(update.state),
               update.message.empty() ? "" : ": ",
               update.message);
    if (!update.uuid.empty()) {
        acknowledge(update);
    }
    if (update.task_id.starts_with(never)) {
        if (!is_terminal(update.state) && update.state != TaskState::Unknown) {
            throw Violation(update.task_id + " is told to be " +
                            std::string(to_string(update.state)));
        }
        return;
    }
    if (update.message.starts_with("Task has duplicate ID")) {
        return; // the other one's state is not this
    }
    auto& task = tasks_[update.task_id];
    if (task.ended && !task.reused && !is_terminal(update.state) &&
        update.state != TaskState::Unreachable && update.state != TaskState::Unknown) {
        throw Violation(update.task_id + " was told to be over and is " +
                        std::string(to_string(update.state)));
    }
    // What was asked for is the latest, and may be ahead of the updates that are on their way.
    task.ended = task.ended || (!update.uuid.empty() && is_terminal(update.state));
    if (!task.ended || task.reused || is_terminal(update.state)) {
        task.state = update.state;
        task.agent = update.agent_id;
    }
}

void Scheduler::acknowledge(const external::Update& update) {
    Acknowledgement acknowledgement;
    acknowledgement.at = trace_.now.mono + random_.ms(0, acknowledge_ms_max_);
    acknowledgement.call = {update.agent_id, update.task_id, update.uuid};
    if (!calm_ && random_.percent(10)) {
        auto wrong = acknowledgement;
        wrong.call.uuid.front() = static_cast<char>(wrong.call.uuid.front() ^ 1);
        to_acknowledge_.push_back(std::move(wrong));
    }
    if (!calm_ && random_.percent(10)) {
        to_acknowledge_.push_back(acknowledgement); // twice
    }
    to_acknowledge_.push_back(std::move(acknowledgement));
}

void Scheduler::acknowledge_due() {
    for (auto next = to_acknowledge_.begin(); next != to_acknowledge_.end();) {
        if (next->at > trace_.now.mono) {
            ++next;
            continue;
        }
        if (!call(next->call)) {
            return;
        }
        streams_.acknowledged(next->call.uuid);
        next = to_acknowledge_.erase(next);
    }
}

void Scheduler::reconcile() {
    reconcile_at_ = trace_.now.mono + reconcile_interval;
    external::Reconcile some;
    for (const auto& [id, task] : tasks_) {
        if (!task.over()) {
            some.tasks.push_back({id, task.agent});
        }
    }
    (void)call(external::Reconcile());
    if (!some.tasks.empty()) {
        (void)call(some);
    }
}

// ---- in the end -----------------------------------------------------------------------------
std::string Scheduler::unsettled() const {
    const auto name = "framework " + info_.id.value;
    const auto& heart = master_.heart();
    for (const auto& id : over_) {
        const auto* framework = heart.external().find(id);
        if (framework != nullptr && !framework->over_for_good()) {
            return "framework " + id.value + " has left and is not over";
        }
    }
    if (leaves_) {
        return "";
    }
    const auto* framework = heart.external().find(info_.id);
    if (!stream_ || framework == nullptr || !framework->subscribed()) {
        return name + " is not subscribed";
    }
    if (!to_acknowledge_.empty() || framework->unacknowledged > 0) {
        return name + " has updates to acknowledge";
    }
    if (const auto wrong = mistaken_about(*framework); !wrong.empty()) {
        return name + " is mistaken: " + wrong;
    }
    return count() == target_ ? ""
                              : name + " has " + std::to_string(count()) + " of " +
                                    std::to_string(target_) + " tasks";
}

std::string Scheduler::mistaken_about(const external::ForeignFramework& framework) const {
    std::string wrong;
    for (const auto& [id, theirs] : framework.tasks) {
        const auto mine = tasks_.find(id);
        const auto* task = master_.heart().cluster().find_task(theirs.number);
        if (task == nullptr || mine == tasks_.end() || mine->second.state != task->state()) {
            wrong.append(id).append(" is ").append(task == nullptr ? "over"
                                                                   : to_string(task->state()));
            return wrong;
        }
    }
    for (const auto& [id, mine] : tasks_) {
        if (mine.counts() && !framework.tasks.contains(id)) {
            wrong.append(id).append(" is not there");
            return wrong;
        }
    }
    return wrong;
}

std::size_t Scheduler::count() const {
    return static_cast<std::size_t>(std::count_if(
        tasks_.begin(), tasks_.end(), [](const auto& entry) { return entry.second.counts(); }));
}

} // namespace methos::simulation
