// The calls that ask and get one answer; engine_streams.cpp has those whose answer flows.
#include "executor/docker/engine.hpp"

#include "core/base/units.hpp"
#include "executor/docker/create_body.hpp"
#include "executor/docker/decode.hpp"
#include "executor/docker/engine_impl.hpp"
#include "executor/docker/path.hpp"

#include <algorithm>
#include <utility>

namespace methos::docker {

namespace {

constexpr std::size_t socket_path_bytes_max = 107; ///< sun_path without its NUL

EngineError refusal_of(EngineCall kind, const http::ClientResponse& response) {
    return classify(kind, response.status, decode_message(response.body));
}

bool is_success(const http::ClientResponse& response) {
    return response.status >= 200 && response.status < 300;
}

std::string whole_seconds(Duration duration) {
    constexpr Duration grace_max = std::chrono::hours(24 * 7);
    const auto bounded = std::clamp(duration, Duration::zero(), grace_max);
    return std::to_string(std::chrono::ceil<std::chrono::seconds>(bounded).count());
}

} // namespace

EngineError bad_container_name(const std::string& name) {
    return classify(EngineCall::Other, 400, "\"" + name + "\" is not a container's name or id");
}

EngineError bad_image_reference(const std::string& reference) {
    return classify(
        EngineCall::Image, 400, "\"" + reference + "\" is not an image: invalid reference format");
}

Result<std::string> parse_socket_address(const std::string& text) {
    constexpr std::string_view scheme = "unix://";
    auto path = text;
    if (path.compare(0, scheme.size(), scheme) == 0) {
        path.erase(0, scheme.size());
    }
    if (path.empty() || path.front() != '/') {
        return Error(
            Code::InvalidInput,
            "\"" + text +
                "\" is not the address of a Unix socket; write unix:///var/run/docker.sock");
    }
    if (path.size() > socket_path_bytes_max) {
        return Error(Code::InvalidInput,
                     "the socket path \"" + path + "\" is longer than 107 bytes; make it shorter");
    }
    return path;
}

Engine::Engine(http::Client& client, std::string socket_path, EngineLimits limits)
    : impl_(std::make_unique<Impl>(client, parse_socket_address(socket_path).value(), limits)) {}

Engine::~Engine() = default;

const std::string& Engine::socket_path() const noexcept {
    return impl_->dialer.socket_path();
}

awaitable<EngineVersion> Engine::negotiate() {
    return impl_->dialer.negotiate();
}

const std::optional<EngineVersion>& Engine::version() const noexcept {
    return impl_->dialer.version();
}

awaitable<void> Engine::ping() {
    return impl_->dialer.ping();
}

void Engine::forget_connections() {
    impl_->dialer.forget_connections();
}

awaitable<EngineInfo> Engine::info() {
    Call call;
    call.path = "/info";
    call.limit = impl_->limits().inspect;
    const auto response = co_await impl_->dialer.send(std::move(call));
    if (!is_success(response)) {
        throw Failure(refusal_of(EngineCall::Other, response).to_error());
    }
    co_return decode_info(response.body);
}

awaitable<Answer<ImageInfo>> Engine::inspect_image(std::string reference) {
    if (!is_image_reference(reference)) {
        co_return bad_image_reference(reference);
    }
    Call call;
    call.path = "/images/" + reference + "/json";
    call.limit = impl_->limits().inspect;
    const auto response = co_await impl_->dialer.send(std::move(call));
    if (!is_success(response)) {
        co_return refusal_of(EngineCall::Image, response);
    }
    co_return decode_image(response.body);
}

awaitable<Answer<void>>
Engine::tag_image(std::string source, std::string repository, std::string tag) {
    if (!is_image_reference(source)) {
        co_return bad_image_reference(source);
    }
    Call call;
    call.method = "POST";
    const auto query = Query().add("repo", repository).add("tag", tag).text();
    call.path = "/images/" + source + "/tag" + query;
    call.limit = impl_->limits().inspect;
    const auto response = co_await impl_->dialer.send(std::move(call));
    if (!is_success(response)) {
        co_return refusal_of(EngineCall::Image, response);
    }
    co_return Answer<void>();
}

awaitable<Answer<ImageRemoveOutcome>> Engine::remove_image(std::string reference, bool force) {
    if (!is_image_reference(reference)) {
        co_return bad_image_reference(reference);
    }
    Call call;
    call.method = "DELETE";
    call.path = "/images/" + reference + (force ? "?force=1" : "");
    call.limit = impl_->limits().image_remove;
    const auto response = co_await impl_->dialer.send(std::move(call));
    if (is_success(response)) {
        co_return ImageRemoveOutcome::Removed;
    }
    if (response.status == 404) {
        co_return ImageRemoveOutcome::NoSuchImage;
    }
    if (response.status == 409) {
        co_return ImageRemoveOutcome::InUse;
    }
    co_return refusal_of(EngineCall::Image, response);
}

awaitable<Answer<CreatedContainer>> Engine::create_container(ContainerConfig config,
                                                             std::string name) {
    if (!is_container_name(name)) {
        co_return bad_container_name(name);
    }
    auto body = create_body(config);
    if (!body) {
        co_return body.error();
    }
    Call call;
    call.method = "POST";
    call.path = "/containers/create?name=" + name;
    call.body = *std::move(body);
    call.limit = impl_->limits().create;
    const auto response = co_await impl_->dialer.send(std::move(call));
    if (!is_success(response)) {
        co_return refusal_of(EngineCall::Create, response);
    }
    co_return decode_created(response.body);
}

awaitable<Answer<StartOutcome>> Engine::start_container(std::string container) {
    if (!is_container_name(container)) {
        co_return bad_container_name(container);
    }
    Call call;
    call.method = "POST";
    call.path = "/containers/" + container + "/start";
    call.repeatable = false; // a second start runs an exited container again
    call.limit = impl_->limits().start;
    const auto response = co_await impl_->dialer.send(std::move(call));
    if (response.status == 304) {
        co_return StartOutcome::AlreadyRunning;
    }
    if (!is_success(response)) {
        co_return refusal_of(EngineCall::Start, response);
    }
    co_return StartOutcome::Started;
}

awaitable<Answer<StopOutcome>> Engine::stop_container(std::string container, Duration grace) {
    if (!is_container_name(container)) {
        co_return bad_container_name(container);
    }
    Call call;
    call.method = "POST";
    const auto seconds = whole_seconds(grace);
    call.path = "/containers/" + container + "/stop?t=" + seconds;
    constexpr Duration grace_max = std::chrono::hours(24 * 7);
    call.limit = std::min(grace, grace_max) + impl_->limits().stop_beyond_grace;
    const auto response = co_await impl_->dialer.send(std::move(call));
    if (response.status == 304) {
        co_return StopOutcome::WasNotRunning;
    }
    if (response.status == 404) {
        co_return StopOutcome::NoSuchContainer;
    }
    if (!is_success(response)) {
        co_return refusal_of(EngineCall::Stop, response);
    }
    co_return StopOutcome::Stopped;
}

awaitable<Answer<KillOutcome>> Engine::kill_container(std::string container, std::string signal) {
    if (!is_container_name(container)) {
        co_return bad_container_name(container);
    }
    Call call;
    call.method = "POST";
    const auto query = Query().add("signal", signal).text();
    call.path = "/containers/" + container + "/kill" + query;
    call.limit = impl_->limits().inspect;
    const auto response = co_await impl_->dialer.send(std::move(call));
    if (response.status == 409) {
        co_return KillOutcome::WasNotRunning;
    }
    if (response.status == 404) {
        co_return KillOutcome::NoSuchContainer;
    }
    if (!is_success(response)) {
        co_return refusal_of(EngineCall::Kill, response);
    }
    co_return KillOutcome::Killed;
}

awaitable<Answer<RemoveOutcome>> Engine::remove_container(std::string container, bool force) {
    if (!is_container_name(container)) {
        co_return bad_container_name(container);
    }
    Call call;
    call.method = "DELETE";
    call.path = "/containers/" + container + "?v=1" + (force ? "&force=1" : "");
    call.limit = impl_->limits().remove;
    const auto response = co_await impl_->dialer.send(std::move(call));
    if (is_success(response)) {
        co_return RemoveOutcome::Removed;
    }
    if (response.status == 404) {
        co_return RemoveOutcome::NoSuchContainer;
    }
    auto refusal = refusal_of(EngineCall::Remove, response);
    if (refusal.fault == EngineFault::RemovalInProgress) {
        co_return RemoveOutcome::InProgress;
    }
    co_return refusal;
}

awaitable<Answer<ContainerState>> Engine::inspect_container(std::string container) {
    if (!is_container_name(container)) {
        co_return bad_container_name(container);
    }
    Call call;
    call.path = "/containers/" + container + "/json";
    call.limit = impl_->limits().inspect;
    const auto response = co_await impl_->dialer.send(std::move(call));
    if (!is_success(response)) {
        co_return refusal_of(EngineCall::Inspect, response);
    }
    co_return decode_container(response.body);
}

awaitable<std::vector<ContainerSummary>> Engine::list_containers(ListQuery query) {
    Filters filters;
    if (!query.labels.empty()) {
        filters["label"] = label_filters(query.labels);
    }
    Query parameters;
    parameters.add("all", query.running_only ? "0" : "1");
    if (!filters.empty()) {
        parameters.add("filters", filters_json(filters));
    }
    Call call;
    call.path = "/containers/json" + parameters.text();
    call.limit = impl_->limits().inspect;
    const auto response = co_await impl_->dialer.send(std::move(call));
    if (!is_success(response)) {
        throw Failure(refusal_of(EngineCall::Other, response).to_error());
    }
    co_return decode_list(response.body);
}

} // namespace methos::docker
