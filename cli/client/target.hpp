// Which master the command line talks to, and with which token: environment, context file, the
// token that a master on this machine wrote. Decides from values that main gathered; reads files
// only below the home folder and the admin token, and changes the context file for `methos dev`.
#pragma once

#include "core/base/error.hpp"

#include <istream>
#include <map>
#include <set>
#include <string>

namespace methos::cli {

/// What the process was given; tests give their own.
struct Environment {
    std::map<std::string, std::string> variables;
    std::string admin_token_file = "/var/lib/methos/master/admin.token"; ///< for own hosts only
    std::set<std::string> own_hosts; ///< name and addresses of this machine, beside loopback

    /// The value, or empty when it is not set.
    [[nodiscard]] std::string get(const std::string& name) const;
    /// $XDG_CONFIG_HOME or ~/.config, then methos/config.toml; empty without a home.
    [[nodiscard]] std::string config_file() const;
};

/// One `[contexts.NAME]` of the file.
struct ContextEntry {
    std::string url;
    std::string token;
    std::string token_file;
    std::string ca_file;
    std::string registry;
};

struct ContextFile {
    std::string current; ///< used when nobody names one
    std::map<std::string, ContextEntry> contexts;
};

/// Reads the file's text; `name` is for messages.
/// Errors: InvalidInput: unknown keys, lists, values that cannot be read.
[[nodiscard]] Result<ContextFile> parse_context_file(std::istream& text, const std::string& name);

struct Target {
    std::string url; ///< without a slash at the end
    std::string token;
    std::string token_source; ///< for messages: "METHOS_TOKEN", "context dev in ...", empty: none
    std::string ca_file;      ///< who signs the master's certificate; empty: whom the system trusts
    std::string registry;
};

/// A context that was named, or `current` of the file, fills in what the environment leaves out.
/// A token of `current` is not sent to another URL that METHOS_URL names, and the local master's
/// token to no other machine.
/// Errors: NotFound (no such context, with those that there are), InvalidInput (file, URL).
[[nodiscard]] Result<Target> resolve_target(const Environment& environment,
                                            const std::string& context_name);

/// `text` with the context put in place of one of that name, and made `current` when no other is.
/// Everything else stays as it was.
[[nodiscard]] std::string
with_context_entry(const std::string& text, const std::string& name, const ContextEntry& entry);

/// `text` without that context, nor a `current` that names it.
[[nodiscard]] std::string without_context_entry(const std::string& text, const std::string& name);

} // namespace methos::cli
