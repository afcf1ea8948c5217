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
    auto& past = pasts_[entry.app];
    past.keys[entry.version] = key;
    past.bytes += entry.was.definition.size();
    bytes_ += entry.was.definition.size();
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
    const auto size = entry->second.was.definition.size();
    bytes_ -= size;
    const auto past = pasts_.find(entry->second.app);
    past->second.keys.erase(entry->second.version);
    past->second.bytes -= size;
    if (past->second.keys.empty()) {
        pasts_.erase(past);
    }
    return entries_.erase(entry);
}

void VersionHistory::trim(const AppId& app, const InUse& in_use, cluster::Step& step) {
    const auto past = pasts_.find(app);
    if (past != pasts_.end() && past->second.keys.size() > limits_.per_app) {
        const auto kept = in_use(app);
        auto over = past->second.keys.size() - limits_.per_app;
        const auto all = past->second.keys; // a copy: erasing changes it
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
    while (bytes_ > limits_.bytes) {
        const auto entry = least_missed(in_use);
        if (entry == entries_.end()) {
            return;
        }
        if (!step.has_room()) {
            step.more = true;
            return;
        }
        erase(entry, step);
    }
}

/// The oldest version that nothing refers to, of the app whose past takes the most room: who
/// changes much forgets first.
VersionHistory::Entries::iterator VersionHistory::least_missed(const InUse& in_use) {
    std::vector<std::pair<std::size_t, AppId>> largest;
    largest.reserve(pasts_.size());
    for (const auto& [app, past] : pasts_) {
        largest.emplace_back(past.bytes, app);
    }
    std::sort(largest.rbegin(), largest.rend());
    for (const auto& [bytes, app] : largest) {
        const auto kept = in_use(app);
        for (const auto& [version, key] : pasts_.at(app).keys) {
            if (!kept.contains(version)) {
                return entries_.find(key);
            }
        }
    }
    return entries_.end();
}

bool VersionHistory::forget(const AppId& app, cluster::Step& step) {
    for (auto past = pasts_.find(app); past != pasts_.end(); past = pasts_.find(app)) {
        if (!step.has_room()) {
            return false;
        }
        erase(entries_.find(past->second.keys.begin()->second), step);
    }
    return true;
}

const AppVersion* VersionHistory::find(const AppId& app, WallTime version) const {
    const auto past = pasts_.find(app);
    if (past == pasts_.end()) {
        return nullptr;
    }
    const auto key = past->second.keys.find(version);
    return key == past->second.keys.end() ? nullptr : &entries_.at(key->second).was;
}

std::vector<WallTime> VersionHistory::versions_of(const AppId& app) const {
    std::vector<WallTime> versions;
    if (const auto past = pasts_.find(app); past != pasts_.end()) {
        for (const auto& [version, key] : past->second.keys) {
            versions.push_back(version);
        }
    }
    return versions;
}

WallTime VersionHistory::newest() const {
    WallTime newest;
    for (const auto& [app, past] : pasts_) {
        newest = std::max(newest, past.keys.rbegin()->first);
    }
    return newest;
}

std::set<AppId> VersionHistory::apps() const {
    std::set<AppId> apps;
    for (const auto& [app, past] : pasts_) {
        apps.insert(app);
    }
    return apps;
}

bool VersionHistory::consistent() const {
    std::map<AppId, std::size_t> bytes;
    for (const auto& [key, entry] : entries_) {
        bytes[entry.app] += entry.was.definition.size();
        const auto past = pasts_.find(entry.app);
        if (past == pasts_.end()) {
            return false;
        }
        const auto found = past->second.keys.find(entry.version);
        if (found == past->second.keys.end() || found->second != key) {
            return false;
        }
    }
    std::size_t named = 0;
    std::size_t counted = 0;
    for (const auto& [app, past] : pasts_) {
        named += past.keys.size();
        counted += past.bytes;
        if (bytes[app] != past.bytes) {
            return false;
        }
    }
    return counted == bytes_ && named == entries_.size();
}

} // namespace methos::services
