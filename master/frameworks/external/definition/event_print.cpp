// Events, statuses and offers as JSON.
#include "master/frameworks/external/definition/message_fields.hpp"
#include "master/frameworks/external/definition/print.hpp"

#include <nlohmann/json.hpp>

namespace methos::external {

using nlohmann::json;

namespace {

json id_json(const std::string& value) {
    return json{{"value", value}};
}

double seconds_of(WallTime time) {
    return static_cast<double>(time.time_since_epoch().count()) / 1000.0;
}

/// Prints the body of each kind of event: its type and the message of that type.
struct BodyPrinter {
    const PrintContext& context;

    json operator()(const Subscribed& body) const {
        const std::chrono::duration<double> interval = context.heartbeat_interval;
        return event("SUBSCRIBED",
                     "subscribed",
                     json{{"framework_id", id_json(body.framework.value)},
                          {"heartbeat_interval_seconds", interval.count()},
                          {"master_info", json_of(context.master)}});
    }

    json operator()(const Offers& body) const {
        auto offers = json::array();
        for (const auto& offer : body.offers) {
            if (context.cluster.find_host(offer.host) != nullptr) {
                offers.push_back(
                    offer_json(offer, body.framework, context.cluster, body.multi_role));
            }
        }
        return event("OFFERS", "offers", json{{"offers", std::move(offers)}});
    }

    json operator()(const Rescind& body) const {
        const auto id = offer_id(context.cluster.epoch(), body.offer);
        return event("RESCIND", "rescind", json{{"offer_id", id_json(id)}});
    }

    json operator()(const Update& body) const {
        return event("UPDATE", "update", json{{"status", json_of(body)}});
    }

    json operator()(const Failed& body) const {
        return event("FAILURE", "failure", json{{"agent_id", id_json(body.agent_id.value)}});
    }

    json operator()(const ErrorEvent& body) const {
        return event("ERROR", "error", json{{"message", body.message}});
    }

    json operator()(const OperationStatus& body) const {
        json status{{"state", body.state}, {"message", body.message}};
        status["operation_id"] = id_json(body.operation_id);
        return event("UPDATE_OPERATION_STATUS",
                     "update_operation_status",
                     json{{"status", std::move(status)}});
    }

    json operator()(const Closed&) const { return json(); }

  private:
    static json event(const char* type, const char* field, json body) {
        json event{{"type", type}};
        event[field] = std::move(body);
        return event;
    }
};

json container_status_json(const Update& update) {
    json status = json::object();
    if (!update.container_id.empty()) {
        status["container_id"] = id_json(update.container_id);
    }
    auto addresses = json::array();
    for (const auto& ip : update.ip_addresses) {
        const bool v6 = ip.find(':') != std::string::npos;
        addresses.push_back(json{{"protocol", v6 ? "IPv6" : "IPv4"}, {"ip_address", ip}});
    }
    if (!addresses.empty()) {
        status["network_infos"] = json::array();
        status["network_infos"].push_back(json{{"ip_addresses", std::move(addresses)}});
    }
    return status;
}

} // namespace

std::string print_line(const json& document) {
    constexpr bool ascii_only = true;
    return document.dump(-1, ' ', ascii_only, json::error_handler_t::replace);
}

std::string print_event(const Event& event, const PrintContext& context) {
    const auto document = std::visit(BodyPrinter{context}, event.body);
    return document.is_null() ? "" : print_line(document);
}

std::string print_heartbeat() {
    return R"({"type":"HEARTBEAT"})";
}

json json_of(const Update& update) {
    json status{{"task_id", id_json(update.task_id)}, {"timestamp", seconds_of(update.time)}};
    status["state"] = update.lost ? "TASK_LOST" : std::string(to_string(update.state));
    status["source"] = update.source == StatusSource::Master ? "SOURCE_MASTER" : "SOURCE_EXECUTOR";
    if (!update.reason.empty()) {
        status["reason"] = update.reason;
    }
    if (!update.message.empty()) {
        status["message"] = update.message;
    }
    if (!update.agent_id.empty()) {
        status["agent_id"] = id_json(update.agent_id.value);
    }
    if (update.source == StatusSource::Executor) {
        status["executor_id"] = id_json(update.task_id); // as the command executor of Mesos has it
    }
    if (!update.uuid.empty()) {
        status["uuid"] = base64_encode(update.uuid);
    }
    if (update.healthy) {
        status["healthy"] = *update.healthy;
    }
    if (auto container = container_status_json(update); !container.empty()) {
        status["container_status"] = std::move(container);
    }
    if (update.unreachable_since) {
        const std::chrono::nanoseconds since = update.unreachable_since->time_since_epoch();
        status["unreachable_time"] = json{{"nanoseconds", since.count()}};
    }
    return status;
}

json offer_json(const cluster::Offer& offer,
                const FrameworkId& framework,
                const cluster::Cluster& cluster,
                bool multi_role) {
    const auto& host = *cluster.find_host(offer.host);
    json printed{{"id", id_json(offer_id(cluster.epoch(), offer.number))},
                 {"framework_id", id_json(framework.value)},
                 {"agent_id", id_json(host.info.id.value)},
                 {"hostname", host.info.hostname},
                 {"url", agent_url_json(host)}};
    const auto allocated_to = multi_role ? offer.role : std::string();
    printed["resources"] =
        resources_json(offer.resources, offer.ports, host.info.role, allocated_to);
    if (multi_role) {
        printed["allocation_info"] = json{{"role", offer.role}};
    }
    auto agent = agent_info_json(host);
    if (agent.contains("attributes")) {
        printed["attributes"] = std::move(agent["attributes"]);
    }
    return printed;
}

} // namespace methos::external
