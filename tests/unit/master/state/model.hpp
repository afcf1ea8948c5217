// What the tests of the stores share: the state as a plain map, and random changes of it.
#pragma once

#include "master/state/store.hpp"

#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace methos::state::test {

using Model = std::map<std::pair<Table, std::uint64_t>, std::string>;

inline void apply_to(Model& model, const std::vector<Batch>& batches) {
    for (const auto& batch : batches) {
        for (const auto& change : batch) {
            if (change.value) {
                model[{change.table, change.key}] = *change.value;
            } else {
                model.erase({change.table, change.key});
            }
        }
    }
}

/// What a store holds. `ordered` says whether it came in (table, key) order, each record once.
inline Model read(Store& store, bool& ordered) {
    Model found;
    ordered = true;
    store.load([&](Table table, std::uint64_t key, const std::string& value) {
        const std::pair place(table, key);
        ordered = ordered && (found.empty() || found.rbegin()->first < place);
        found[place] = value;
    });
    return found;
}

inline std::string random_value(std::mt19937& random) {
    std::string value(random() % 40, '\0');
    for (auto& byte : value) {
        byte = static_cast<char>(random());
    }
    return value;
}

/// Few keys, so that records are changed, erased and made again.
inline std::vector<Batch> random_batches(std::mt19937& random) {
    std::vector<Batch> batches(random() % 4);
    for (auto& batch : batches) {
        batch.resize(random() % 8);
        for (auto& change : batch) {
            change.table = tables.at(random() % tables.size());
            change.key = random() % 12;
            if (random() % 3 != 0) {
                change.value = random_value(random);
            }
        }
    }
    return batches;
}

} // namespace methos::state::test
