// How Engine's calls reach the daemon: the versioned path, the negotiated version and its loss, one
// repetition when the daemon refuses our version. Private to this folder.
#pragma once

#include "executor/docker/engine.hpp"

#include <memory>
#include <optional>
#include <string>

namespace methos::docker {

/// One call, before the version is known.
struct Call {
    std::string method = "GET";
    std::string path;                         ///< "/containers/json?all=1": without the version
    std::string body;                         ///< JSON unless `upload` is set
    std::shared_ptr<http::BodyReader> upload; ///< a tar archive
    http::Headers headers;
    bool repeatable = true; ///< false: on a connection of its own, for a kept one that has died
                            ///< makes the http client send it again
    Duration limit = std::chrono::seconds(10); ///< for open(): until the head has arrived
};

class Dialer {
  public:
    Dialer(http::Client& client, std::string socket_path, EngineLimits limits);

    /// Any status is an answer.
    [[nodiscard]] awaitable<http::ClientResponse> send(Call call);
    /// A success's body as a stream; a refusal read and classified.
    [[nodiscard]] awaitable<Answer<std::shared_ptr<http::ClientStream>>> open(Call call,
                                                                              EngineCall kind);
    [[nodiscard]] awaitable<EngineVersion> negotiate();
    [[nodiscard]] awaitable<void> ping();

    void forget_connections();

    [[nodiscard]] const std::optional<EngineVersion>& version() const noexcept { return version_; }

    [[nodiscard]] const std::string& socket_path() const noexcept { return socket_path_; }

    [[nodiscard]] const EngineLimits& limits() const noexcept { return limits_; }

  private:
    [[nodiscard]] http::ClientRequest make_request(const Call& call, const std::string& prefix);
    [[nodiscard]] awaitable<std::string> version_prefix();
    [[nodiscard]] awaitable<http::ClientResponse> send_once(http::ClientRequest request);
    [[nodiscard]] awaitable<std::shared_ptr<http::ClientStream>>
    open_once(http::ClientRequest request, Duration limit);
    [[nodiscard]] Failure in_context(const Failure& failure, const std::string& what) const;
    void note_answer(const http::Headers& headers);

    http::Client& client_;
    std::string socket_path_;
    EngineLimits limits_;
    std::optional<EngineVersion> version_;
    bool fresh_connections_ = false; ///< until the next answer
};

} // namespace methos::docker
