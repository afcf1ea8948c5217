#include "cli/program.hpp"

#include "cli/commands/deploy.hpp"
#include "cli/commands/dev.hpp"
#include "cli/commands/hosts.hpp"
#include "cli/commands/images.hpp"
#include "cli/commands/logs.hpp"
#include "cli/commands/ls.hpp"
#include "cli/commands/restart.hpp"
#include "cli/commands/rm.hpp"
#include "cli/commands/run.hpp"
#include "cli/commands/scale.hpp"
#include "cli/commands/snapshot.hpp"
#include "cli/commands/status.hpp"
#include "cli/commands/version.hpp"
#include "cli/commands/versions.hpp"
#include "cli/commands/why.hpp"
#include "cli/output/words.hpp"
#include "core/base/units.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <functional>
#include <ostream>

namespace methos::cli {

namespace {

constexpr std::int64_t instances_max = 1'000'000; ///< as the master's
constexpr std::int64_t tail_lines_max = 1'000'000;

/// Everything that flags can say, and the command that was chosen.
struct Flags {
    std::string context;
    std::string form = "table";
    std::string timeout = "5m";
    bool detach = false;

    RunOptions run;
    LogsOptions logs;
    DevOptions dev;
    DrainOptions drain;
    ImagesPullOptions images_pull;
    std::int64_t tail = -1;
    std::string app;
    std::string file;
    std::string host;
    std::string version;
    std::int64_t instances = 0;

    SnapshotRestoreOptions restore;

