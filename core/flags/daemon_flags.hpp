// The command line of a daemon: every flag can also stand in the TOML file of --config and in the
// environment; the command line comes before the environment, and that before the file. CLI11
// inside; only daemon_flags.cpp includes it. Used by main.cpp files.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace methos {

class DaemonFlags {
  public:
    /// `environment_prefix` is put before each flag's name: METHOS_MASTER_ makes
    /// METHOS_MASTER_DATA_DIR.
    DaemonFlags(std::string program, std::string environment_prefix, std::string description);
    DaemonFlags(const DaemonFlags&) = delete;
    DaemonFlags& operator=(const DaemonFlags&) = delete;
    ~DaemonFlags();

    /// `names` is "--data-dir", or "--cache-dir,--data-dir" for one with an alias; `into` holds the
    /// default.
    void add(const std::string& names, std::string& into, const std::string& help);
    /// A flag that may be repeated.
    void add(const std::string& names, std::vector<std::string>& into, const std::string& help);

    /// Reads command line, environment and file. Nothing when the program is to go on; otherwise
    /// the code to leave with: 0 after --help and --version, 2 after a wrong flag, key or file,
    /// which has been said.
    [[nodiscard]] std::optional<int> parse(int argc, const char* const* argv);

  private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

} // namespace methos
