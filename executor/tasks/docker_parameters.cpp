#include "executor/tasks/docker_parameters.hpp"

#include "core/base/units.hpp"
#include "executor/tasks/labels.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace methos::executor {

namespace {

using docker::ContainerConfig;
using Apply = Result<void> (*)(const std::string& value, ContainerConfig& config);

struct Known {
    std::string_view key;
    Apply apply;
};

std::pair<std::string, std::string> split(const std::string& text, char at) {
    const auto place = text.find(at);
    if (place == std::string::npos) {
        return {text, ""};
    }
    return {text.substr(0, place), text.substr(place + 1)};
}

Result<void> bad(const std::string& what) {
    return Error(Code::InvalidInput, what);
}

Result<void> set_label(const std::string& value, ContainerConfig& config) {
    auto [key, text] = split(value, '=');
    if (key.empty() || key.starts_with(label::reserved_prefix)) {
        return bad("label must be KEY=VALUE, and no key of io.methos.");
    }
    config.labels.emplace(std::move(key), std::move(text)); // never over one of ours
    return {};
}

Result<void> add_env(const std::string& value, ContainerConfig& config) {
    auto [key, text] = split(value, '=');
    if (key.empty() || value.find('=') == std::string::npos) {
        return bad("env must be KEY=VALUE");
    }
    config.environment.emplace_back(std::move(key), std::move(text));
    return {};
}

Result<void> add_ulimit(const std::string& value, ContainerConfig& config) {
    const auto [name, limits] = split(value, '=');
    const auto [soft, hard] = split(limits, ':');
    constexpr std::int64_t limit_max = std::int64_t{1} << 62;
    const auto low = soft == "-1" ? Result<std::int64_t>(-1) : parse_int(soft, 0, limit_max);
    const auto& hard_text = hard.empty() ? soft : hard;
    const auto high =
        hard_text == "-1" ? Result<std::int64_t>(-1) : parse_int(hard_text, 0, limit_max);
    if (name.empty() || !low || !high) {
        return bad("ulimit must be NAME=SOFT[:HARD]");
    }
    config.ulimits.push_back(docker::Ulimit{name, *low, *high});
    return {};
}

Result<void> set_shm_size(const std::string& value, ContainerConfig& config) {
    // Docker writes 64m where we write 64MiB.
    auto text = value;
    const auto unit = std::string_view("kmg").find(text.empty() ? ' ' : text.back());
    if (unit != std::string_view::npos) {
        text.back() = "KMG"[unit];
        text += "iB";
    }
    const auto bytes = parse_bytes(text);
    if (!bytes || *bytes <= 0) {
        return bad("shm-size must be a size such as 64m");
    }
    config.shm_bytes = *bytes;
    return {};
}

Result<bool> parse_bool(const std::string& value) {
    if (value.empty() || value == "true" || value == "1") {
        return true;
    }
    if (value == "false" || value == "0") {
        return false;
    }
    return Error(Code::InvalidInput, "must be true or false");
}

Result<void> set_init(const std::string& value, ContainerConfig& config) {
    const auto on = parse_bool(value);
    if (!on) {
        return bad("init must be true or false");
    }
    config.init = *on;
    return {};
}

Result<void> set_read_only(const std::string& value, ContainerConfig& config) {
    const auto on = parse_bool(value);
    if (!on) {
        return bad("read-only must be true or false");
    }
    config.read_only_root = *on;
    return {};
}

Result<void> set_tty(const std::string& value, ContainerConfig& config) {
    const auto on = parse_bool(value);
    if (!on) {
        return bad("tty must be true or false");
    }
    config.tty = *on;
    return {};
}

Result<void> add_host(const std::string& value, ContainerConfig& config) {
    if (value.find(':') == std::string::npos) {
        return bad("add-host must be NAME:ADDRESS");
    }
    config.extra_hosts.push_back(value);
    return {};
}

Result<void> set_pids_limit(const std::string& value, ContainerConfig& config) {
    const auto count = parse_int(value, 1, 4'194'304); // the kernel's PID_MAX_LIMIT
    if (!count) {
        return bad("pids-limit must be a number from 1 to 4194304");
    }
    config.pids_max = *count;
    return {};
}

Result<void> set_stop_timeout(const std::string& value, ContainerConfig& config) {
    const auto seconds = parse_int(value, 0, 86'400);
    if (!seconds) {
        return bad("stop-timeout must be a number of seconds up to 86400");
    }
    config.stop_timeout = std::chrono::seconds(*seconds);
    return {};
}

Result<void> add_tmpfs(const std::string& value, ContainerConfig& config) {
    if (value.empty() || value.front() != '/' || value.find(':') != std::string::npos) {
        return bad("tmpfs must be an absolute path");
    }
    docker::Mount mount;
    mount.kind = docker::Mount::Kind::Tmpfs;
    mount.target = value;
    config.mounts.push_back(std::move(mount));
    return {};
}

template <std::string ContainerConfig::*Member>
Result<void> set_text(const std::string& value, ContainerConfig& config) {
    config.*Member = value;
    return {};
}

template <std::vector<std::string> ContainerConfig::*Member>
Result<void> add_text(const std::string& value, ContainerConfig& config) {
    (config.*Member).push_back(value);
    return {};
}

constexpr std::array known{
    Known{"add-host", add_host},
    Known{"cap-drop", add_text<&ContainerConfig::cap_drop>},
    Known{"cpuset-cpus", set_text<&ContainerConfig::cpuset>},
    Known{"dns", add_text<&ContainerConfig::dns>},
    Known{"dns-opt", add_text<&ContainerConfig::dns_options>},
    Known{"dns-option", add_text<&ContainerConfig::dns_options>},
    Known{"dns-search", add_text<&ContainerConfig::dns_search>},
    Known{"env", add_env},
    Known{"hostname", set_text<&ContainerConfig::hostname>},
    Known{"init", set_init},
    Known{"label", set_label},
    Known{"pids-limit", set_pids_limit},
    Known{"read-only", set_read_only},
    Known{"shm-size", set_shm_size},
    Known{"stop-signal", set_text<&ContainerConfig::stop_signal>},
    Known{"stop-timeout", set_stop_timeout},
    Known{"tmpfs", add_tmpfs},
    Known{"tty", set_tty},
    Known{"ulimit", add_ulimit},
    Known{"user", set_text<&ContainerConfig::user>},
    Known{"workdir", set_text<&ContainerConfig::working_dir>},
};

constexpr std::array<std::string_view, 17> denied{
    "privileged",
    "cap-add",
    "device",
    "device-cgroup-rule",
    "pid",
    "ipc",
    "uts",
    "userns",
    "security-opt",
    "sysctl",
    "cgroup-parent",
    "runtime",
    "net",
    "network",
    "volumes-from",
    "gpus",
    "group-add",
};

} // namespace

Result<void> add_mount(const std::string& source,
                       const std::string& target,
                       bool read_only,
                       const Policy& policy,
                       docker::ContainerConfig& config) {
    docker::Mount mount;
    mount.source = source;
    mount.target = target;
    mount.read_only = read_only;
    if (source.starts_with('/')) {
        const auto allowed = check_host_path(policy, source);
        if (!allowed) {
            return allowed.error();
        }
        mount.create_source = true; // as Marathon's users know it from `docker run -v`
    } else {
        mount.kind = docker::Mount::Kind::Volume;
    }
    config.mounts.push_back(std::move(mount));
    return {};
}

Result<void>
add_volume(const std::string& text, const Policy& policy, docker::ContainerConfig& config) {
    const auto [source, rest] = split(text, ':');
    const auto [target, mode] = split(rest, ':');
    const bool legal = !source.empty() && target.starts_with('/') &&
                       (mode.empty() || mode == "ro" || mode == "rw");
    if (!legal) {
        return bad("volume must be SOURCE:/TARGET[:ro]");
    }
    return add_mount(source, target, mode == "ro", policy, config);
}

Result<void>
apply_docker_parameters(const std::vector<std::pair<std::string, std::string>>& parameters,
                        const Policy& policy,
                        docker::ContainerConfig& config) {
    for (const auto& [key, value] : parameters) {
        const auto named = std::string("docker parameter ") + key;
        if (key == "volume" || key == "v") {
            auto added = add_volume(value, policy, config);
            if (!added) {
                return std::move(added).error().with_context("in " + named);
            }
            continue;
        }
        if (std::find(denied.begin(), denied.end(), key) != denied.end()) {
            return Error(Code::Forbidden, named + " is not allowed by this host's policy");
        }
        const auto found = std::find_if(
            known.begin(), known.end(), [&key = key](const Known& row) { return row.key == key; });
        if (found == known.end()) {
            return Error(Code::InvalidInput,
                         named + " is not supported; remove it, or use the app's own fields");
        }
        auto applied = found->apply(value, config);
        if (!applied) {
            return std::move(applied).error().with_context("in " + named);
        }
    }
    return {};
}

} // namespace methos::executor
