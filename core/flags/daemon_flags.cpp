#include "core/flags/daemon_flags.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cctype>

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

    CLI::App app;
    std::string prefix;
};

DaemonFlags::DaemonFlags(std::string program,
                         std::string environment_prefix,
                         std::string description)
    : parts_(std::make_unique<Parts>(
          std::move(program), std::move(environment_prefix), std::move(description))) {
    auto& app = parts_->app;
    app.set_version_flag("--version", METHOS_VERSION);
    app.allow_config_extras(CLI::config_extras_mode::error); // a misspelt key is said, not ignored
    app.set_config("--config", "", "TOML file with any of these flags")
        ->envname(parts_->prefix + "CONFIG");
}

DaemonFlags::~DaemonFlags() = default;

void DaemonFlags::add(const std::string& names, std::string& into, const std::string& help) {
    parts_->app.add_option(names, into, help)
        ->envname(environment_name(parts_->prefix, names))
        ->capture_default_str();
}

void DaemonFlags::add(const std::string& names,
                      std::vector<std::string>& into,
                      const std::string& help) {
    parts_->app.add_option(names, into, help)
        ->envname(environment_name(parts_->prefix, names))
        ->capture_default_str();
}

std::optional<int> DaemonFlags::parse(int argc, const char* const* argv) {
    try {
        parts_->app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return parts_->app.exit(error) == 0 ? 0 : exit_usage;
    }
    return std::nullopt;
}

} // namespace methos
