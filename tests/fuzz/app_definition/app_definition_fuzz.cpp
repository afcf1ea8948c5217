// Fuzz target: whatever somebody sends as an app, it is either read or refused with a well-formed
// error; and what was read can be printed, stored, updated and turned into a launch. Built with its
// own main it runs its corpus and seeded mutations of it (`app_definition_fuzz [first seed] [rounds
// per seed]`); the clang build gives LLVMFuzzerTestOneInput to libFuzzer.
#include "master/frameworks/services/definition/app_parse.hpp"
#include "master/frameworks/services/definition/app_print.hpp"
#include "master/frameworks/services/definition/app_task.hpp"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

using namespace methos;
using namespace methos::services;
using nlohmann::json;

namespace {

void expect(bool holds, const char* what, const std::string& input) {
    if (!holds) {
        std::fprintf(stderr, "app_definition: %s\ninput: %s\n", what, input.c_str());
        std::abort();
    }
}

void check_refusal(const ApiError& error, const std::string& input) {
    expect(error.status == 400 || error.status == 422, "an odd status", input);
    expect(json::parse(error.body_json).contains("message"), "an error without a message", input);
}

void check_app(const AppDefinition& app, const std::string& input) {
    const auto stored = stored_text(app);
    const auto again = parse_stored(stored);
    expect(again.has_value(), "what was stored cannot be read", input);
    expect(*again == app, "what was stored reads as something else", input);
    expect(!differ_only_in_instances(app, *again), "equal apps differ", input);

    ParseOptions nothing_new;
    nothing_new.base = &app;
    nothing_new.id = app.id.value;
    const auto same = parse_app(std::string("{}"), nothing_new);
    expect(same.has_value() && *same == app, "an empty update changes something", input);

    const auto wanted = wanted_host_ports(app);
    const auto spec = make_task_spec(app, "2014-03-01T23:42:20.938Z", "image");
    expect(!spec || spec->ports.size() == wanted.size(), "spec and offer disagree on ports", input);
    (void)instance_env(app, TaskName("a.1"), "host", std::vector<std::uint16_t>(wanted.size(), 1));
}

void one_input(const std::string& input) {
    static const auto base = *parse_app(std::string(
        R"({"id":"/base","container":{"docker":{"image":"i"},"portMappings":[{"containerPort":80}]},
            "networks":[{"mode":"container/bridge"}],"env":{"A":"1"}})"));
    ParseOptions update;
    update.base = &base;
    update.id = "/base";
    for (const auto& options : {ParseOptions(), update}) {
        const auto app = parse_app(input, options);
        if (app) {
            check_app(*app, input);
        } else {
            check_refusal(app.error(), input);
        }
    }
    if (const auto document = parse_document(input)) {
        (void)rollback_version(*document);
    }
}

} // namespace

#ifdef METHOS_LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    one_input(std::string(reinterpret_cast<const char*>(data), size));
    return 0;
}
#else
namespace {

const std::vector<std::string>& corpus() {
    static const std::vector<std::string> documents{
        R"({"id":"/a","cmd":"sleep 1","cpus":0.1,"mem":32,"instances":3,"ports":[8080,0]})",
        R"({"id":"g/b","args":["a"],"uris":["http://h/f"],"env":{"A":"1","S":{"secret":"s"}},
            "constraints":[["hostname","UNIQUE",""],["rack","GROUP_BY","2"]],"labels":{"k":"v"}})",
        R"({"id":"/c","container":{"type":"DOCKER","docker":{"image":"nginx","network":"BRIDGE",
            "portMappings":[{"containerPort":80,"hostPort":0,"servicePort":1,"protocol":"udp,tcp",
            "name":"http","labels":{}}],"parameters":[{"key":"a","value":"b"}],"privileged":true},
            "volumes":[{"containerPath":"/c","hostPath":"/h","mode":"RO"},
            {"containerPath":"d","persistent":{"size":1}}]},
            "healthChecks":[{"protocol":"HTTP","path":"/","portIndex":0},
            {"protocol":"COMMAND","command":{"value":"true"}}]})",
        R"({"id":"/d","cmd":"x","container":{"docker":{"image":"i","network":"USER"}},
            "ipAddress":{"networkName":"n","labels":{"a":"b"},
            "discovery":{"ports":[{"number":80,"name":"w","protocol":"tcp"}]}}})",
        R"({"id":"/e","cmd":"x","networks":[{"mode":"host"}],"portDefinitions":[{"port":0,
            "protocol":"tcp","name":"a","labels":{}}],"requirePorts":true,
            "upgradeStrategy":{"minimumHealthCapacity":0.5,"maximumOverCapacity":1},
            "unreachableStrategy":"disabled","killSelection":"OLDEST_FIRST","backoffFactor":1.15,
            "taskKillGracePeriodSeconds":5,"fetch":[{"uri":"u"}],"dependencies":["../x","y"],
            "autoscale":{"min":1},"secrets":{},"version":"2014-03-01T23:42:20.938Z","gpus":1})",
        R"({"version":"2014-03-01T23:42:20.938Z"})",
    };
    return documents;
}

/// Changes a document without breaking its form: another document's value in a random place.
void mutate_value(json& document, const json& other, std::mt19937& random) {
    auto places = document.flatten();
    const auto values = other.flatten();
    if (places.empty() || values.empty()) {
        return;
    }
    const auto place =
        std::next(places.begin(), static_cast<std::ptrdiff_t>(random() % places.size()));
    const auto value =
        std::next(values.begin(), static_cast<std::ptrdiff_t>(random() % values.size()));
    static const std::vector<json> odd{nullptr,
                                       -1,
                                       0,
                                       65536,
                                       1e308,
                                       0.5,
                                       true,
                                       "",
                                       "/",
                                       "..",
                                       json::array(),
                                       json::object(),
                                       {{"a", {1, 2}}}};
    json::json_pointer pointer(place.key());
    for (auto up = random() % 3; up > 0 && !pointer.empty(); --up) {
        pointer.pop_back();
    }
    if (!pointer.empty()) {
        document[pointer] = random() % 2 == 0 ? odd[random() % odd.size()] : *value;
    }
}

void mutate_bytes(std::string& text, std::mt19937& random) {
    for (auto changes = 1 + random() % 4; changes > 0 && !text.empty(); --changes) {
        const auto at = random() % text.size();
        switch (random() % 3) {
        case 0:
            text[at] = static_cast<char>(random());
            break;
        case 1:
            text.erase(at, random() % 8);
            break;
        default:
            text.insert(at, text.substr(random() % text.size(), random() % 16));
        }
    }
}

} // namespace

int main(int argc, char** argv) {
    const auto seed = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1UL;
    const auto rounds = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 1000UL;
    for (const auto& document : corpus()) {
        one_input(document);
    }
    std::mt19937 random(static_cast<unsigned>(seed));
    std::printf("app_definition: seed %lu, %lu rounds\n", seed, rounds);
    for (unsigned long round = 0; round < rounds; ++round) {
        auto document = json::parse(corpus()[random() % corpus().size()]);
        const auto other = json::parse(corpus()[random() % corpus().size()]);
        for (auto changes = 1 + random() % 3; changes > 0; --changes) {
            mutate_value(document, other, random);
        }
        auto text = document.dump();
        one_input(text);
        mutate_bytes(text, random);
        one_input(text);
    }
    return 0;
}
#endif
