// From a request to the fake Engine to the call that it means, unless a fault has been injected
// that comes first; and the parts that all calls share.
#include "tests/support/fake_engine_calls.hpp"

#include <algorithm>

namespace methos::test {

namespace {

using State = FakeEngine::State;

std::string without_version(const std::string& path) {
    if (path.compare(0, 2, "/v") != 0 || path.size() < 3 || path[2] < '0' || path[2] > '9') {
        return path;
    }
    return path.substr(std::min(path.find('/', 1), path.size()));
}

/// Image names hold slashes: /images/<name>/json is three parts whatever the name.
Parts parts_of(const std::string& path) {
    Parts parts;
    std::size_t start = 1;
    while (start <= path.size()) {
        const auto slash = std::min(path.find('/', start), path.size());
        parts.push_back(path.substr(start, slash - start));
        start = slash + 1;
    }
    return parts;
}

/// The calls whose answer is whole.
FakeAnswer call_plain(State& state, const UnixRequest& request, const Parts& parts) {
    const auto& room = parts[0];
    if (room == "version") {
        return json_answer(200, state.version_json());
    }
    if (room == "info") {
        return json_answer(200, state.info_json());
    }
    if (room == "_ping") {
        return {200, "OK"};
    }
    if (room == "containers" && parts.size() == 2 && request.method != "DELETE") {
        return parts[1] == "create" ? create_container(state, request)
                                    : list_containers(state, request);
    }
    if (room == "containers" && parts.size() >= 2) {
        return call_container(state, request, parts);
    }
    if (room == "images" && parts.size() == 2 && parts[1] == "create") {
        return import_image(state, request);
    }
    if (room == "images" && parts.size() == 2 && parts[1] == "load") {
        return load_images(state, request);
    }
    if (room == "images" && parts.size() >= 2) {
        return call_image(state, request, parts);
    }
    if (room == "exec" && parts.size() == 3) {
        Json json;
        json["Running"] = false;
        json["ExitCode"] = state.execs[parts[1]].exit_code;
        return json_answer(200, json);
    }
    return refusal(404, "page not found");
}

awaitable<void> dispatch(StatePtr state, Exchange exchange, Parts parts) {
    const auto& request = exchange->request;
    const bool is_pull = parts[0] == "images" && parts.size() == 2 && parts[1] == "create" &&
                         request.parameter("fromSrc").empty();
    if (is_pull) {
        co_await stream_pull(state, exchange);
    } else if (parts[0] == "events") {
        co_await stream_events(state, exchange);
    } else if (parts[0] == "containers" && parts.size() == 3 && parts[2] == "logs") {
        co_await stream_logs(state, exchange, parts[1]);
    } else if (parts[0] == "exec" && parts.size() == 3 && parts[2] == "start") {
        co_await start_exec(state, exchange, parts[1]);
    } else {
        co_await reply(state, exchange, call_plain(*state, request, parts));
    }
}

std::optional<FakeFault> take_fault(State& state, const std::string& call) {
    for (auto it = state.faults.begin(); it != state.faults.end(); ++it) {
        const bool fits = call.starts_with(it->fault.call) &&
                          call.substr(0, call.find('?')).ends_with(it->fault.ends);
        if (!fits) {
            continue;
        }
        if (it->skip > 0) {
            --it->skip;
            continue;
        }
        auto fault = it->fault;
        if (it->times > 0 && --it->times == 0) {
            state.faults.erase(it);
        }
        return fault;
    }
    return std::nullopt;
}

/// True when the call is to be done as usual (perhaps later).
awaitable<bool> suffer(StatePtr state, Exchange exchange, FakeFault fault, Parts parts) {
    using Kind = FakeFault::Kind;
    if (fault.kind == Kind::Answer) {
        FakeAnswer answer{fault.status, fault.body};
        co_await reply(state, exchange, std::move(answer));
    } else if (fault.kind == Kind::DropBefore) {
        exchange->close();
    } else if (fault.kind == Kind::DropAfter) {
        const auto ignored = call_plain(*state, exchange->request, parts);
        exchange->close();
    } else if (fault.kind == Kind::CutBody) {
        auto headers = headers_of(*state, "application/json");
        co_await exchange->answer_cut(200, std::move(fault.body), std::move(headers));
    } else if (fault.kind == Kind::CutAnswer) {
        exchange->cut_after(fault.bytes, [state] { ++state->cuts; });
        co_return true;
    } else {
        auto gate = std::make_shared<Gate>(state->executor);
        state->held_calls.push_back(gate);
        co_await gate->wait();
        // As the real one: what was asked is done, whether or not the client still waits.
        co_return true;
    }
    co_return false;
}

} // namespace

// ---- parts

http::Headers headers_of(const State& state, const std::string& content_type) {
    http::Headers headers;
    headers.add("Api-Version", state.api_max.to_string());
    headers.add("Server", "Docker/" + state.engine + " (linux)");
    if (!content_type.empty()) {
        headers.add("Content-Type", content_type);
    }
    return headers;
}

awaitable<void> reply(StatePtr state, Exchange exchange, FakeAnswer answer) {
    auto headers = headers_of(*state, answer.body.empty() ? "" : "application/json");
    if (state->chunk_answers && !answer.body.empty()) {
        co_await exchange->begin(answer.status, std::move(headers));
        co_await exchange->write(std::move(answer.body));
        co_await exchange->end();
        co_return;
    }
    co_await exchange->answer(answer.status, std::move(answer.body), std::move(headers));
}

FakeAnswer json_answer(int status, const Json& json) {
    return {status, json.dump() + "\n"};
}

FakeAnswer no_such_container(const std::string& name) {
    return refusal(404, "No such container: " + name);
}

bool matches(const docker::Labels& labels, const std::string& filter) {
    const auto equals = filter.find('=');
    const auto found = labels.find(filter.substr(0, equals));
    return found != labels.end() &&
           (equals == std::string::npos || found->second == filter.substr(equals + 1));
}

std::vector<std::string> filter_of(const UnixRequest& request, const std::string& name) {
    const auto text = request.parameter("filters");
    if (text.empty()) {
        return {};
    }
    return Json::parse(text).value(name, std::vector<std::string>());
}

// ---- the way in

docker::ApiVersion FakeEngine::State::api_of(const std::string& target) const {
    const auto end = target.find('/', 1);
    if (target.compare(0, 2, "/v") != 0 || end == std::string::npos) {
        return api_max;
    }
    return docker::parse_api_version(target.substr(2, end - 2)).value_or(api_max);
}

awaitable<void> FakeEngine::State::serve(StatePtr state, Exchange exchange) {
    const auto& request = exchange->request;
    const auto plain = without_version(request.target);
    const auto call = request.method + " " + plain;
    state->calls.push_back(call);
    auto parts = parts_of(without_version(request.path));
    auto fault = take_fault(*state, call);
    if (fault) {
        const bool goes_on = co_await suffer(state, exchange, *fault, parts);
        if (!goes_on) {
            co_return;
        }
    }
    const auto api = state->api_of(request.target);
    if (api > state->api_max) {
        co_await reply(state,
                       exchange,
                       refusal(400,
                               "client version " + api.to_string() +
                                   " is too new. Maximum supported API version is " +
                                   state->api_max.to_string()));
    } else if (api < state->api_min) {
        co_await reply(state,
                       exchange,
                       refusal(400,
                               "client version " + api.to_string() +
                                   " is too old. Minimum supported API version is " +
                                   state->api_min.to_string() +
                                   ", please upgrade your client to a newer version"));
    } else {
        co_await dispatch(state, exchange, std::move(parts));
    }
}

} // namespace methos::test
