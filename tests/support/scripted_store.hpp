// A store in memory that does what a test says: hold a commit back, or refuse it as a full disk
// would.
#pragma once

#include "core/base/error.hpp"
#include "master/state/store.hpp"

#include <condition_variable>
#include <map>
#include <mutex>

namespace methos::test {

class ScriptedStore final : public state::Store {
  public:
    void load(
        const std::function<void(state::Table, std::uint64_t, const std::string&)>& each) override {
        const std::lock_guard lock(mutex_);
        for (const auto& [place, value] : records_) {
            each(place.first, place.second, value);
        }
    }

    void commit(const std::vector<state::Batch>& batches) override {
        std::unique_lock lock(mutex_);
        ++commits_begun_;
        changed_.notify_all();
        changed_.wait(lock, [this] { return !held_; });
        if (full_) {
            throw Failure(Code::ResourceExhausted, "the disk is full");
        }
        for (const auto& batch : batches) {
            if (const auto within = state::check_caps(batch); !within) {
                throw Failure(within.error());
            }
        }
        for (const auto& batch : batches) {
            for (const auto& change : batch) {
                const auto place = std::make_pair(change.table, change.key);
                if (change.value) {
                    records_[place] = *change.value;
                } else {
                    records_.erase(place);
                }
            }
        }
    }

    [[nodiscard]] bool tidy() override { return false; }

    /// Commits that begin from now on wait.
    void hold() { set(held_, true); }

    void let_go() { set(held_, false); }

    void fill_disk() { set(full_, true); }

    void make_room() { set(full_, false); }

    [[nodiscard]] std::size_t commits_begun() const {
        const std::lock_guard lock(mutex_);
        return commits_begun_;
    }

  private:
    void set(bool& flag, bool value) {
        const std::lock_guard lock(mutex_);
        flag = value;
        changed_.notify_all();
    }

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool held_ = false;
    bool full_ = false;
    std::size_t commits_begun_ = 0;
    std::map<std::pair<state::Table, std::uint64_t>, std::string> records_;
};

} // namespace methos::test
