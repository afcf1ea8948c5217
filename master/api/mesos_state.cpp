// What Mesos's masters answered to a plain GET before there was /api/v1: /version, /health, /state,
// /slaves, /frameworks, /tasks and their /master/ spellings. Kept for the tools that still ask
// (mesos-dns, dashboards, log shippers); nothing new belongs here.
#include "master/api/api.hpp"
#include "master/api/mesos_listings.hpp"

#include <nlohmann/json.hpp>

namespace methos::master {

namespace {

using nlohmann::json;

/// A JSON object's text without its closing brace: fields can follow.
std::string opened(const json& object) {
    auto text = object.dump(-1, ' ', true, json::error_handler_t::replace);
    text.pop_back();
    return text;
}

http::Response reply(const json& document) {
    return http::Response(
        200, "application/json", document.dump(-1, ' ', true, json::error_handler_t::replace));
}

void list_frameworks(Listing& listing, const Shell& shell) {
    listing.text("[");
    bool first = true;
    for (const auto& view : mesos::frameworks_of(shell.heart())) {
        const auto& id = view.info.id.value;
        listing.text((first ? "" : ",") + opened(mesos::v0_framework(view)) + R"(,"tasks":[)");
        listing.items(mesos::each_v0_task(shell, mesos::Reach::Reachable, id));
        listing.text(R"(],"unreachable_tasks":[)");
        listing.items(mesos::each_v0_task(shell, mesos::Reach::Unreachable, id));
        listing.text(R"(],"completed_tasks":[]})");
        first = false;
    }
    listing.text("]");
}

awaitable<http::Response> show_state(ApiContext& context, http::Request /*request*/) {
    auto& shell = context.shell;
    auto listing = std::make_shared<Listing>(shell);
    listing->text(opened(mesos::v0_master(
                      context.master, context.build, context.started_at, shell.heart().cluster())) +
                  R"(,"slaves":[)");
    listing->items(mesos::each_host(shell, mesos::v0_host));
    listing->text(R"(],"frameworks":)");
    list_frameworks(*listing, shell);
    listing->text(R"(,"completed_frameworks":[)");
    bool first = true;
    for (const auto& view : mesos::completed_frameworks_of(shell.heart())) {
        listing->text((first ? "" : ",") + opened(mesos::v0_framework(view)) +
                      R"(,"tasks":[],"completed_tasks":[]})");
        first = false;
    }
    listing->text("]}");
    co_return co_await Listing::answer(std::move(listing));
}

awaitable<http::Response> show_frameworks(ApiContext& context, http::Request /*request*/) {
    auto listing = std::make_shared<Listing>(context.shell);
    listing->text(R"({"frameworks":)");
    list_frameworks(*listing, context.shell);
    listing->text(R"(,"completed_frameworks":[],"unregistered_frameworks":[]})");
    co_return co_await Listing::answer(std::move(listing));
}

awaitable<http::Response> show_hosts(ApiContext& context, http::Request /*request*/) {
    auto listing = std::make_shared<Listing>(context.shell);
    listing->text(R"({"slaves":[)");
    listing->items(mesos::each_host(context.shell, mesos::v0_host));
    listing->text(R"(],"recovered_slaves":[]})");
    co_return co_await Listing::answer(std::move(listing));
}

awaitable<http::Response> show_tasks(ApiContext& context, http::Request /*request*/) {
    auto listing = std::make_shared<Listing>(context.shell);
    listing->text(R"({"tasks":[)");
    listing->items(mesos::each_v0_task(context.shell, mesos::Reach::Any));
    listing->text("]}");
    co_return co_await Listing::answer(std::move(listing));
}

awaitable<http::Response> show_version(ApiContext& context, http::Request /*request*/) {
    co_return reply(mesos::v0_version(context.build));
}

awaitable<http::Response> show_health(ApiContext& /*context*/, http::Request /*request*/) {
    co_return http::Response(200);
}

using Action = awaitable<http::Response> (*)(ApiContext&, http::Request);

} // namespace

void add_mesos_state_routes(http::Router& router, ApiContext& context) {
    struct Row {
        const char* pattern;
        Action action;
    };

    static constexpr Row rows[] = {
        {"/version", show_version},
        {"/health", show_health},
        {"/master/health", show_health},
        {"/state", show_state},
        {"/state.json", show_state},
        {"/master/state", show_state},
        {"/master/state.json", show_state},
        {"/slaves", show_hosts},
        {"/master/slaves", show_hosts},
        {"/frameworks", show_frameworks},
        {"/master/frameworks", show_frameworks},
        {"/tasks", show_tasks},
        {"/master/tasks", show_tasks},
        {"/master/tasks.json", show_tasks},
    };
    for (const auto& row : rows) {
        http::Route route;
        route.method = "GET";
        route.pattern = row.pattern;
        route.auth = http::Auth::Token;
        route.handler = [&context, action = row.action](http::Request request) {
            return action(context, std::move(request));
        };
        router.add(std::move(route));
    }
}

} // namespace methos::master
