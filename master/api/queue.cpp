// /v2/queue: the apps that miss instances, what they wait for, and how many hosts fall to which
// reason. Shapes and words are Marathon's, whose "offers" are our hosts.
#include "master/api/api.hpp"
#include "master/api/listing.hpp"
#include "master/api/print.hpp"

#include "core/base/units.hpp"
#include "master/frameworks/services/definition/app_parse.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

namespace methos::master {

namespace {

using cluster::Unfit;
using nlohmann::json;

/// An item shows so many hosts that could not take an instance.
constexpr std::size_t unused_offers_max = 20;

/// In the order in which Marathon asks. What has no word of its own there goes under the nearest.
constexpr std::array<std::string_view, 10> funnel{"UnfulfilledRole",
                                                  "UnfulfilledConstraint",
                                                  "NoCorrespondingReservationFound",
                                                  "AgentMaintenance",
                                                  "InsufficientCpus",
                                                  "InsufficientMemory",
                                                  "InsufficientDisk",
                                                  "InsufficientGpus",
                                                  "InsufficientPorts",
                                                  "DeclinedScarceResources"};

/// Empty for hosts that Marathon would hear nothing of.
std::string_view marathon_word(Unfit reason) {
    switch (reason) {
    case Unfit::None:
    case Unfit::NotUp:
        return {};
    case Unfit::Drain:
    case Unfit::Trouble:
        return "AgentMaintenance";
    case Unfit::Role:
    case Unfit::Reservation:
    case Unfit::Quota:
        return "UnfulfilledRole";
    default:
        return to_string(reason);
    }
}

std::map<std::string_view, std::size_t> rejected_hosts(const cluster::Demand& demand,
                                                       const heart::Heart& heart) {
    std::map<std::string_view, std::size_t> rejected;
    for (const auto& [reason, hosts] : heart.cluster().explain(demand)) {
        if (const auto word = marathon_word(reason); !word.empty()) {
            rejected[word] += hosts;
        }
    }
    return rejected;
}

json print_summary(const cluster::Demand& demand, const heart::Heart& heart, Now now) {
    const auto rejected = rejected_hosts(demand, heart);
    std::size_t processed = 0;
    for (const auto& [word, hosts] : rejected) {
        processed += hosts;
    }
    auto left = processed;
    auto rows = json::array();
    for (const auto word : funnel) {
        const auto found = rejected.find(word);
        const auto declined = found == rejected.end() ? 0 : found->second;
        rows.push_back(
            {{"reason", std::string(word)}, {"declined", declined}, {"processed", left}});
        left -= declined;
    }
    return {{"processedOffersCount", processed},
            {"unusedOffersCount", processed},
            {"lastUnusedOfferAt", processed == 0 ? json() : json(format_wall_time(now.wall))},
            {"lastUsedOfferAt", nullptr},
            {"rejectSummaryLastOffers", rows},
            {"rejectSummaryLaunchAttempt", rows}};
}

json print_resources(const cluster::Host& host) {
    const auto free = host.free();
    const auto scalar = [&host](const char* name, double value) -> json {
        return {{"name", name}, {"role", host.info.role}, {"scalar", value}};
    };
    auto resources = json::array({scalar("cpus", cpus_of(free.milli_cpus)),
                                  scalar("mem", mb_of(free.mem_bytes)),
                                  scalar("disk", mb_of(free.disk_bytes)),
                                  scalar("gpus", static_cast<double>(free.gpus))});
    auto ranges = json::array();
    for (const auto& range : host.free_ports.ranges()) {
        ranges.push_back({{"begin", range.first}, {"end", range.last}});
    }
    resources.push_back({{"name", "ports"}, {"role", host.info.role}, {"ranges", ranges}});
    return resources;
}

json print_unused_offers(const cluster::Demand& demand, const heart::Heart& heart, Now now) {
    auto offers = json::array();
    for (const auto& [number, host] : heart.cluster().hosts()) {
        const auto word = marathon_word(heart.cluster().unfit(host, demand));
        if (word.empty()) {
            continue;
        }
        auto attributes = json::array();
        for (const auto& [name, value] : host.info.attributes) {
            attributes.push_back({{"name", name}, {"text", value}});
        }
        json offer = {{"id", heart.cluster().id() + "-H" + std::to_string(number.value)},
                      {"agentId", host.info.id.value},
                      {"hostname", host.info.hostname},
                      {"resources", print_resources(host)},
                      {"attributes", std::move(attributes)}};
        offers.push_back({{"offer", std::move(offer)},
                          {"timestamp", format_wall_time(now.wall)},
                          {"reason", json::array({std::string(word)})}});
        if (offers.size() == unused_offers_max) {
            break;
        }
    }
    return offers;
}

json print_item(const services::App& app,
                const cluster::Demand& demand,
                const heart::Heart& heart,
                bool with_offers,
                Now now) {
    const bool delayed = now.mono < app.backoff_until;
    const auto delay = delayed ? app.backoff_until - now.mono : Duration::zero();
    const auto seconds = std::ceil(std::chrono::duration<double>(delay).count());
    json item = {
        {"app", print_app(app, heart, AppParts{}, Dialect::Marathon)},
        {"count", demand.count},
        {"since", format_wall_time(demand.since)},
        {"delay", {{"timeLeftSeconds", static_cast<std::int64_t>(seconds)}, {"overdue", !delayed}}},
        {"processedOffersSummary", print_summary(demand, heart, now)}};
    if (with_offers) {
        item["lastUnusedOffers"] = print_unused_offers(demand, heart, now);
    }
    return item;
}

awaitable<http::Response> show_queue(ApiContext& context, http::Request request) {
    const auto embedded = request.query_values("embed");
    const bool with_offers =
        std::find(embedded.begin(), embedded.end(), "lastUnusedOffers") != embedded.end();
    auto& shell = context.shell;
    auto listing = std::make_shared<Listing>(shell);
    listing->text(R"({"queue":[)");
    listing->items([&shell, with_offers, cursor = Cursor<AppId>()](std::string& out) mutable {
        const auto& heart = shell.heart();
        const auto* entry = cursor.next(heart.services().demands());
        if (entry != nullptr && entry->second.count > 0) { // 0: placed, and not yet looked at again
            const auto& app = heart.services().apps().at(entry->first);
            out = to_text(print_item(app, entry->second, heart, with_offers, shell.now()));
        }
        return entry != nullptr;
    });
    listing->text("]}");
    co_return co_await Listing::answer(std::move(listing));
}

awaitable<http::Response> reset_delay(ApiContext& context, http::Request request) {
    const AppId id(services::absolute_path(request.params.at("id"), "/"));
    bool found = false;
    std::function<void(heart::Heart&, cluster::Step&)> event =
        [&found, &id](heart::Heart& heart, cluster::Step& /*step*/) {
            found = heart.services().reset_delay(id);
        };
    co_await context.shell.change(std::move(event));
    if (!found) {
        const auto error =
            services::api_error(404, "Application " + id.value + " not found in tasks queue.");
        co_return http::Response(error.status, "application/json", error.body_json);
    }
    co_return http::Response(204);
}

} // namespace

void add_queue_routes(http::Router& router, ApiContext& context) {
    http::Route queue;
    queue.method = "GET";
    queue.pattern = "/v2/queue";
    queue.auth = http::Auth::Token;
    queue.handler = [&context](http::Request request) {
        return show_queue(context, std::move(request));
    };
    router.add(std::move(queue));
    http::Route delay;
    delay.method = "DELETE";
    delay.pattern = "/v2/queue/{id*}/delay";
    delay.auth = http::Auth::Token;
    delay.handler = [&context](http::Request request) {
        return reset_delay(context, std::move(request));
    };
    router.add(std::move(delay));
}

} // namespace methos::master
