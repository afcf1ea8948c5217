// Who this host, or one task, is at which registry: Docker's config.json and the older .dockercfg,
// read as Docker does. Values for the pull's X-Registry-Auth header and for nothing else: they are
// never logged, and never sent to another registry than the one they are for. Pure but for
// read_docker_config().
#pragma once

#include "core/base/error.hpp"
#include "executor/docker/engine.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace methos::executor {

class RegistryCredentials {
  public:
    /// `text` is a config.json ({"auths":{HOST:{"auth":"base64 of USER:PASSWORD"}}}; username and
    /// password, or identitytoken, count as well) or a .dockercfg (the inside of "auths"). Errors:
    /// InvalidInput, which names an entry and never what is in it.
    [[nodiscard]] static Result<RegistryCredentials> parse(const std::string& text);

    /// `host` as ImageReference has it: "docker.io", "registry.example:5000".
    [[nodiscard]] std::optional<docker::RegistryAuth> find(const std::string& host) const;

    /// Hosts whose credentials are kept by a helper program, which nobody runs here; "*" for all.
    [[nodiscard]] const std::vector<std::string>& with_helper() const { return with_helper_; }

    [[nodiscard]] bool empty() const { return hosts_.empty(); }

  private:
    std::map<std::string, docker::RegistryAuth> hosts_;
    std::vector<std::string> with_helper_;
};

/// What a file of that kind says. Errors: NotFound (it cannot be read), InvalidInput; naming the
/// file.
[[nodiscard]] Result<RegistryCredentials> read_docker_config(const std::string& path);

/// The registry that a key of "auths" means: "docker.io" of "https://index.docker.io/v1/".
[[nodiscard]] std::string registry_host_of(std::string key);

} // namespace methos::executor
