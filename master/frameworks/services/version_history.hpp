// What apps were before: the definition of each version that a later one has replaced, durable, so
// that somebody can look at it and go back to it. Owned by Services, who tells which versions are
// still in use; the present version of an app is not in here. Pure: changes leave through a Step.
#pragma once

#include "core/base/clock.hpp"
#include "core/base/ids.hpp"
#include "master/cluster/step.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace methos::services {

/// An app as one of its versions has it.
struct AppVersion {
    std::string definition; ///< stored_text
    WallTime last_scaling_at;
    WallTime last_config_change_at;
    friend bool operator==(const AppVersion&, const AppVersion&) = default;
};

class VersionHistory {
  public:
    struct Limits {
        std::size_t per_app = 49; ///< with the present one 50, as many as Marathon keeps
        std::size_t bytes = std::size_t{64} * 1024 * 1024; ///< of all definitions together
    };

    /// Which versions of an app something still refers to: they are never forgotten.
    using InUse = std::function<std::set<WallTime>(const AppId&)>;

    VersionHistory() = default;

    explicit VersionHistory(Limits limits) : limits_(limits) {}

    /// One stored record. Throws Failure(Internal) when it is damaged.
    void load(std::uint64_t key, const std::string& bytes);

    /// Remembers what `app` was until now. Over the limits until somebody trims.
    void add(const AppId& app, WallTime version, AppVersion was, cluster::Step& step);

    /// Forgets what is over the limits, the oldest first: of this app, and of those apps whose past
    /// takes the most room. Sets Step::more when the step was too full to finish.
    void trim(const AppId& app, const InUse& in_use, cluster::Step& step);

    /// Forgets everything of an app. False when the step was too full to finish.
    [[nodiscard]] bool forget(const AppId& app, cluster::Step& step);

    [[nodiscard]] const AppVersion* find(const AppId& app, WallTime version) const;
    /// Oldest first.
    [[nodiscard]] std::vector<WallTime> versions_of(const AppId& app) const;

    /// Of all versions of all apps; the beginning of time when there are none.
    [[nodiscard]] WallTime newest() const;

    /// Every app that has a past.
    [[nodiscard]] std::set<AppId> apps() const;

    /// That every version is found by each of its names, and that the bytes are counted right.
    [[nodiscard]] bool consistent() const;

  private:
    struct Entry {
        AppId app;
        WallTime version;
        AppVersion was;
    };

    using Entries = std::map<std::uint64_t, Entry>;

    struct Past {
        std::map<WallTime, std::uint64_t> keys;
        std::size_t bytes = 0; ///< of its definitions
    };

    void insert(std::uint64_t key, Entry entry);
    Entries::iterator least_missed(const InUse& in_use);
    Entries::iterator erase(Entries::iterator entry, cluster::Step& step);

    Limits limits_;
    Entries entries_; ///< by key of the record, which is by age
    std::map<AppId, Past> pasts_;
    std::size_t bytes_ = 0;
    std::uint64_t next_key_ = 1;
};

} // namespace methos::services
