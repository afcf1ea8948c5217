#include "core/model/task.hpp"

#include <array>
#include <cctype>
#include <cstdio>
#include <utility>

namespace methos {

namespace {

constexpr std::array<std::string_view, 13> state_names{"TASK_STAGING",
                                                       "TASK_STARTING",
                                                       "TASK_RUNNING",
                                                       "TASK_KILLING",
                                                       "TASK_FINISHED",
                                                       "TASK_FAILED",
                                                       "TASK_KILLED",
                                                       "TASK_ERROR",
                                                       "TASK_DROPPED",
                                                       "TASK_UNREACHABLE",
                                                       "TASK_GONE",
                                                       "TASK_GONE_BY_OPERATOR",
                                                       "TASK_UNKNOWN"};

constexpr std::array<std::string_view, 20> reason_names{"",
                                                        "REASON_COMMAND_EXITED",
                                                        "REASON_CONTAINER_LIMITATION_MEMORY",
                                                        "REASON_KILLED_BY_REQUEST",
                                                        "REASON_CONTAINER_LAUNCH_FAILED",
                                                        "REASON_IMAGE_PULL_FAILED",
                                                        "REASON_IMAGE_NOT_FOUND",
                                                        "REASON_PORT_CONFLICT",
                                                        "REASON_TASK_INVALID",
                                                        "REASON_POLICY_DENIED",
                                                        "REASON_DOCKER_DOWN",
                                                        "REASON_AGENT_REMOVED",
                                                        "REASON_AGENT_REREGISTERED",
                                                        "REASON_AGENT_GONE",
                                                        "REASON_RECONCILIATION",
                                                        "REASON_CONTAINER_REMOVED",
                                                        "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED",
                                                        "REASON_TASK_PREEMPTED",
                                                        "REASON_INVALID_OFFERS",
                                                        "REASON_AGENT_DRAINING"};

/// Two independent 64-bit FNV-1a streams; fields are length-prefixed so that neighbours cannot run
/// together.
class Fingerprint {
  public:
    void add(std::string_view text) {
        add_number(text.size());
        for (const char c : text) {
            mix(static_cast<unsigned char>(c));
        }
    }

    void add_number(std::uint64_t number) {
        for (int shift = 0; shift < 64; shift += 8) {
            mix(static_cast<unsigned char>(number >> static_cast<unsigned>(shift)));
        }
    }

    void add(const std::map<std::string, std::string>& map) {
        add_number(map.size());
        for (const auto& [key, value] : map) {
            add(key);
            add(value);
        }
    }

    [[nodiscard]] std::string hex() const {
        char text[33];
        std::snprintf(text,
                      sizeof(text),
                      "%016llx%016llx",
                      static_cast<unsigned long long>(a_),
                      static_cast<unsigned long long>(b_));
        return text;
    }

  private:
    void mix(unsigned char byte) {
        a_ = (a_ ^ byte) * 0x100000001b3ULL;
        b_ = (b_ ^ static_cast<unsigned char>(byte + 0x5b)) * 0x100000001b3ULL;
    }

    std::uint64_t a_ = 0xcbf29ce484222325ULL;
    std::uint64_t b_ = 0x84222325cbf29ce4ULL;
};

} // namespace

std::string_view to_string(TaskState state) {
    return state_names.at(static_cast<std::size_t>(state));
}

std::optional<TaskState> parse_task_state(std::string_view text) {
    for (std::size_t i = 0; i < state_names.size(); ++i) {
        if (state_names.at(i) == text) {
            return static_cast<TaskState>(i);
        }
    }
    return std::nullopt;
}

std::string_view to_string(Reason reason) {
    return reason_names.at(static_cast<std::size_t>(reason));
}

std::string container_name_of(const TaskName& name) {
    constexpr std::size_t max_length = 200;
    std::string legal = "methos-";
    for (const char c : name.value) {
        const bool ok =
            std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '-';
        legal += ok ? c : '_';
    }
    if (legal.size() > max_length) {
        // The unique part of a task id is at its end.
        legal = "methos-" + legal.substr(legal.size() - (max_length - 7));
    }
    return legal;
}

namespace {

void add(Fingerprint& print, const HealthCheck& check) {
    print.add_number(static_cast<std::uint64_t>(check.kind));
    print.add_number(check.port);
    print.add_number(check.port_index ? std::uint64_t{1} + *check.port_index : 0);
    print.add_number((check.ipv6 ? 1U : 0U) | (check.ignore_1xx ? 2U : 0U));
    print.add(check.path);
    print.add_number(check.command.size());
    for (const auto& word : check.command) {
        print.add(word);
    }
    print.add(check.env);
    for (const auto time : {check.delay, check.grace, check.interval, check.timeout}) {
        print.add_number(static_cast<std::uint64_t>(time.count()));
    }
    print.add_number(check.failures_max);
}

} // namespace

std::string hash_of(const TaskSpec& spec) {
    Fingerprint print;
    for (const auto* text :
         {&spec.framework, &spec.app, &spec.image, &spec.shell, &spec.network_name, &spec.user}) {
        print.add(*text);
    }
    print.add_number(static_cast<std::uint64_t>(spec.command));
    print.add_number(static_cast<std::uint64_t>(spec.network));
    print.add_number((spec.force_pull ? 1U : 0U) | (spec.privileged ? 2U : 0U));
    print.add_number(spec.args.size());
    for (const auto& arg : spec.args) {
        print.add(arg);
    }
    print.add(spec.env);
    print.add(spec.labels);
    print.add_number(spec.ports.size());
    for (const auto& port : spec.ports) {
        print.add_number(port.container_port);
        print.add(port.protocol);
        print.add(port.name);
    }
    print.add_number(spec.volumes.size());
    for (const auto& volume : spec.volumes) {
        print.add(volume.source);
        print.add(volume.target);
        print.add_number(volume.read_only ? 1 : 0);
    }
    print.add_number(spec.docker_parameters.size());
    for (const auto& [key, value] : spec.docker_parameters) {
        print.add(key);
        print.add(value);
    }
    for (const auto amount : {spec.resources.milli_cpus,
                              spec.resources.mem_bytes,
                              spec.resources.disk_bytes,
                              spec.resources.gpus,
                              static_cast<std::int64_t>(spec.kill_grace.count())}) {
        print.add_number(static_cast<std::uint64_t>(amount));
    }
    for (const auto& check : spec.health_checks) { // specs without any hash as they always did
        add(print, check);
    }
    for (const auto& item : spec.fetch) { // the same
        print.add(item.uri);
        print.add(item.output_file);
        print.add_number((item.extract ? 1U : 0U) | (item.executable ? 2U : 0U) |
                         (item.cache ? 4U : 0U));
    }
    return print.hex();
}

} // namespace methos
