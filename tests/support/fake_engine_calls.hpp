// What the calls of the fake Engine share: one function per call or family of calls, and the small
// parts they are made of. fake_engine_calls.cpp finds the one that a request means. Private to
// FakeEngine.
#pragma once

#include "tests/support/fake_engine_state.hpp"

namespace methos::test {

using StatePtr = std::shared_ptr<FakeEngine::State>;

/// A call's path without the version, in its parts: {"containers", "<id>", "json"}.
using Parts = std::vector<std::string>;

// ---- calls whose answer is whole: fake_engine_containers.cpp, fake_engine_images.cpp
[[nodiscard]] FakeAnswer create_container(FakeEngine::State& state, const UnixRequest& request);
[[nodiscard]] FakeAnswer list_containers(FakeEngine::State& state, const UnixRequest& request);
/// Of one container: inspect, start, stop, kill, remove, exec.
[[nodiscard]] FakeAnswer
call_container(FakeEngine::State& state, const UnixRequest& request, const Parts& parts);
/// Of one image: inspect, tag, remove.
[[nodiscard]] FakeAnswer
call_image(FakeEngine::State& state, const UnixRequest& request, const Parts& parts);
[[nodiscard]] FakeAnswer import_image(FakeEngine::State& state, const UnixRequest& request);
[[nodiscard]] FakeAnswer load_images(FakeEngine::State& state, const UnixRequest& request);

// ---- calls whose answer flows: fake_engine_images.cpp, fake_engine_streams.cpp
[[nodiscard]] awaitable<void> stream_pull(StatePtr state, Exchange exchange);
[[nodiscard]] awaitable<void> stream_events(StatePtr state, Exchange exchange);
[[nodiscard]] awaitable<void> stream_logs(StatePtr state, Exchange exchange, std::string id);
[[nodiscard]] awaitable<void> start_exec(StatePtr state, Exchange exchange, std::string id);

// ---- parts: fake_engine_calls.cpp
[[nodiscard]] http::Headers headers_of(const FakeEngine::State& state,
                                       const std::string& content_type);
[[nodiscard]] awaitable<void> reply(StatePtr state, Exchange exchange, FakeAnswer answer);
[[nodiscard]] FakeAnswer json_answer(int status, const Json& json);
[[nodiscard]] FakeAnswer no_such_container(const std::string& name);
/// Whether a filter "name" or "name=value" fits.
[[nodiscard]] bool matches(const docker::Labels& labels, const std::string& filter);
/// The values of one name in the request's `filters`.
[[nodiscard]] std::vector<std::string> filter_of(const UnixRequest& request,
                                                 const std::string& name);

} // namespace methos::test
