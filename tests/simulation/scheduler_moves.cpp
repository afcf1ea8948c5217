// What a framework does with its offers and tasks; and what it should not do.
#include "tests/simulation/scheduler.hpp"

#include <algorithm>
#include <iterator>

namespace methos::simulation {

namespace {

using namespace std::chrono_literals;

constexpr Duration kill_interval = 5s;
constexpr Duration revive_interval = 5s;
constexpr std::uint64_t mischief_chance = 40'000; ///< in a million, per turn
constexpr std::size_t ports_max = 2;

} // namespace

// ---- its tasks ------------------------------------------------------------------------------
void Scheduler::keep_target() {
    auto surplus = count() > target_ ? count() - target_ : 0U;
    for (auto& [id, task] : tasks_) {
        if (task.counts() && surplus > 0) {
            --surplus;
            kill(id, task);
        } else if (task.killed && !task.over() && trace_.now.mono >= task.kill_again) {
            kill(id, task);
        }
    }
    if (calm_ && count() < target_ && trace_.now.mono >= revive_at_) {
        revive_at_ = trace_.now.mono + revive_interval;
        (void)call(external::Revive());
    }
}

void Scheduler::kill(const std::string& id, Task& task) {
    external::Kill order;
    order.task_id = id;
    order.agent_id = random_.percent(50) ? task.agent : HostId();
    if (random_.percent(50)) {
        order.grace = random_.ms(0, 5'000);
    }
    if (call(order)) {
        task.killed = true;
        task.kill_again = trace_.now.mono + kill_interval;
    }
}

std::string Scheduler::new_id() {
    // Some ids are another framework's too.
    const auto number = std::to_string(++ids_);
    return random_.percent(10) ? "t" + number : "t" + std::to_string(index_) + "-" + number;
}

std::optional<std::string> Scheduler::some_task(bool over) {
    std::vector<std::string> ids;
    for (const auto& [id, task] : tasks_) {
        if (task.over() == over) {
            ids.push_back(id);
        }
    }
    if (ids.empty()) {
        return std::nullopt;
    }
    return ids[random_.below(ids.size())];
}

external::TaskRequest Scheduler::make_request(const std::string& id, const HostId& agent) {
    external::TaskRequest request;
    request.task_id = id;
    request.name = id;
    request.agent_id = agent;
    request.spec.image = "busybox";
    request.spec.resources = {random_.percent(50) ? 50 : 100, 32 * bytes_per_mb, 0, 0};
    request.env = {{"NAME", id}};
    request.definition = "{}";
    return request;
}

void Scheduler::take_ports(PortSet& ports, external::TaskRequest& request) {
    for (auto wanted = random_.below(ports_max + 1); wanted > 0; --wanted) {
        const auto port = ports.first_from(1);
        if (!port) {
            return;
        }
        ports.erase(*port);
        request.host_ports.push_back(*port);
        request.spec.ports.emplace_back();
    }
}

// ---- its offers -----------------------------------------------------------------------------
void Scheduler::answer_offers() {
    while (!offers_.empty() && count() < target_) {
        const auto before = offers_.size();
        launch_from(offers_.begin()->second, random_.between(1, target_ - count()));
        if (offers_.size() == before) {
            return; // the master takes no calls
        }
    }
    const auto held = offers_;
    for (const auto& [number, offer] : held) {
        if (calm_ || random_.percent(20)) {
            decline(number);
        }
    }
}

void Scheduler::launch_from(const HeldOffer& first, std::size_t wanted) {
    auto ports = first.offer.ports;
    std::vector<OfferNumber> numbers{first.offer.number};
    for (const auto& [number, other] : offers_) {
        if (number != first.offer.number && other.offer.host == first.offer.host &&
            other.offer.role == first.offer.role && random_.percent(70)) {
            numbers.push_back(number);
        }
    }
    std::vector<external::TaskRequest> requests;
    for (std::size_t i = 0; i < wanted; ++i) {
        auto request = make_request(new_id(), first.agent);
        take_ports(ports, request);
        requests.push_back(std::move(request));
    }
    accept(numbers, std::move(requests));
}

void Scheduler::accept(const std::vector<OfferNumber>& numbers,
                       std::vector<external::TaskRequest> requests) {
    external::Accept order;
    for (const auto number : numbers) {
        order.offer_ids.push_back(external::offer_id(master_.heart().cluster().epoch(), number));
    }
    order.launches = std::move(requests);
    if (random_.percent(50)) {
        order.refuse = random_.ms(0, 3'000);
    }
    const auto stream = stream_;
    if (!call(order)) {
        return;
    }
    for (const auto number : numbers) {
        Streams::answered(stream, number);
        offers_.erase(number);
    }
    for (const auto& request : order.launches) {
        if (!request.task_id.starts_with("never-")) {
            auto& task = tasks_[request.task_id];
            task.agent = request.agent_id;
        }
    }
}

void Scheduler::decline(OfferNumber number) {
    external::Decline order;
    order.offer_ids = {external::offer_id(master_.heart().cluster().epoch(), number)};
    if (!calm_ && random_.percent(70)) {
        order.refuse = random_.percent(30) ? 1000s : random_.ms(0, 5'000);
    }
    const auto stream = stream_;
    if (call(order)) {
        Streams::answered(stream, number);
        offers_.erase(number);
    }
}

// ---- what it should not do ------------------------------------------------------------------
void Scheduler::mischief() {
    if (!random_.per_million(mischief_chance)) {
        return;
    }
    const auto what = random_.below(16);
    switch (what) {
    case 0:
        hang_up();
        break;
    case 1:
        if (!asking_) {
            subscribe(); // another self takes over
        }
        break;
    case 2:
    case 3:
    case 4:
    case 5:
        launch_what_must_not_run(what);
        break;
    case 6:
    case 7:
        use_an_id_again(what == 6);
        break;
    case 8:
        if (const auto id = some_task(false)) {
            kill(*id, tasks_.at(*id));
        }
        break;
    case 9:
        call_in_vain();
        break;
    case 10:
        reconcile();
        break;
    case 11:
        (void)call(external::Suppress());
        break;
    case 12:
        (void)call(external::Revive());
        break;
    default:
        change_itself();
        break;
    }
}

void Scheduler::launch_what_must_not_run(std::uint64_t way) {
    if (offers_.empty()) {
        return;
    }
    const auto& first = offers_.begin()->second;
    auto request = make_request("never-" + new_id(), first.agent);
    std::vector<OfferNumber> numbers{first.offer.number};
    if (way == 2) {
        request.spec.resources = first.offer.resources;
        request.spec.resources.milli_cpus += 1;
    } else if (way == 3) {
        request.host_ports = {1};
        request.spec.ports.emplace_back();
    } else if (way == 4) {
        numbers.push_back(OfferNumber(first.offer.number.value + 1'000'000));
    } else {
        const auto other =
            std::find_if(offers_.begin(), offers_.end(), [&first](const auto& entry) {
                return entry.second.offer.host != first.offer.host;
            });
        if (other == offers_.end()) {
            request.agent_id = HostId("nowhere");
        } else {
            numbers.push_back(other->first);
        }
    }
    accept(numbers, {request});
}

void Scheduler::use_an_id_again(bool of_one_that_is_over) {
    const auto id = some_task(of_one_that_is_over);
    if (!id || offers_.empty()) {
        return;
    }
    const auto& first = offers_.begin()->second;
    const auto agent = tasks_.at(*id).agent;
    auto& task = tasks_.at(*id);
    task.reused = true;
    if (of_one_that_is_over) {
        task.state = TaskState::Staging;
        task.killed = false;
    }
    accept({first.offer.number}, {make_request(*id, first.agent)});
    if (!of_one_that_is_over) {
        tasks_.at(*id).agent = agent; // the first one's
    }
}

void Scheduler::call_in_vain() {
    external::Kill order;
    order.task_id = "nobody";
    (void)call(order);
    external::Acknowledge strange;
    strange.task_id = some_task(false).value_or("nobody");
    strange.uuid = std::string(16, '\0');
    (void)call(strange);
    // As another framework, on its own stream.
    const auto& all = master_.heart().external().frameworks();
    const auto other = std::find_if(
        all.begin(), all.end(), [this](const auto& entry) { return entry.first != info_.id; });
    if (other == all.end()) {
        return;
    }
    const external::Call made{other->first, external::Teardown()};
    const auto number = stream_->number;
    (void)master_.apply([&made, number](heart::Heart& heart, cluster::Step& step) {
        if (!heart.external().call(made, number, step)) {
            throw Violation("a framework acts for another");
        }
    });
}

void Scheduler::change_itself() {
    if (random_.percent(60)) {
        target_ = random_.below(target_ + 3);
        return;
    }
    if (random_.percent(60)) {
        auto changed = info_;
        changed.roles = random_.percent(50) ? std::vector<std::string>{"*"}
                                            : std::vector<std::string>{"*", "silver"};
        external::UpdateFramework order;
        order.info = changed;
        if (call(order)) {
            info_ = changed;
        }
        return;
    }
    torn_down_ = true;
    if (random_.percent(50)) {
        (void)call(external::Teardown());
    } else {
        const auto id = info_.id;
        (void)master_.apply([&id](heart::Heart& heart, cluster::Step& step) {
            (void)heart.external().tear_down(id, step);
        });
    }
}

} // namespace methos::simulation