    /// Set by the verb: what talks to a master, or what does not.
    std::function<int(Session&)> command;
    std::function<int(Terminal&)> offline_command;
    bool is_dev = false;
};

Form form_of(const std::string& name) {
    if (name == "wide") {
        return Form::Wide;
    }
    if (name == "json") {
        return Form::Json;
    }
    if (name == "yaml") {
        return Form::Yaml;
    }
    return name == "name" ? Form::Name : Form::Table;
}

/// Unlike CLI::Range this refuses NaN, which is on neither side of a bound.
auto amount_between(double least, double most) {
    return [least, most](const std::string& text) {
        double amount = 0;
        const bool within =
            CLI::detail::lexical_cast(text, amount) && amount >= least && amount <= most;
        return within ? std::string()
                      : "'" + text + "' is no number from " + plain_number(least) + " to " +
                            plain_number(most);
    };
}

void add_wait_flags(CLI::App& verb, Flags& flags) {
    verb.add_flag("-d,--detach", flags.detach, "Do not wait until it is done");
    verb.add_option("--timeout", flags.timeout, "Wait at most that long (exit code 124)")
        ->capture_default_str();
}

/// What operators do with one host.
void add_host_verbs(CLI::App& hosts, Flags& flags) {
    auto& inspect = *hosts.add_subcommand("inspect", "One host and the tasks on it");
    inspect.add_option("HOST", flags.host, "Its id, the start of it, or its hostname")->required();
    inspect.callback([&flags] {
        flags.command = [&flags](Session& session) {
            return run_host_inspect(session, flags.host);
        };
    });
    const std::pair<const char*, const char*> verbs[] = {
        {"cordon", "It takes nothing new; what it has stays"},
        {"uncordon", "It takes tasks again; ends a drain, too"},
        {"gone", "It never comes back: what it had is replaced, and it is forgotten"}};
    for (const auto& [verb, description] : verbs) {
        auto& command = *hosts.add_subcommand(verb, description);
        command.add_option("HOST", flags.host, "Its id, the start of it, or its hostname")
            ->required();
        command.callback([&flags, verb = std::string(verb)] {
            flags.command = [&flags, verb](Session& session) {
                return run_host_change(session, verb, flags.host);
            };
        });
    }
    auto& drain = *hosts.add_subcommand("drain", "What it has moves to other hosts");
    drain.add_option("HOST", flags.host, "Its id, the start of it, or its hostname")->required();
    drain.add_option("--grace", flags.drain.grace, "The longest a task may take to end: 30s");
    drain.add_option("--deadline", flags.drain.deadline, "Kill what is left after that: 10m");
    drain
        .add_option("--at-once",
                    flags.drain.at_once,
                    "Of foreign frameworks' tasks, end so many at the same time (10)")
        ->check(CLI::Range(1, 100'000));
    add_wait_flags(drain, flags);
    drain.callback([&flags] {
        flags.command = [&flags](Session& session) {
            return run_host_drain(session, flags.host, flags.drain);
        };
    });
}

void add_images(CLI::App& program, Flags& flags) {
    auto& images = *program.add_subcommand("images", "Images on the machines");
    images.require_subcommand(1);
    auto& pull = *images.add_subcommand("pull", "Fetch an image ahead of the tasks that need it");
    auto& options = flags.images_pull;
    pull.add_option("IMAGE", options.image, "The image, as an app names it")->required();
    pull.add_option("--hosts", options.hosts, "HOST,... (id, start of one, hostname), or all")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->required();
    pull.add_flag("--force", options.force, "Ask its registry, though it is there");
    pull.callback([&flags] {
        flags.command = [&flags](Session& session) {
            return run_images_pull(session, flags.images_pull);
        };
    });
}

CLI::Option* add_app(CLI::App& verb, Flags& flags) {
    return verb.add_option("APP", flags.app, "The app: /demo, or demo")->required();
}

void add_run(CLI::App& program, Flags& flags) {
    auto& verb = *program.add_subcommand("run", "Make a service of an image: run IMAGE [-- ARGS]");
    auto& options = flags.run;
    verb.add_option("IMAGE", options.image, "The image, as docker run takes it")->required();
    verb.add_option("--name", options.name, "The app's id (after the image)");
    verb.add_option("-n,--instances", options.instances, "How many instances")
        ->check(CLI::Range(std::int64_t{0}, instances_max))
        ->capture_default_str();
    verb.add_option("-p,--publish", options.ports, "[HOST:]CONTAINER[/udp], repeatable")
        ->allow_extra_args(false);
    verb.add_option("-e,--env", options.env, "NAME=VALUE, repeatable")->allow_extra_args(false);
    verb.add_option("--label", options.labels, "NAME=VALUE, repeatable")->allow_extra_args(false);
    verb.add_option("--cpus", options.cpus, "CPUs of each instance")
        ->check(amount_between(0.001, 4096))
        ->capture_default_str();
    verb.add_option("--mem", options.mem_mb, "Megabytes of each instance")
        ->check(amount_between(4, 64.0 * 1024 * 1024))
        ->capture_default_str();
    verb.add_option("--cmd", options.command, "Shell command instead of the image's entrypoint");
    verb.add_option("--net", options.network, "Network; bridge when there are ports, else host")
        ->check(CLI::IsMember({"host", "bridge"}));
    verb.add_flag("--rm", options.one_off, "Run once and remove (not in this version)");
    add_wait_flags(verb, flags);
    verb.callback([&flags] {
        flags.command = [&flags](Session& session) { return run_run(session, flags.run); };
    });
}

void add_deploy(CLI::App& program, Flags& flags, std::istream& in) {
    auto& verb = *program.add_subcommand("deploy", "Run what a file says (JSON or YAML)");
    verb.add_option("FILE", flags.file, "One app or a list of apps; - is standard input")
        ->required();
    add_wait_flags(verb, flags);
    verb.callback([&flags, &in] {
        flags.command = [&flags, &in](Session& session) {
            return run_deploy(session, flags.file, in);
        };
    });
}

void add_scale(CLI::App& program, Flags& flags) {
    auto& verb = *program.add_subcommand("scale", "Change how many instances an app has");
    add_app(verb, flags);
    verb.add_option("N", flags.instances, "How many instances are wanted")
        ->required()
        ->check(CLI::Range(std::int64_t{0}, instances_max));
    add_wait_flags(verb, flags);
    verb.callback([&flags] {
        flags.command = [&flags](Session& session) {
            return run_scale(session, flags.app, flags.instances);
        };
    });
}

void add_restart(CLI::App& program, Flags& flags) {
    auto& verb = *program.add_subcommand("restart", "Replace every instance of an app");
    add_app(verb, flags);
    add_wait_flags(verb, flags);
    verb.callback([&flags] {
        flags.command = [&flags](Session& session) { return run_restart(session, flags.app); };
    });
}

void add_rollback(CLI::App& program, Flags& flags) {
    auto& verb = *program.add_subcommand("rollback", "Make an app what it was in a version");
    add_app(verb, flags);
    verb.add_option("VERSION", flags.version, "As `versions` shows it (the one before)");
    add_wait_flags(verb, flags);
    verb.callback([&flags] {
        flags.command = [&flags](Session& session) {
            return run_rollback(session, flags.app, flags.version);
        };
    });
}

void add_rm(CLI::App& program, Flags& flags) {
    auto& verb = *program.add_subcommand("rm", "Remove an app and stop its instances");
    add_app(verb, flags);
    add_wait_flags(verb, flags);
    verb.callback([&flags] {
        flags.command = [&flags](Session& session) { return run_rm(session, flags.app); };
    });
}

void add_logs(CLI::App& program, Flags& flags) {
    auto& verb = *program.add_subcommand("logs", "What the instances print");
    auto& options = flags.logs;
    verb.add_option("APP", options.name, "An app, or the id of a task")->required();
    verb.add_flag("-f,--follow", options.follow, "Go on with what comes");
    verb.add_option("--tail", flags.tail, "Only the last N lines of each instance")
        ->check(CLI::Range(std::int64_t{0}, tail_lines_max));
    verb.add_option("--since", options.since, "Only what is newer: 10m, or 2026-01-31T12:00:00Z");
    verb.add_flag("--timestamps", options.timestamps, "The time before each line");
    verb.add_flag("--previous", options.previous, "Of the last instance that ended");
    verb.callback([&flags] {
        flags.command = [&flags](Session& session) {
            if (flags.tail >= 0) {
                flags.logs.tail = flags.tail;
            }
            return run_logs(session, flags.logs);
        };
    });
}

void add_readers(CLI::App& program, Flags& flags) {
    program.add_subcommand("ls", "The apps")->callback([&flags] { flags.command = run_ls; });
    auto& status = *program.add_subcommand("status", "One app and its instances");
    add_app(status, flags);
    status.callback([&flags] {
        flags.command = [&flags](Session& session) { return run_status(session, flags.app); };
    });
    auto& why = *program.add_subcommand("why", "Why instances of an app are not running");
    add_app(why, flags);
    why.callback([&flags] {
        flags.command = [&flags](Session& session) { return run_why(session, flags.app); };
    });
    auto& versions = *program.add_subcommand("versions", "What an app was, the newest first");
    add_app(versions, flags);
    versions.callback([&flags] {
        flags.command = [&flags](Session& session) { return run_versions(session, flags.app); };
    });
    auto& hosts = *program.add_subcommand("hosts", "The machines");
    hosts.add_option("HOST", flags.host, "Only this one: its id, the start of it, its hostname");
    hosts.callback([&flags] {
        if (!flags.command) {
            flags.command = [&flags](Session& session) { return run_hosts(session, flags.host); };
        }
    });
    add_host_verbs(hosts, flags);
    program.add_subcommand("version", "The versions of client and master")->callback([&flags] {
        flags.command = run_version;
    });
}

void add_snapshot(CLI::App& program, Flags& flags) {
    auto& verb = *program.add_subcommand("snapshot", "The durable state of the cluster as a file");
    verb.require_subcommand(1);
    auto& save = *verb.add_subcommand("save", "Write the master's state to a file, verified");
    save.add_option("FILE", flags.file, "Replaced when it is there")->required();
    save.callback([&flags] {
        flags.command = [&flags](Session& session) {
            return run_snapshot_save(session, flags.file);
        };
    });
    auto& inspect = *verb.add_subcommand("inspect", "What a snapshot holds; verifies all of it");
    inspect.add_option("FILE", flags.file, "A snapshot")->required();
    inspect.callback([&flags] {
        flags.offline_command = [&flags](Terminal& terminal) {
            return run_snapshot_inspect(terminal, flags.file);
        };
    });
    auto& restore = *verb.add_subcommand(
        "restore", "Make a snapshot the state of a data directory that no master runs on");
    restore.add_option("FILE", flags.restore.file, "A snapshot")->required();
    restore.add_option("--data-dir", flags.restore.data_dir, "Of the master")->required();
    restore.add_flag("--force", flags.restore.force, "Replace the state there; it is kept beside");
    restore.callback([&flags] {
        flags.offline_command = [&flags](Terminal& terminal) {
            return run_snapshot_restore(terminal, flags.restore);
        };
    });
}

void add_dev(CLI::App& program, Flags& flags) {
    auto& verb = *program.add_subcommand("dev", "A whole one-host cluster in the foreground");
    auto& options = flags.dev;
    verb.add_option(
        "--data-dir", options.data_dir, "Where all is kept (~/.local/share/methos/dev)");
    verb.add_option("--http", options.http, "The master's HOST:PORT (8080, or a free one)");
    verb.add_option("--bus", options.bus, "The bus's HOST:PORT (5051, or a free one)");
    verb.add_option("--registry", options.registry, "The proxy's HOST:PORT (5000, or a free one)");
    verb.add_option("--docker", options.docker, "The Docker Engine's socket")
        ->capture_default_str();
    verb.callback([&flags] { flags.is_dev = true; });
}

void describe(CLI::App& program, Flags& flags, std::istream& in) {
    program.fallthrough(); // -o and --context are legal after the verb, too
    program.set_version_flag("--version", "methos " + client_version());
    program.add_option("-o,--output", flags.form, "What to print")
        ->check(CLI::IsMember({"table", "wide", "json", "yaml", "name"}))
        ->capture_default_str();
    program.add_option("--context", flags.context, "A [contexts.NAME] of the config file");
    program.footer("Environment: METHOS_URL, METHOS_TOKEN, METHOS_REGISTRY; contexts are in "
                   "~/.config/methos/config.toml.\n"
                   "Exit codes: 0 done, 1 failed, 2 bad usage or input, 3 could not be placed, "
                   "4 not found, 5 unreachable or unauthorized, 124 waited too long.");
    add_run(program, flags);
    add_deploy(program, flags, in);
    add_readers(program, flags);
    add_scale(program, flags);
    add_restart(program, flags);
    add_rollback(program, flags);
    add_logs(program, flags);
    add_images(program, flags);
    add_rm(program, flags);
    add_snapshot(program, flags);
    add_dev(program, flags);
}

/// Takes what follows the first "--" away: those are the container's arguments, whatever they look
/// like.
std::vector<std::string> take_tail(std::vector<std::string>& arguments, bool& had_tail) {
    const auto mark = std::find(arguments.begin(), arguments.end(), "--");
    had_tail = mark != arguments.end();
    if (!had_tail) {
        return {};
    }
    std::vector<std::string> tail(std::next(mark), arguments.end());
    arguments.erase(mark, arguments.end());
    return tail;
}

/// The arguments as flags. Nothing when the command line is already answered; `code` then.
bool parse(std::vector<std::string> arguments, Flags& flags, Surroundings& around, int& code) {
    CLI::App program("Methos: runs containers on a fleet of Docker hosts.", "methos");
    describe(program, flags, around.in);
    bool had_tail = false;
    flags.run.args = take_tail(arguments, had_tail);
    std::reverse(arguments.begin(), arguments.end()); // CLI11 takes them from the back
    try {
        program.parse(arguments);
    } catch (const CLI::ParseError& failure) {
        std::ostringstream out;
        std::ostringstream err;
        code = program.exit(failure, out, err) == 0 ? exit_code::done
                                                    : exit_code_of(Code::InvalidInput);
        around.terminal.out << out.str();
        around.terminal.err << err.str();
        return false;
    }
    if (program.get_subcommands().empty()) {
        // Not CLI11's own requirement: that would hide a misspelt flag behind it.
        throw Failure(Code::InvalidInput, "A subcommand is required; `methos --help` lists them");
    }
    if (had_tail && !program.got_subcommand("run")) {
        throw Failure(Code::InvalidInput,
                      "only `methos run IMAGE -- ARGS` takes arguments after --");
    }
    return true;
}

int run_with_master(Flags& flags, Surroundings& around) {
    const auto timeout = parse_duration(flags.timeout);
    if (!timeout) {
        throw Failure(Error(Code::InvalidInput, "--timeout: " + timeout.error().message));
    }
    auto target = resolve_target(around.environment, flags.context).value();
    Master master(std::move(target), around.interrupts, around.answer_limit);
    Session session{master, around.terminal, around.wait};
    session.wait.detach = flags.detach;
    session.wait.timeout = *timeout;
    return flags.command(session);
}

int run_command(Flags& flags, Surroundings& around) {
    if (flags.is_dev) {
        return run_dev(around.environment, around.terminal, flags.dev);
    }
    return flags.offline_command ? flags.offline_command(around.terminal)
                                 : run_with_master(flags, around);
}

} // namespace

int exit_code_of(Code code) {
    return code == Code::Cancelled ? exit_code::interrupted : traits_of(code).exit_code;
}

int run_program(std::vector<std::string> arguments, Surroundings& surroundings) {
    auto& terminal = surroundings.terminal;
    try {
        Flags flags;
        int code = exit_code::done;
        if (!parse(std::move(arguments), flags, surroundings, code)) {
            return code;
        }
        terminal.form = form_of(flags.form);
        code = run_command(flags, surroundings);
        terminal.out << std::flush;
        // Output that did not arrive (a full disk, a closed pipe) is no success.
        return terminal.out.good() || code != exit_code::done ? code : exit_code::failed;
    } catch (...) {
        const auto error = error_of_current_exception();
        if (error.code != Code::Cancelled) {
            terminal.err << "methos: " << printable(error.to_string()) << std::endl;
        }
        return exit_code_of(error.code);
    }
}

} // namespace methos::cli
