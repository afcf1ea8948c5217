#include "master/frameworks/external/messages.hpp"

#include "core/base/units.hpp"

#include <limits>

namespace methos::external {

std::string offer_id(std::uint64_t epoch, OfferNumber number) {
    return std::to_string(epoch) + "-O" + std::to_string(number.value);
}

std::optional<OfferNumber> parse_offer_id(std::uint64_t epoch, const std::string& text) {
    const auto prefix = std::to_string(epoch) + "-O";
    if (!text.starts_with(prefix)) {
        return std::nullopt;
    }
    const auto number =
        parse_int(text.substr(prefix.size()), 1, std::numeric_limits<std::int64_t>::max());
    if (!number) {
        return std::nullopt;
    }
    const OfferNumber parsed(static_cast<std::uint64_t>(*number));
    // "1-O007" is nobody's offer: an id has one spelling.
    return offer_id(epoch, parsed) == text ? std::optional(parsed) : std::nullopt;
}

std::string_view mesos_reason(Reason reason) {
    switch (reason) {
    case Reason::None:
    case Reason::CommandExited:
    case Reason::KilledByRequest:
        return ""; // Mesos gives none: the state says it
    case Reason::ContainerOom:
        return "REASON_CONTAINER_LIMITATION_MEMORY";
    case Reason::LaunchFailed:
    case Reason::ImagePullFailed:
    case Reason::ImageNotFound:
    case Reason::PortConflict:
    case Reason::DockerDown:
        return "REASON_CONTAINER_LAUNCH_FAILED";
    case Reason::InvalidSpec:
        return "REASON_TASK_INVALID";
    case Reason::PolicyDenied:
        return "REASON_TASK_UNAUTHORIZED";
    case Reason::HostUnreachable:
        return "REASON_AGENT_REMOVED";
    case Reason::HostReturned:
        return "REASON_AGENT_REREGISTERED";
    case Reason::HostGone:
        return "REASON_AGENT_REMOVED_BY_OPERATOR";
    case Reason::Reconciliation:
        return "REASON_RECONCILIATION";
    case Reason::ContainerRemoved:
        return "REASON_EXECUTOR_TERMINATED";
    case Reason::HealthCheckFailed:
        return "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED";
    case Reason::Preempted:
        return "REASON_CONTAINER_PREEMPTED";
    case Reason::InvalidOffers:
        return "REASON_INVALID_OFFERS";
    case Reason::HostDraining:
        return "REASON_AGENT_DRAINING";
    }
    return "";
}

} // namespace methos::external
