// The calls whose answer flows: pull, load, events, logs, exec.
#include "core/base/json.hpp"
#include "core/base/units.hpp"
#include "core/runtime/timeout.hpp"
#include "executor/docker/decode.hpp"
#include "executor/docker/engine_impl.hpp"
#include "executor/docker/frames.hpp"
#include "executor/docker/lines.hpp"
#include "executor/docker/path.hpp"
#include "executor/docker/pull_parser.hpp"
#include "executor/docker/registry_auth.hpp"
#include "executor/docker/time_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace methos::docker {

namespace {

constexpr std::size_t load_answer_bytes_max = 1024 * 1024;

class HttpEventStream final : public EventStream {
  public:
    explicit HttpEventStream(std::shared_ptr<http::ClientStream> stream)
        : stream_(std::move(stream)) {}

    awaitable<std::optional<Event>> next() override {
        for (;;) {
            if (const auto line = lines_.next()) {
                co_return decode_event(*line);
            }
            auto piece = co_await stream_->read();
            if (!piece) {
                co_return std::nullopt;
            }
            lines_.feed(*piece);
        }
    }

  private:
    std::shared_ptr<http::ClientStream> stream_;
    LineSplitter lines_;
};

/// Lines of a pull, each waited for at most `quiet`.
class PullLines {
  public:
    PullLines(std::shared_ptr<http::ClientStream> stream, Duration quiet)
        : stream_(std::move(stream)), quiet_(quiet) {}

    awaitable<std::optional<std::string>> next() {
        for (;;) {
            if (auto line = lines_.next()) {
                co_return line;
            }
            auto reading = stream_->read();
            auto piece = co_await with_timeout(
                std::move(reading), quiet_, "waiting for the Engine to go on with the pull");
            if (!piece) {
                co_return lines_.rest();
            }
            lines_.feed(*piece);
        }
    }

  private:
    std::shared_ptr<http::ClientStream> stream_;
    Duration quiet_;
    LineSplitter lines_;
};

Call pull_call(const PullRequest& request) {
    Call call;
    call.method = "POST";
    const auto query = Query()
                           .add("fromImage", request.image)
                           .add("tag", request.tag.empty() ? "latest" : request.tag)
                           .add("platform", request.platform)
                           .text();
    call.path = "/images/create" + query;
    call.limit = request.limits.quiet; // the Engine asks the registry before it answers at all
    if (request.auth) {
        call.headers.set("X-Registry-Auth", registry_auth_header(*request.auth));
    }
    return call;
}

EngineError gave_up(std::string message) {
    EngineError error;
    error.fault = EngineFault::Retryable;
    error.message = std::move(message);
    return error;
}

Call events_call(const EventQuery& query, Duration limit) {
    Filters filters;
    if (!query.types.empty()) {
        filters["type"] = query.types;
    }
    if (!query.actions.empty()) {
        filters["event"] = query.actions;
    }
    if (!query.labels.empty()) {
        filters["label"] = label_filters(query.labels);
    }
    Query parameters;
    if (query.since > 0) {
        parameters.add("since", format_since(query.since));
    }
    if (query.until > 0) {
        parameters.add("until", format_since(query.until));
    }
    if (!filters.empty()) {
        parameters.add("filters", filters_json(filters));
    }
    Call call;
    call.path = "/events" + parameters.text();
    call.limit = limit;
    return call;
}

Call logs_call(const std::string& container, const LogQuery& query, Duration limit) {
    Query parameters;
    parameters.add("stdout", query.out ? "1" : "0");
    parameters.add("stderr", query.err ? "1" : "0");
    parameters.add("follow", query.follow ? "1" : "0");
    parameters.add("timestamps", query.timestamps ? "1" : "0");
    if (query.since > 0) {
        parameters.add("since", format_since(query.since));
    }
    if (query.until > 0) {
        parameters.add("until", format_since(query.until));
    }
    if (query.tail) {
        parameters.add("tail", std::to_string(std::max<std::int64_t>(*query.tail, 0)));
    }
    Call call;
    call.path = "/containers/" + container + "/logs" + parameters.text();
    call.limit = limit;
    return call;
}

std::string exec_body(const ExecRequest& request) {
    nlohmann::json body;
    body["AttachStdout"] = true;
    body["AttachStderr"] = true;
    body["Cmd"] = request.command;
    for (const auto& [name, value] : request.environment) {
        auto variable = name;
        variable += '=';
        variable += value;
        body["Env"].push_back(std::move(variable));
    }
    if (!request.user.empty()) {
        body["User"] = request.user;
    }
    if (!request.working_dir.empty()) {
        body["WorkingDir"] = request.working_dir;
    }
    return dump_json(body);
}

/// Reads framed output to its end and keeps its beginning.
awaitable<std::string> collect_output(std::shared_ptr<http::ClientStream> stream,
                                      std::size_t bytes_max) {
    FrameParser parser(bytes_max);
    std::vector<Frame> frames;
    std::string output;
    while (auto piece = co_await stream->read()) {
        parser.feed(*piece, frames);
        for (const auto& frame : frames) {
            output.append(frame.payload, 0, bytes_max - output.size());
        }
        frames.clear();
    }
    co_return output;
}

} // namespace

