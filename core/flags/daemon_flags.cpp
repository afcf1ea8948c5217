#include "core/flags/daemon_flags.hpp"

#include "core/flags/config_file.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cctype>
#include <iostream>
#include <map>
#include <utility>

#ifndef METHOS_VERSION
#define METHOS_VERSION "unknown"
#endif

namespace methos {

namespace {

constexpr int exit_usage = 2;

/// "--data-dir,--x" and METHOS_MASTER_ to METHOS_MASTER_DATA_DIR.
std::string environment_name(const std::string& prefix, const std::string& names) {
    auto name = prefix + names.substr(2, names.find(',') - 2);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
        return c == '-' ? '_' : static_cast<char>(std::toupper(c));
    });
    return name;
}

} // namespace

struct DaemonFlags::Parts {
    Parts(std::string program, std::string prefix_, std::string description)
        : app(std::move(description), std::move(program)), prefix(std::move(prefix_)) {}

    void add(const std::string& names, CLI::Option* option) {
        option->envname(environment_name(prefix, names))->capture_default_str();
        for (const auto& name : option->get_lnames()) {
            by_key[name] = option;
        }
    }

    /// Gives each flag that neither command line nor environment has set what the file says.
    [[nodiscard]] Result<void> apply_config_file();

    CLI::App app;
    std::string prefix;
    std::string config_file;
    std::map<std::string, CLI::Option*> by_key; ///< the flags that a file may set
};

Result<void> DaemonFlags::Parts::apply_config_file() {
    const auto entries = read_config_file(config_file);
    if (!entries) {
        return entries.error();
    }
    std::vector<std::pair<CLI::Option*, const ConfigEntry*>> settings;
    for (const auto& entry : *entries) {
        const auto known = by_key.find(entry.key);
        if (known == by_key.end()) {
            return Error(Code::InvalidInput,
                         entry.place + ": unknown key '" + entry.key +
                             "'; the keys are the flags that --help lists, without their dashes");
        }
        if (entry.is_array && known->second->get_expected_max() == 1) {
            return Error(Code::InvalidInput,
                         entry.place + ": " + entry.key + " takes one value, not a list");
        }
        if (known->second->count() == 0 && !entry.values.empty()) {
            settings.emplace_back(known->second, &entry);
        }
    }
    for (const auto& [option, entry] : settings) {
        option->add_result(entry->values);
        option->run_callback();
    }
    return {};
}

DaemonFlags::DaemonFlags(std::string program,
                         std::string environment_prefix,
                         std::string description)
    : parts_(std::make_unique<Parts>(
          std::move(program), std::move(environment_prefix), std::move(description))) {
    auto& app = parts_->app;
    app.set_version_flag("--version", METHOS_VERSION);
    app.add_option("--config", parts_->config_file, "TOML file with any of these flags")
        ->envname(parts_->prefix + "CONFIG");
}

DaemonFlags::~DaemonFlags() = default;

void DaemonFlags::add(const std::string& names, std::string& into, const std::string& help) {
    parts_->add(names, parts_->app.add_option(names, into, help));
}

void DaemonFlags::add(const std::string& names,
                      std::vector<std::string>& into,
                      const std::string& help) {
    parts_->add(names, parts_->app.add_option(names, into, help));
}

std::optional<int> DaemonFlags::parse(int argc, const char* const* argv) {
    try {
        parts_->app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return parts_->app.exit(error) == 0 ? 0 : exit_usage;
    }
    if (!parts_->config_file.empty()) {
        if (const auto applied = parts_->apply_config_file(); !applied) {
            std::cerr << "error: " << applied.error().message << std::endl;
            return exit_usage;
        }
    }
    return std::nullopt;
}

} // namespace methos
