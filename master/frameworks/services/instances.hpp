// The instances of one app, counted and sorted as their changes come in, so that a decision costs
// what it changes and not what exists. A value of Services', told of every change; it decides
// nothing. That its counts are those of a census is one of the heart's invariants.
#pragma once

#include "master/cluster/types.hpp"
#include "master/frameworks/services/definition/app_definition.hpp"

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace methos::services {

/// What an instance is good for.
enum class Standing : std::uint8_t {
    Healthy, ///< runs, and its checks say that it is well
    Running, ///< runs, and nobody says that it is not well
    Ill,
    Starting,
    Unreachable, ///< its host is lost
    Ending,      ///< is being killed
    EndingAway,  ///< will be killed when its lost host returns
};

[[nodiscard]] Standing standing_of(const cluster::Task& task);

/// Runs or will run, as far as anybody knows.
[[nodiscard]] inline bool is_active(Standing standing) {
    return standing <= Standing::Starting;
}

[[nodiscard]] inline bool is_running(Standing standing) {
    return standing <= Standing::Ill;
}

class Instances {
  public:
    /// Instances between which decisions make no difference but by age.
    struct Group {
        HostNumber away_on; ///< of those on a lost host: which
        SpecNumber spec;
        bool leaving = false; ///< their host is drained or gone
        Standing standing = Standing::Starting;
        friend auto operator<=>(const Group&, const Group&) = default;
    };

    /// By number, which is by age.
    using Members = std::set<TaskNumber>;

    /// Takes in an instance, or what has changed of it; `host` is the one it is on.
    void note(const cluster::Task& task, const cluster::Host& host);
    void remove(const cluster::Task& task);

    [[nodiscard]] const std::map<Group, Members>& groups() const { return groups_; }

    /// How many are there that `which` says yes to.
    [[nodiscard]] std::size_t count(const std::function<bool(const Group&)>& which) const;
    /// Of those the one to be killed first: one that does not run yet, then one that is ill, then
    /// by age.
    [[nodiscard]] std::optional<TaskNumber>
    worst(KillSelection selection, const std::function<bool(const Group&)>& which) const;
    /// How many are on a host, in whatever standing.
    [[nodiscard]] std::size_t on(HostNumber host) const;

    // --- values of hosts that constraints are about
    // ------------------------------------------------------------------------------
    /// From now on the values of these fields are counted. `find_host` is asked for hosts that have
    /// instances.
    void count_fields(std::vector<std::string> fields,
                      const std::function<const cluster::Host*(HostNumber)>& find_host);
    /// Its hostname or attributes may differ now.
    void host_changed(const cluster::Host& host);

    /// How many active instances are where the field that was named i-th has each value.
    [[nodiscard]] const std::map<std::string, std::size_t>& values(std::size_t i) const {
        return values_.at(i);
    }

    friend bool operator==(const Instances&, const Instances&) = default;

  private:
    struct Place {
        std::size_t all = 0;
        std::size_t active = 0;
        std::vector<std::optional<std::string>> values; ///< of the fields, as they were counted
        friend bool operator==(const Place&, const Place&) = default;
    };

    Place& place_of(const cluster::Host& host);
    std::optional<Standing> take_out(const cluster::Task& task);
    void count_active(Place& place, bool more);
    void read_values(Place& place, const cluster::Host& host);

    std::map<Group, Members> groups_; ///< none of them empty
    std::map<HostNumber, Place> places_;
    std::vector<std::string> fields_;
    std::vector<std::map<std::string, std::size_t>> values_; ///< by field; none of them 0
};

/// What a constraint on `field` compares: the hostname, or an attribute. Nothing where the host has
/// none.
[[nodiscard]] std::optional<std::string> value_on(const cluster::Host& host,
                                                  const std::string& field);

} // namespace methos::services