std::string PullRequest::reference() const {
    const auto wanted = tag.empty() ? std::string("latest") : tag;
    return image + (wanted.find(':') == std::string::npos ? ":" : "@") + wanted;
}

awaitable<Answer<PulledImage>> Engine::Impl::pull_stream(PullRequest request,
                                                         PullObserver observer) {
    auto call = pull_call(request);
    auto opened = co_await dialer.open(std::move(call), EngineCall::Pull);
    if (!opened) {
        co_return opened.error();
    }
    PullLines lines(*std::move(opened), request.limits.quiet);
    PullParser parser;
    StallWatch watch(request.limits.stall);
    while (const auto line = co_await lines.next()) {
        const bool changed = parser.take_line(*line);
        if (parser.error()) {
            co_return classify(EngineCall::Pull, 200, *parser.error());
        }
        if (changed && observer) {
            observer(parser.progress());
        }
        if (watch.is_stalled(parser.progress().work, std::chrono::steady_clock::now())) {
            co_return gave_up("the pull of " + request.reference() + " made no progress for " +
                              format_duration(request.limits.stall) + " (" +
                              parser.progress().to_string() + "; " + parser.progress().status +
                              ")");
        }
    }
    PulledImage pulled;
    pulled.digest = parser.digest();
    pulled.is_new = parser.is_new();
    co_return pulled;
}

awaitable<Answer<PulledImage>> Engine::pull(PullRequest request, PullObserver observer) {
    const auto reference = request.reference();
    if (!is_image_reference(reference)) {
        co_return bad_image_reference(reference);
    }
    std::optional<EngineError> timeout;
    PulledImage result;
    try {
        constexpr Duration no_limit = std::chrono::hours(24);
        const auto total = request.limits.total.value_or(no_limit);
        auto pulling = impl_->pull_stream(std::move(request), std::move(observer));
        auto pulled = co_await with_timeout(std::move(pulling), total, "the pull of " + reference);
        if (!pulled) {
            co_return pulled.error();
        }
        result = *std::move(pulled);
    } catch (const Failure& failure) {
        if (failure.code() != Code::Timeout) {
            throw;
        }
        timeout = gave_up(failure.error().message);
    }
    if (timeout) {
        co_return *std::move(timeout);
    }
    auto image = co_await inspect_image(reference);
    if (!image) {
        if (image.error().fault != EngineFault::NoSuchImage) {
            co_return image.error();
        }
        co_return gave_up("the pull of " + reference +
                          " ended without an error, and the image is not there");
    }
    result.image = *std::move(image);
    co_return result;
}

awaitable<Answer<std::string>> Engine::Impl::load(Call call) {
    const auto response = co_await dialer.send(std::move(call));
    if (response.status >= 300) {
        co_return classify(EngineCall::Other, response.status, decode_message(response.body));
    }
    if (response.body.size() > load_answer_bytes_max) {
        throw Failure(Code::Protocol, "the Engine's answer to a load is longer than 1 MiB");
    }
    auto output = decode_load(response.body);
    if (!output.error.empty()) {
        co_return classify(EngineCall::Other, response.status, std::move(output.error));
    }
    co_return std::move(output.text);
}

awaitable<Answer<std::string>> Engine::load_image(std::shared_ptr<http::BodyReader> tar) {
    Call call;
    call.method = "POST";
    call.path = "/images/load?quiet=1";
    call.upload = std::move(tar);
    call.limit = impl_->limits().image_load;
    return impl_->load(std::move(call));
}

