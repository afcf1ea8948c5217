// The caps that every home of the state keeps, whatever its own limits are.
#include "master/state/store.hpp"

namespace methos::state {

Result<void> check_caps(const Batch& batch) {
    if (batch.size() > batch_changes_max) {
        return Error(Code::ResourceExhausted,
                     "a batch of " + std::to_string(batch.size()) +
                         " changes is over the cap of batch_changes_max, " +
                         std::to_string(batch_changes_max));
    }
    std::size_t bytes = 0;
    for (const auto& change : batch) {
        if (change.key > record_key_max) {
            return Error(Code::ResourceExhausted,
                         "key " + std::to_string(change.key) +
                             " is over the cap of record_key_max, " +
                             std::to_string(record_key_max));
        }
        bytes += change_overhead_bytes + (change.value ? change.value->size() : 0);
    }
    if (bytes > batch_bytes_max) {
        return Error(Code::ResourceExhausted,
                     "a batch of " + std::to_string(bytes) +
                         " bytes is over the cap of batch_bytes_max, " +
                         std::to_string(batch_bytes_max));
    }
    return {};
}

} // namespace methos::state
