// What the homes of the state have in common: the caps that each keeps whatever its own limits are,
// and reading for those that can copy all of it.
#include "master/state/store.hpp"

#include <utility>

namespace methos::state {

namespace {

/// A copy of everything, made when the reading began.
class CopiedState final : public StateReading {
  public:
    explicit CopiedState(std::vector<Record> records) : records_(std::move(records)) {}

    [[nodiscard]] std::optional<std::vector<Record>> next() override {
        if (at_ == records_.size()) {
            return std::nullopt;
        }
        std::vector<Record> slice;
        for (std::size_t bytes = 0; bytes < slice_bytes_max && at_ < records_.size(); ++at_) {
            bytes += change_overhead_bytes + records_[at_].value.size();
            slice.push_back(std::move(records_[at_]));
        }
        return slice;
    }

  private:
    std::vector<Record> records_;
    std::size_t at_ = 0;
};

} // namespace

Result<void> check_caps(const Batch& batch) {
    if (batch.size() > batch_changes_max) {
        return Error(Code::InvalidInput,
                     "a batch of " + std::to_string(batch.size()) +
                         " changes is over the cap of batch_changes_max, " +
                         std::to_string(batch_changes_max));
    }
    std::size_t bytes = 0;
    for (const auto& change : batch) {
        if (change.key > record_key_max) {
            return Error(Code::InvalidInput,
                         "key " + std::to_string(change.key) +
                             " is over the cap of record_key_max, " +
                             std::to_string(record_key_max));
        }
        bytes += change_overhead_bytes + (change.value ? change.value->size() : 0);
    }
    if (bytes > batch_bytes_max) {
        return Error(Code::InvalidInput,
                     "a batch of " + std::to_string(bytes) +
                         " bytes is over the cap of batch_bytes_max, " +
                         std::to_string(batch_bytes_max));
    }
    return {};
}

std::unique_ptr<StateReading> Store::begin_reading() {
    std::vector<Record> records;
    load([&records](Table table, std::uint64_t key, const std::string& value) {
        records.push_back({table, key, value});
    });
    return std::make_unique<CopiedState>(std::move(records));
}

} // namespace methos::state