awaitable<Answer<std::string>> Engine::import_image(std::shared_ptr<http::BodyReader> tar,
                                                    const std::string& repository,
                                                    const std::string& tag,
                                                    const std::vector<std::string>& changes) {
    Query query;
    query.add("fromSrc", "-").add("repo", repository).add("tag", tag);
    for (const auto& change : changes) {
        query.add("changes", change);
    }
    Call call;
    call.method = "POST";
    call.path = "/images/create" + query.text();
    call.upload = std::move(tar);
    call.limit = impl_->limits().image_load;
    return impl_->load(std::move(call));
}

awaitable<std::unique_ptr<EventStream>> Engine::events(EventQuery query) {
    auto call = events_call(query, impl_->limits().stream_open);
    auto opened = co_await impl_->dialer.open(std::move(call), EngineCall::Other);
    if (!opened) {
        throw Failure(opened.error().to_error());
    }
    std::unique_ptr<EventStream> events = std::make_unique<HttpEventStream>(*std::move(opened));
    co_return events;
}

awaitable<Answer<std::shared_ptr<http::BodyReader>>> Engine::logs(std::string container,
                                                                  LogQuery query) {
    if (!is_container_name(container)) {
        co_return bad_container_name(container);
    }
    auto call = logs_call(container, query, impl_->limits().stream_open);
    auto opened = co_await impl_->dialer.open(std::move(call), EngineCall::Inspect);
    if (!opened) {
        co_return opened.error();
    }
    std::shared_ptr<http::BodyReader> body = *std::move(opened);
    co_return body;
}

awaitable<Answer<ExecResult>> Engine::Impl::run_exec(std::string container,
                                                     ExecRequest request,
                                                     std::shared_ptr<std::string> id_known) {
    Call create;
    create.method = "POST";
    create.path = "/containers/" + container + "/exec";
    create.body = exec_body(request);
    create.limit = limits().inspect;
    const auto created = co_await dialer.send(std::move(create));
    if (created.status >= 300) {
        co_return classify(EngineCall::Inspect, created.status, decode_message(created.body));
    }
    const auto id = decode_exec_id(created.body);
    if (!is_container_name(id)) {
        throw Failure(Code::Protocol, "the Engine's exec id is not one: " + id);
    }
    *id_known = id;
    Call start;
    start.method = "POST";
    start.path = "/exec/" + id + "/start";
    start.body = R"({"Detach":false,"Tty":false})";
    start.limit = limits().start;
    auto opened = co_await dialer.open(std::move(start), EngineCall::Start);
    if (!opened) {
        co_return opened.error();
    }
    ExecResult result;
    result.output = co_await collect_output(*std::move(opened), request.output_bytes_max);
    // The output ends a moment before the exit code is known.
    for (;;) {
        Call inspect;
        inspect.path = "/exec/" + id + "/json";
        inspect.limit = limits().inspect;
        const auto inspected = co_await dialer.send(std::move(inspect));
        if (inspected.status >= 300) {
            co_return classify(
                EngineCall::Inspect, inspected.status, decode_message(inspected.body));
        }
        const auto state = decode_exec_state(inspected.body);
        if (!state.running) {
            result.exit_code = state.exit_code;
            co_return result;
        }
        co_await sleep_for(std::chrono::milliseconds(20));
    }
}

/// Docker cannot end an exec; who is told the process may.
awaitable<> Engine::Impl::tell_overdue(std::string id,
                                       std::function<void(std::int64_t pid)> overdue) {
    Call inspect;
    inspect.path = "/exec/" + id + "/json";
    inspect.limit = limits().inspect;
    const auto inspected = co_await dialer.send(std::move(inspect));
    if (inspected.status < 300) {
        if (const auto pid = decode_exec_state(inspected.body).pid; pid > 0) {
            overdue(pid);
        }
    }
}

awaitable<Answer<ExecResult>> Engine::exec(std::string container, ExecRequest request) {
    if (!is_container_name(container)) {
        co_return bad_container_name(container);
    }
    const auto limit = request.limit;
    auto overdue = request.overdue;
    auto id = std::make_shared<std::string>();
    auto running = impl_->run_exec(std::move(container), std::move(request), id);
    std::exception_ptr late;
    try {
        co_return co_await with_timeout(std::move(running), limit, "the command");
    } catch (const Failure& failure) {
        if (failure.error().code != Code::Timeout || !overdue || id->empty()) {
            throw;
        }
        late = std::current_exception();
    }
    try {
        co_await impl_->tell_overdue(*id, std::move(overdue));
    } catch (const Failure& failure) {
        if (failure.error().code == Code::Cancelled) {
            throw;
        } // else nobody can be told; the command is late all the same
    }
    std::rethrow_exception(late);
}

} // namespace methos::docker
