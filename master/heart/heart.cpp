#include "master/heart/heart.hpp"

#include <algorithm>

namespace methos::heart {

Heart::Heart(const Options& options)
    : cluster_(options.policy), services_(cluster_, options.default_image),
      external_(cluster_, options.external, options.default_image) {
    cluster::FrameworkTerms terms;
    terms.moves_tasks = true;
    cluster_.add_framework(services_, terms);
}

void Heart::load(state::Table table, std::uint64_t key, const std::string& bytes) {
    switch (table) {
    case state::Table::Meta:
        cluster_.load_meta(bytes);
        break;
    case state::Table::Host:
        cluster_.load_host(HostNumber(key), bytes);
        break;
    case state::Table::App:
        services_.load_app(key, bytes);
        break;
    case state::Table::AppVersion:
        services_.load_version(key, bytes);
        break;
    case state::Table::AppEnd:
        services_.load_ends(key, bytes);
        break;
    case state::Table::Spec:
        cluster_.load_spec(SpecNumber(key), bytes);
        break;
    case state::Table::Task:
        cluster_.load_task(TaskNumber(key), bytes);
        break;
    case state::Table::Role:
        cluster_.load_role(key, bytes);
        break;
    case state::Table::Framework:
        external_.load_framework(key, bytes);
        break;
    case state::Table::Update:
        external_.load_update(key, bytes);
        break;
    }
}

void Heart::loaded() {
    services_.loaded();
    external_.loaded();
}

void Heart::begin(cluster::Step& step, const std::string& random_cluster_id) {
    cluster_.begin(step, random_cluster_id);
}

void Heart::decide(cluster::Step& step) {
    cluster_.tick(step);
    services_.decide(step);
    external_.decide(step);
    cluster_.allocate(step);
}

Heart::Counts Heart::counts() const {
    const auto& hosts = cluster_.hosts();
    const auto up = std::count_if(hosts.begin(), hosts.end(), [](const auto& entry) {
        return entry.second.state == cluster::HostState::Up;
    });
    return {static_cast<std::size_t>(up), cluster_.tasks().size(), cluster_.removals_held()};
}

} // namespace methos::heart
