// The home of the state that forgets when it ends: for tests and the simulation. Keeps the same
// caps as the others.
#include "master/state/store.hpp"

#include <map>
#include <utility>

namespace methos::state {

namespace {

class MemoryStore final : public Store {
  public:
    void load(const std::function<void(Table, std::uint64_t, const std::string&)>& each) override {
        for (const auto& [place, value] : records_) {
            each(place.first, place.second, value);
        }
    }

    void commit(const std::vector<Batch>& batches) override {
        for (const auto& batch : batches) {
            if (const auto within = check_caps(batch); !within) {
                throw Failure(within.error());
            }
        }
        for (const auto& batch : batches) {
            for (const auto& change : batch) {
                apply(change);
            }
        }
    }

    [[nodiscard]] bool tidy() override { return false; }

  private:
    void apply(const Change& change) {
        const std::pair place(change.table, change.key);
        if (change.value) {
            records_[place] = *change.value;
        } else {
            records_.erase(place);
        }
    }

    std::map<std::pair<Table, std::uint64_t>, std::string> records_;
};

} // namespace

std::unique_ptr<Store> make_memory_store() {
    return std::make_unique<MemoryStore>();
}

} // namespace methos::state
