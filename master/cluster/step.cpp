#include "master/cluster/step.hpp"

#include <algorithm>

namespace methos::cluster {

void Step::put(state::Table table, std::uint64_t key, std::string value) {
    bytes_ += value.size();
    // A record that changes twice in one step is written once.
    const auto same =
        std::find_if(changes.begin(), changes.end(), [&](const state::Change& change) {
            return change.table == table && change.key == key;
        });
    if (same != changes.end()) {
        same->value = std::move(value);
    } else {
        changes.push_back({table, key, std::move(value)});
    }
}

void Step::erase(state::Table table, std::uint64_t key) {
    const auto same =
        std::find_if(changes.begin(), changes.end(), [&](const state::Change& change) {
            return change.table == table && change.key == key;
        });
    if (same != changes.end()) {
        same->value.reset();
    } else {
        changes.push_back({table, key, std::nullopt});
    }
}

void Step::send(SessionNumber session, decltype(Message::body) body) {
    messages.push_back({session, std::move(body)});
}

bool Step::has_room() const {
    constexpr std::size_t reserve_changes = 24;
    constexpr std::size_t reserve_bytes = 400'000;
    return changes.size() + reserve_changes <= state::batch_changes_max &&
           bytes_ + reserve_bytes <= state::batch_bytes_max;
}

} // namespace methos::cluster
