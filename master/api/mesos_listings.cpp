#include "master/api/mesos_listings.hpp"

#include <nlohmann/json.hpp>

namespace methos::master::mesos {

namespace {

using nlohmann::json;

using TaskPrinter = json (*)(const cluster::Task& task, const heart::Heart& heart);

bool reaches(const cluster::Task& task, Reach reach) {
    return reach == Reach::Any || task.unreachable == (reach == Reach::Unreachable);
}

/// Tasks of the whole cluster, in its own order; of one framework when that is not empty.
Listing::Next
each_cluster_task(const Shell& shell, Reach reach, std::string framework, TaskPrinter print) {
    return [&shell, reach, framework = std::move(framework), print, cursor = Cursor<TaskNumber>()](
               std::string& out) mutable {
        const auto& heart = shell.heart();
        const auto* entry = cursor.next(heart.cluster().tasks());
        if (entry == nullptr) {
            return false;
        }
        const auto& task = entry->second;
        if (reaches(task, reach) && (framework.empty() || task.framework == framework)) {
            out = external::print_line(print(task, heart));
        }
        return true;
    };
}

/// Tasks of one foreign framework: by its own list, or each of 1,000 frameworks would look at all
/// tasks.
Listing::Next
each_foreign_task(const Shell& shell, Reach reach, external::FrameworkId id, TaskPrinter print) {
    return [&shell, reach, id = std::move(id), print, cursor = Cursor<std::string>()](
               std::string& out) mutable {
        const auto& heart = shell.heart();
        const auto* framework = heart.external().find(id);
        const auto* entry = framework == nullptr ? nullptr : cursor.next(framework->tasks);
        if (entry == nullptr) {
            return false;
        }
        const auto* task = heart.cluster().find_task(entry->second.number);
        if (task != nullptr && reaches(*task, reach)) {
            out = external::print_line(print(*task, heart));
        }
        return true;
    };
}

std::vector<FrameworkView> views_of(const heart::Heart& heart, bool completed) {
    std::vector<FrameworkView> views;
    for (const auto& [id, framework] : heart.external().frameworks()) {
        if ((framework.state == external::FrameworkState::Completed) == completed) {
            views.push_back(view_of(framework));
        }
    }
    return views;
}

/// Prints views that were made before: there are few, and they are small.
Listing::Next each_view(std::vector<FrameworkView> views) {
    return [views = std::move(views), at = std::size_t{0}](std::string& out) mutable {
        if (at == views.size()) {
            return false;
        }
        out = external::print_line(v1_framework(views[at++]));
        return true;
    };
}

/// Over tasks have no key of their own: the place in their framework's list is one, which tasks
/// that are forgotten meanwhile may shift.
Listing::Next each_over_task(const Shell& shell) {
    return [&shell,
            cursor = Cursor<external::FrameworkId>(),
            id = external::FrameworkId(),
            at = std::size_t{0}](std::string& out) mutable {
        const auto& external = shell.heart().external();
        const auto* framework = external.find(id);
        if (framework != nullptr && at < framework->over.size()) {
            const auto& task = framework->over[at++];
            out = external::print_line(external::over_task_json(id, task.definition, task.last));
            return true;
        }
        const auto* next = cursor.next(external.frameworks());
        if (next == nullptr) {
            return false;
        }
        id = next->first;
        at = 0;
        return true;
    };
}

} // namespace

Listing::Next each_host(const Shell& shell, json (*print)(const cluster::Host& host)) {
    return [&shell, print, cursor = Cursor<HostNumber>()](std::string& out) mutable {
        const auto* entry = cursor.next(shell.heart().cluster().hosts());
        if (entry == nullptr) {
            return false;
        }
        out = external::print_line(print(entry->second));
        return true;
    };
}

Listing::Next each_v0_task(const Shell& shell, Reach reach, const std::string& framework) {
    external::FrameworkId id(framework);
    if (shell.heart().external().find(id) != nullptr) {
        return each_foreign_task(shell, reach, std::move(id), v0_task);
    }
    return each_cluster_task(shell, reach, framework, v0_task);
}

FrameworkView view_of(const external::ForeignFramework& framework) {
    FrameworkView view;
    view.info = framework.info;
    view.connected = framework.subscribed();
    view.registered_at = framework.registered_at;
    return view;
}

std::vector<FrameworkView> frameworks_of(const heart::Heart& heart) {
    auto views = views_of(heart, false);
    views.insert(views.begin(), services_view());
    return views;
}

std::vector<FrameworkView> completed_frameworks_of(const heart::Heart& heart) {
    return views_of(heart, true);
}

void list_tasks(Listing& listing, const Shell& shell) {
    listing.text(R"({"tasks":[)")
        .items(each_cluster_task(shell, Reach::Reachable, std::string(), v1_task))
        .text(R"(],"unreachable_tasks":[)")
        .items(each_cluster_task(shell, Reach::Unreachable, std::string(), v1_task))
        .text(R"(],"completed_tasks":[)")
        .items(each_over_task(shell))
        .text("]}");
}

void list_frameworks(Listing& listing, const Shell& shell) {
    listing.text(R"({"frameworks":[)")
        .items(each_view(frameworks_of(shell.heart())))
        .text(R"(],"completed_frameworks":[)")
        .items(each_view(completed_frameworks_of(shell.heart())))
        .text("]}");
}

void list_agents(Listing& listing, const Shell& shell) {
    listing.text(R"({"agents":[)").items(each_host(shell, v1_agent)).text("]}");
}

void list_state(Listing& listing, const Shell& shell) {
    listing.text(R"({"get_tasks":)");
    list_tasks(listing, shell);
    listing.text(R"(,"get_executors":{},"get_frameworks":)");
    list_frameworks(listing, shell);
    listing.text(R"(,"get_agents":)");
    list_agents(listing, shell);
    listing.text("}");
}

} // namespace methos::master::mesos
