#include "master/frameworks/external/publish.hpp"

namespace methos::external {

void publish(const ForeignFramework& framework, EventBody body, cluster::Step& step) {
    if (!framework.subscribed()) {
        return;
    }
    if (auto* update = std::get_if<Update>(&body)) {
        update->lost = is_partition_state(update->state) && !framework.info.can("PARTITION_AWARE");
    }
    step.publications.push_back(std::make_shared<Event>(framework.stream, std::move(body)));
}

void tell_watchers(const ForeignFramework& framework,
                   cluster::FrameworkChanged::Kind kind,
                   cluster::Step& step) {
    if (step.watched) {
        step.publications.push_back(
            std::make_shared<cluster::FrameworkChanged>(framework.info.id.value, kind));
    }
}

std::string label_of(const ForeignFramework& framework) {
    return "'" + framework.info.name + "' (" + framework.info.id.value + ")";
}

bool is_partition_state(TaskState state) {
    switch (state) {
    case TaskState::Dropped:
    case TaskState::Unreachable:
    case TaskState::Gone:
    case TaskState::GoneByOperator:
    case TaskState::Unknown:
        return true;
    default:
        return false;
    }
}

} // namespace methos::external
