#include "cli/commands/run.hpp"

#include "cli/client/names.hpp"
#include "cli/commands/wait.hpp"
#include "cli/output/document.hpp"
#include "core/base/json.hpp"
#include "core/base/units.hpp"
#include "core/model/image_reference.hpp"

#include <nlohmann/json.hpp>

namespace methos::cli {

namespace {

using nlohmann::json;

Error bad(const std::string& message) {
    return Error(Code::InvalidInput, message);
}

/// "8080:80/udp", "8080:80", "80/udp", "80"
Result<json> parse_port(const std::string& text) {
    const auto refuse = [&text] {
        return bad("-p " + text +
                   " is no port: write CONTAINER or HOST:CONTAINER, like 80, "
                   "8080:80 or 5353:53/udp");
    };
    const auto slash = text.find('/');
    const auto protocol = slash == std::string::npos ? "tcp" : text.substr(slash + 1);
    const auto numbers = text.substr(0, slash);
    const auto colon = numbers.find(':');
    const auto host_text = colon == std::string::npos ? "0" : numbers.substr(0, colon);
    const auto container_text = colon == std::string::npos ? numbers : numbers.substr(colon + 1);
    const auto host = parse_int(host_text, colon == std::string::npos ? 0 : 1, 65535);
    const auto container = parse_int(container_text, 1, 65535);
    if (!host || !container || (protocol != "tcp" && protocol != "udp" && protocol != "udp,tcp")) {
        return refuse();
    }
    json mapping;
    mapping["containerPort"] = *container;
    mapping["hostPort"] = *host;
    mapping["protocol"] = protocol;
    return mapping;
}

Result<json> parse_pairs(const std::vector<std::string>& pairs, const std::string& option) {
    auto object = json::object();
    for (const auto& pair : pairs) {
        const auto equals = pair.find('=');
        if (equals == std::string::npos || equals == 0) {
            return bad(option + " " + pair + " is no pair: write " + option + " NAME=VALUE");
        }
        object[pair.substr(0, equals)] = pair.substr(equals + 1);
    }
    return object;
}

Result<std::string> choose_id(const RunOptions& options) {
    if (options.name.empty()) {
        auto id = app_id_of_image(options.image);
        if (id.empty()) {
            return bad("no name can be made of the image '" + options.image +
                       "'; give one with --name /id");
        }
        return id;
    }
    auto id = absolute_app_id(options.name);
    if (!is_app_id(id)) {
        return bad("--name " + options.name +
                   " is no id: write small letters, digits and dashes, like /demo or /shop/cart");
    }
    return id;
}

Result<void> check(const RunOptions& options) {
    if (options.one_off) {
        return Error(Code::Unimplemented,
                     "--rm (run once and remove) needs jobs, which this version does not have yet; "
                     "without --rm the image becomes a service that is kept running");
    }
    if (const auto image = parse_image_reference(options.image); !image) {
        return bad(image.error().message + "; write one like nginx:1.25");
    }
    if (!options.command.empty() && !options.args.empty()) {
        return bad("--cmd replaces the image's entrypoint, so there is nothing that could take "
                   "the arguments after --; give one of both");
    }
    if (options.network == "host" && !options.ports.empty()) {
        return bad("-p needs the bridge network; with --net host the program listens on the host "
                   "itself, at the port in $PORT0");
    }
    return {};
}

} // namespace

Result<json> plan_run(const RunOptions& options) {
    if (auto legal = check(options); !legal) {
        return legal.error();
    }
    const auto id = choose_id(options);
    const auto env = parse_pairs(options.env, "-e");
    const auto labels = parse_pairs(options.labels, "--label");
    if (!id) {
        return id.error();
    }
    if (!env) {
        return env.error();
    }
    if (!labels) {
        return labels.error();
    }
    json app;
    app["id"] = *id;
    app["instances"] = options.instances;
    app["cpus"] = options.cpus;
    app["mem"] = options.mem_mb;
    app["container"]["type"] = "DOCKER";
    app["container"]["docker"]["image"] = options.image;
    if (!env->empty()) {
        app["env"] = *env;
    }
    if (!labels->empty()) {
        app["labels"] = *labels;
    }
    if (!options.command.empty()) {
        app["cmd"] = options.command;
    }
    if (!options.args.empty()) {
        app["args"] = options.args;
    }
    const bool bridge = options.network == "bridge" || !options.ports.empty();
    app["networks"] = json::array({json::object({{"mode", bridge ? "container/bridge" : "host"}})});
    if (!bridge) {
        return app;
    }
    auto mappings = json::array();
    for (const auto& port : options.ports) {
        auto mapping = parse_port(port);
        if (!mapping) {
            return mapping.error();
        }
        mappings.push_back(std::move(*mapping));
    }
    app["container"]["portMappings"] = std::move(mappings);
    return app;
}

int run_run(Session& session, const RunOptions& options) {
    const auto app = plan_run(options).value();
    const auto id = app.at("id").get<std::string>();
    const auto body = dump_json(app);
    const auto answer = session.master.send("POST", "/v2/apps", body);
    if (answer.status == 409) {
        auto error = error_of_answer(answer, "run " + options.image, session.master.target());
        error.message += "; give another --name, or change that one with `methos scale` or "
                         "`methos deploy`";
        throw Failure(std::move(error));
    }
    if (answer.status < 200 || answer.status >= 300) {
        throw Failure(error_of_answer(answer, "run " + options.image, session.master.target()));
    }
    if (!session.terminal.for_people()) {
        print_document(session.terminal, answer.body, {id});
    }
    return follow_change(session, {id}, Goal::Running);
}

} // namespace methos::cli
