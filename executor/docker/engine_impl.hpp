// What engine.cpp and engine_streams.cpp share. Private to this folder.
#pragma once

#include "executor/docker/dialer.hpp"
#include "executor/docker/engine.hpp"

#include <string>
#include <utility>

namespace methos::docker {

struct Engine::Impl {
    Impl(http::Client& client, std::string socket_path, EngineLimits limits_)
        : dialer(client, std::move(socket_path), limits_) {}

    [[nodiscard]] const EngineLimits& limits() const { return dialer.limits(); }

    [[nodiscard]] awaitable<Answer<PulledImage>> pull_stream(PullRequest request,
                                                             PullObserver observer);
    [[nodiscard]] awaitable<Answer<std::string>> load(Call call);
    /// `id` learns the exec's id as soon as it is known.
    [[nodiscard]] awaitable<Answer<ExecResult>>
    run_exec(std::string container, ExecRequest request, std::shared_ptr<std::string> id);
    [[nodiscard]] awaitable<> tell_overdue(std::string id,
                                           std::function<void(std::int64_t pid)> overdue);

    Dialer dialer;
};

/// Refusals of our own, before the Engine is asked.
[[nodiscard]] EngineError bad_container_name(const std::string& name);
[[nodiscard]] EngineError bad_image_reference(const std::string& reference);

} // namespace methos::docker
