// Offers, and what becomes of them: declined, or accepted and launched from as steps have room.
#include "core/wire/mapping.hpp"
#include "master/frameworks/external/external.hpp"
#include "master/frameworks/external/publish.hpp"
#include "master/frameworks/external/stored.hpp"

#include <algorithm>

namespace methos::external {

namespace {

constexpr Duration refuse_default = Duration(-1); // the cluster has Mesos's

/// What cannot be stored, loaded and sent must not be launched. Errors: what is too large or
/// illegal.
Result<void> survives_the_wire(TaskSpec spec, const TaskRequest& request) {
    spec.number = SpecNumber(1);
    wire::TaskSpec spec_message;
    wire::to_wire(spec, spec_message);
    if (const auto back = wire::from_wire(spec_message); !back) {
        return back.error();
    }
    TaskLaunch launch;
    launch.number = TaskNumber(1);
    launch.name = TaskName(request.task_id);
    launch.spec = spec.number;
    launch.host_ports = request.host_ports;
    launch.env = request.env;
    wire::TaskLaunch launch_message;
    wire::to_wire(launch, launch_message);
    if (const auto back = wire::from_wire(launch_message); !back) {
        return back.error();
    }
    return {};
}

bool same_but_for_number(TaskSpec a, const TaskSpec& b) {
    a.number = b.number;
    a.hash = b.hash;
    return a == b;
}

} // namespace

void External::offers_made(const FrameworkId& id,
                           const std::vector<const cluster::Offer*>& offers,
                           cluster::Step& step) {
    const auto& framework = frameworks_.at(id);
    Offers body;
    body.framework = id;
    body.multi_role = framework.info.can("MULTI_ROLE");
    for (const auto* offer : offers) {
        body.offers.push_back(*offer);
    }
    publish(framework, std::move(body), step);
}

void External::offer_rescinded(const FrameworkId& id,
                               const cluster::Offer& offer,
                               cluster::Step& step) {
    publish(frameworks_.at(id), Rescind{offer.number}, step);
}

void External::host_lost(const FrameworkId& id, const cluster::Host& host, cluster::Step& step) {
    publish(frameworks_.at(id), Failed{host.info.id}, step);
}

void External::decline(ForeignFramework& framework, const Decline& call, cluster::Step& step) {
    for (const auto& text : call.offer_ids) {
        // One that is no longer valid was rescinded on its way; Mesos says nothing either.
        if (const auto number = parse_offer_id(cluster_.epoch(), text)) {
            (void)cluster_.decline(
                framework.info.id.value, *number, call.refuse.value_or(refuse_default), step);
        }
    }
}

void External::suppress(ForeignFramework& framework, const Suppress& call, cluster::Step& step) {
    for (const auto& role : framework.info.roles) {
        const bool named =
            std::find(call.roles.begin(), call.roles.end(), role) != call.roles.end();
        if (call.roles.empty() || named) {
            framework.suppressed_roles.insert(role);
        }
    }
    set_terms(framework, step);
}

void External::revive(ForeignFramework& framework, const Revive& call, cluster::Step& step) {
    for (const auto& role : call.roles.empty() ? framework.info.roles : call.roles) {
        framework.suppressed_roles.erase(role);
    }
    set_terms(framework, step);
    cluster_.revive(framework.info.id.value, call.roles);
}

void External::accept(ForeignFramework& framework, const Accept& call, cluster::Step& step) {
    for (const auto& operation : call.unsupported) {
        const auto why = operation.type + " is not supported: Methos has no dynamic reservations "
                                          "and no persistent volumes";
        if (operation.id.empty()) {
            step.note("framework " + label_of(framework) + ": " + why);
        } else {
            publish(framework, OperationStatus{operation.id, "OPERATION_DROPPED", why}, step);
        }
    }
    if (framework.to_launch.size() + call.launches.size() > limits_.to_launch_max) {
        for (const auto& request : call.launches) {
            tell_not_launched(framework,
                              request,
                              TaskState::Dropped,
                              "",
                              "more than " + std::to_string(limits_.to_launch_max) +
                                  " tasks wait to be launched",
                              step);
        }
        Decline all;
        all.offer_ids = call.offer_ids;
        decline(framework, all, step);
        return;
    }
    std::vector<OfferNumber> offers;
    for (const auto& text : call.offer_ids) {
        // Number 0 is nobody's: the claim fails and gives the others back.
        offers.push_back(parse_offer_id(cluster_.epoch(), text).value_or(OfferNumber()));
    }
    const auto claim = cluster_.claim(framework.info.id.value, offers, step.now);
    if (!claim) {
        for (const auto& request : call.launches) {
            tell_not_launched(framework,
                              request,
                              TaskState::Dropped,
                              "REASON_INVALID_OFFERS",
                              "Task launched with invalid offers: " + claim.error().message,
                              step);
        }
        return;
    }
    Launching launching;
    launching.framework = framework.info.id;
    launching.claim = *claim;
    launching.tasks = {call.launches.begin(), call.launches.end()};
    launching.refuse = call.refuse.value_or(refuse_default);
    for (const auto& request : call.launches) {
        framework.to_launch.insert(request.task_id);
    }
    launching_.push_back(std::move(launching));
    go_on_launching(step);
}

void External::go_on_launching(cluster::Step& step) {
    while (!launching_.empty()) {
        auto& front = launching_.front();
        auto& framework = frameworks_.at(front.framework);
        while (!front.tasks.empty()) {
            if (!step.has_room()) {
                step.more = true;
                return;
            }
            const auto request = std::move(front.tasks.front());
            front.tasks.pop_front();
            framework.to_launch.erase(framework.to_launch.find(request.task_id));
            launch(framework, request, front.claim, step);
        }
        cluster_.release(front.claim, front.refuse, step.now);
        launching_.pop_front();
    }
}

void External::drop_launches(ForeignFramework& framework, Now now) {
    for (const auto& launching : launching_) {
        if (launching.framework == framework.info.id) {
            cluster_.release(launching.claim, Duration::zero(), now);
        }
    }
    std::erase_if(launching_, [&](const Launching& launching) {
        return launching.framework == framework.info.id;
    });
    framework.to_launch.clear();
}

std::string External::why_never(const ForeignFramework& framework,
                                const TaskRequest& request,
                                const HostId& offered) const {
    if (!request.invalid.empty()) {
        return request.invalid;
    }
    if (framework.tasks.contains(request.task_id)) {
        return "Task has duplicate ID: " + request.task_id;
    }
    if (request.agent_id != offered) {
        return "Task uses invalid agent " + request.agent_id.value + " while agent " +
               offered.value + " is expected";
    }
    if (request.spec.image.empty()) {
        return "the task has a command and no image: give it a container with a DockerInfo, or "
               "start the master with --default-image";
    }
    const auto legal = survives_the_wire(request.spec, request);
    return legal ? "" : legal.error().message;
}

void External::launch(ForeignFramework& framework,
                      TaskRequest request,
                      cluster::ClaimNumber claim,
                      cluster::Step& step) {
    const auto refused = [&](TaskState state, const char* reason, const std::string& message) {
        tell_not_launched(framework, request, state, reason, message, step);
    };
    const auto* left = cluster_.find_claim(claim);
    if (left == nullptr) {
        refused(TaskState::Dropped, "REASON_AGENT_REMOVED", "the agent went away meanwhile");
        return;
    }
    const auto agent = cluster_.find_host(left->host)->info.id;
    auto& spec = request.spec;
    if (spec.image.empty()) {
        spec.image = default_image_;
    }
    spec.framework = framework.info.id.value;
    if (const auto why = why_never(framework, request, agent); !why.empty()) {
        note_invalid(framework, request, why, step);
        refused(TaskState::Error,
                request.of_group ? "REASON_TASK_GROUP_INVALID" : "REASON_TASK_INVALID",
                why);
        return;
    }
    if (framework.unacknowledged >= limits_.unacknowledged_max) {
        refused(TaskState::Dropped,
                "",
                "the framework has " + std::to_string(framework.unacknowledged) +
                    " status updates to acknowledge first");
        return;
    }
    start(framework, request, agent, claim, step);
}

/// One line a second: whoever launches one task that cannot be often launches a thousand.
void External::note_invalid(ForeignFramework& framework,
                            const TaskRequest& request,
                            const std::string& why,
                            cluster::Step& step) {
    constexpr Duration quiet = std::chrono::seconds(1);
    if (framework.invalid_noted_at != MonoTime::min() &&
        step.now.mono < framework.invalid_noted_at + quiet) {
        return;
    }
    framework.invalid_noted_at = step.now.mono;
    step.warn("task " + request.task_id + " of framework " + label_of(framework) +
              " cannot be launched: " + why);
}

void External::start(ForeignFramework& framework,
                     const TaskRequest& request,
                     const HostId& agent,
                     cluster::ClaimNumber claim,
                     cluster::Step& step) {
    cluster::Launching launching;
    launching.name = free_name(request.task_id, step);
    launching.spec = spec_of(framework, request.spec, step);
    launching.host_ports = request.host_ports;
    launching.env = request.env;
    launching.env["MESOS_TASK_ID"] = request.task_id;
    const auto spec = launching.spec->number;
    const auto name = launching.name;
    const auto number = cluster_.launch(claim, std::move(launching), step);
    if (!number) {
        release_spec(framework, spec, step);
        const bool gone = number.error().code == Code::Unavailable;
        if (!gone) {
            note_invalid(framework, request, number.error().message, step);
        }
        tell_not_launched(framework,
                          request,
                          gone ? TaskState::Dropped : TaskState::Error,
                          gone ? "REASON_AGENT_REMOVED" : "REASON_TASK_INVALID",
                          number.error().message,
                          step);
        return;
    }
    ForeignTask task;
    task.key = next_update_key_++;
    task.id = request.task_id;
    task.name = name;
    task.number = *number;
    task.definition = request.definition;
    task.latest.task_id = task.id;
    task.latest.agent_id = agent;
    task.latest.time = step.now.wall;
    step.put(state::Table::Update, task.key, stored_task(framework.key, task));
    names_.take(name);
    framework.ids.emplace(*number, task.id);
    task_by_key_.emplace(task.key, std::pair(&framework, task.id));
    framework.tasks.emplace(task.id, std::move(task));
}

TaskName External::free_name(const std::string& task_id, cluster::Step& step) {
    constexpr std::size_t suffix_length = 8;
    TaskName name(task_id);
    while (names_.taken(name) || cluster_.find_task(name) != nullptr) {
        name.value = task_id + "@" + cluster_.new_uuid(step).substr(0, suffix_length);
    }
    return name;
}

std::shared_ptr<const TaskSpec>
External::spec_of(ForeignFramework& framework, TaskSpec spec, cluster::Step& step) {
    const auto [first, last] = framework.spec_by_hash.equal_range(hash_of(spec));
    for (auto known = first; known != last; ++known) {
        auto shared = cluster_.find_spec(known->second);
        if (shared && same_but_for_number(spec, *shared)) {
            return shared;
        }
    }
    auto added = cluster_.find_spec(cluster_.add_spec(std::move(spec), step));
    framework.spec_by_hash.emplace(added->hash, added->number);
    return added;
}

void External::release_spec(ForeignFramework& framework, SpecNumber number, cluster::Step& step) {
    if (cluster_.uses(number)) {
        return;
    }
    std::erase_if(framework.spec_by_hash,
                  [number](const auto& known) { return known.second == number; });
    cluster_.drop_spec(number, step);
}

} // namespace methos::external
