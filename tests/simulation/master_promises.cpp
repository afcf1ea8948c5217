// What is checked of the master: after each step, and before each message leaves.
#include "master/state/records.pb.h"
#include "tests/simulation/master.hpp"

namespace methos::simulation {

void ModelMaster::check_step(const cluster::Step& step) {
    if (const auto fits = state::check_caps(step.changes); !fits) {
        throw Violation(fits.error().message);
    }
    const auto& cluster = heart_->cluster();
    cluster.check_invariants();
    for (const auto& [number, host] : cluster.hosts()) {
        if (host.free().negative()) {
            throw Violation(host.info.hostname + " is given more than it has");
        }
        if (host.duty != cluster::Duty::Active && !host.offers.empty()) {
            throw Violation(host.info.hostname + " is not to be used and is offered");
        }
    }
    check_placements();
}

/// What is new since the last step: on hosts that may be used for it, and within its role's limits.
void ModelMaster::check_placements() {
    const auto& cluster = heart_->cluster();
    std::set<std::string> given; // roles that got something new
    auto task = cluster.tasks().upper_bound(last_task_);
    for (; task != cluster.tasks().end(); ++task) {
        last_task_ = task->first;
        const auto& host = *cluster.find_host(task->second.host);
        const auto& name = task->second.name.value;
        if (host.duty != cluster::Duty::Active) {
            throw Violation(name + " is placed on " + host.info.hostname + ", which is " +
                            std::string(to_string(host.duty)));
        }
        if (host.info.role != "*" && host.info.role != task->second.role) {
            throw Violation(name + " is placed on " + host.info.hostname +
                            ", which is reserved for " + host.info.role);
        }
        if (host.state != cluster::HostState::Up || !host.inventoried) {
            throw Violation(name + " is placed on " + host.info.hostname + ", which is not up");
        }
        if (task->second.framework == heart_->services().name()) {
            given.insert(task->second.role); // a foreign one was charged with its offer
        }
    }
    auto offer = cluster.offers().upper_bound(last_offer_);
    for (; offer != cluster.offers().end(); ++offer) {
        last_offer_ = offer->first;
        if (offer->second.resources.milli_cpus > 0) {
            given.insert(offer->second.role);
        }
    }
    const auto& shares = cluster.shares();
    for (const auto& role : given) {
        const auto most = shares.role(role).milli_cpus_max;
        if (most && shares.charged_to_role(role).milli_cpus > *most) {
            throw Violation("role " + role + " is given " +
                            std::to_string(shares.charged_to_role(role).milli_cpus) + " of " +
                            std::to_string(*most) + " thousandths of a cpu");
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

} // namespace methos::simulation
