#include "master/frameworks/services/version_history.hpp"

#include "core/base/error.hpp"
#include "master/state/records.pb.h"

#include <algorithm>

namespace methos::services {

namespace {

std::int64_t ms_of(WallTime time) {
    return time.time_since_epoch().count();
}

WallTime at_ms(std::int64_t ms) {
    return WallTime(std::chrono::milliseconds(ms));
}

} // namespace

void VersionHistory::load(std::uint64_t key, const std::string& bytes) {
    state::AppVersionRecord record;
    if (!record.ParseFromString(bytes)) {
        throw Failure(Code::Internal,
                      "the stored version " + std::to_string(key) + " of an app is damaged");
    }
    Entry entry;
    entry.app = AppId(record.app());
    entry.version = at_ms(record.version_ms());
    entry.was.definition = record.definition();
    entry.was.last_scaling_at = at_ms(record.last_scaling_at_ms());
    entry.was.last_config_change_at = at_ms(record.last_config_change_at_ms());
    insert(key, std::move(entry));
}

void VersionHistory::insert(std::uint64_t key, Entry entry) {
    next_key_ = std::max(next_key_, key + 1);
    bytes_ += entry.was.definition.size();
    keys_[entry.app][entry.version] = key;
    entries_.emplace(key, std::move(entry));
}

void VersionHistory::add(const AppId& app, WallTime version, AppVersion was, cluster::Step& step) {
    state::AppVersionRecord record;
    record.set_app(app.value);
    record.set_version_ms(ms_of(version));
    record.set_definition(was.definition);
    record.set_last_scaling_at_ms(ms_of(was.last_scaling_at));
    record.set_last_config_change_at_ms(ms_of(was.last_config_change_at));
    step.put(state::Table::AppVersion, next_key_, record.SerializeAsString());
    insert(next_key_, {app, version, std::move(was)});
}

VersionHistory::Entries::iterator VersionHistory::erase(Entries::iterator entry,
                                                        cluster::Step& step) {
    step.erase(state::Table::AppVersion, entry->first);
    bytes_ -= entry->second.was.definition.size();
    const auto of_app = keys_.find(entry->second.app);
    of_app->second.erase(entry->second.version);
    if (of_app->second.empty()) {
        keys_.erase(of_app);
    }
    return entries_.erase(entry);
}

void VersionHistory::trim(const AppId& app, const InUse& in_use, cluster::Step& step) {
    const auto of_app = keys_.find(app);
    if (of_app != keys_.end() && of_app->second.size() > limits_.per_app) {
        const auto kept = in_use(app);
        auto over = of_app->second.size() - limits_.per_app;
        const auto all = of_app->second; // a copy: erasing changes it
        for (auto at = all.begin(); at != all.end() && over > 0; ++at) {
            if (kept.contains(at->first)) {
                continue;
            }
            if (!step.has_room()) {
                step.more = true;
                return;
            }
            erase(entries_.find(at->second), step);
            --over;
        }
    }
    for (auto oldest = entries_.begin(); bytes_ > limits_.bytes && oldest != entries_.end();) {
        if (in_use(oldest->second.app).contains(oldest->second.version)) {
            ++oldest;
        } else if (step.has_room()) {
            oldest = erase(oldest, step);
        } else {
            step.more = true;
            return;
        }
    }
}

bool VersionHistory::forget(const AppId& app, cluster::Step& step) {
    for (auto of_app = keys_.find(app); of_app != keys_.end(); of_app = keys_.find(app)) {
        if (!step.has_room()) {
            return false;
        }
        erase(entries_.find(of_app->second.begin()->second), step);
    }
    return true;
}

const AppVersion* VersionHistory::find(const AppId& app, WallTime version) const {
    const auto of_app = keys_.find(app);
    if (of_app == keys_.end()) {
        return nullptr;
    }
    const auto key = of_app->second.find(version);
    return key == of_app->second.end() ? nullptr : &entries_.at(key->second).was;
}

std::vector<WallTime> VersionHistory::versions_of(const AppId& app) const {
    std::vector<WallTime> versions;
    if (const auto of_app = keys_.find(app); of_app != keys_.end()) {
        for (const auto& [version, key] : of_app->second) {
            versions.push_back(version);
        }
    }
    return versions;
}

WallTime VersionHistory::newest() const {
    WallTime newest;
    for (const auto& [app, versions] : keys_) {
        newest = std::max(newest, versions.rbegin()->first);
    }
    return newest;
}

std::set<AppId> VersionHistory::apps() const {
    std::set<AppId> apps;
    for (const auto& [app, versions] : keys_) {
        apps.insert(app);
    }
    return apps;
}

bool VersionHistory::consistent() const {
    std::size_t bytes = 0;
    std::size_t named = 0;
    for (const auto& [key, entry] : entries_) {
        bytes += entry.was.definition.size();
        const auto of_app = keys_.find(entry.app);
        if (of_app == keys_.end()) {
            return false;
        }
        const auto found = of_app->second.find(entry.version);
        if (found == of_app->second.end() || found->second != key) {
            return false;
        }
    }
    for (const auto& [app, versions] : keys_) {
        named += versions.size();
    }
    return bytes == bytes_ && named == entries_.size();
}

} // namespace methos::services
