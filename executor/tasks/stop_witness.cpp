#include "executor/tasks/stop_witness.hpp"

#include <algorithm>

namespace methos::executor {

void StopWitness::signalled(const std::string& container_id, WallTime at) {
    if (signalled_.size() >= containers_max && !signalled_.contains(container_id)) {
        signalled_.erase(std::min_element(
            signalled_.begin(), signalled_.end(), [](const auto& one, const auto& other) {
                return one.second < other.second;
            }));
    }
    auto& last = signalled_[container_id];
    last = std::max(last, at); // events may come twice
}

void StopWitness::testify(ContainerFacts& facts) const {
    facts.docker_since = docker_since_;
    const auto found = signalled_.find(facts.id);
    if (found != signalled_.end()) {
        facts.signalled_at = found->second;
    }
}

} // namespace methos::executor
