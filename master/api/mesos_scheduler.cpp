// POST /api/v1/scheduler: Mesos's v1 scheduler API, JSON only. Checks what HTTP says, reads the
// call, hands it to the heart, and answers when what it changed is durable. Order and words of the
// refusals are Mesos's (src/master/http.cpp), since clients act on the status.
#include "master/api/api.hpp"
#include "master/api/mesos_media.hpp"

#include "core/observe/log.hpp"
#include "master/api/scheduler_streams.hpp"
#include "master/frameworks/external/definition/call_read.hpp"

#include <variant>

namespace methos::master {

namespace {

constexpr std::size_t parse_inline_bytes = 64UL * 1024; ///< more is read off the loop

awaitable<Result<external::Call>> read_call(asio::thread_pool& pool, std::string body) {
    if (body.size() <= parse_inline_bytes) {
        co_return external::read_call(body);
    }
    auto shared = std::make_shared<std::string>(std::move(body));
    std::function<Result<external::Call>()> work = [shared] {
        return external::read_call(*shared);
    };
    co_return co_await run_blocking(pool, std::move(work));
}

/// Whose framework it is: the token's name; without tokens, what the framework says.
std::string principal_of(const http::Request& request, const external::FrameworkInfo& info) {
    return request.principal.name == anonymous_name ? info.principal : request.principal.name;
}

awaitable<http::Response>
subscribe(ApiContext& context, http::Request request, external::Subscribe call) {
    if (auto refused = refuse_accept(request)) {
        co_return std::move(*refused);
    }
    if (request.headers.has("Mesos-Stream-Id")) {
        co_return mesos_refusal(400,
                                "Subscribe calls should not include the 'Mesos-Stream-Id' header");
    }
    const auto principal = principal_of(request, call.info);
    std::optional<external::Refusal> refusal;
    SchedulerStreams::Opened opened;
    std::function<void(heart::Heart&, cluster::Step&)> event = [&](heart::Heart& heart,
                                                                   cluster::Step& step) {
        const auto outcome = heart.external().subscribe(call, principal, step);
        if (const auto* refused = std::get_if<external::Refusal>(&outcome)) {
            refusal = *refused;
        } else {
            opened = context.schedulers.open(std::get<external::Subscription>(outcome).stream);
        }
    };
    co_await context.shell.change(std::move(event));
    if (refusal) {
        co_return mesos_refusal(refusal->status, refusal->message);
    }
    http::Response response;
    response.headers.set("Content-Type", "application/json");
    response.headers.set("Mesos-Stream-Id", opened.stream_id);
    response.headers.set("Cache-Control", "no-store");
    response.stream = std::move(opened.body);
    co_return response;
}

awaitable<http::Response> act(ApiContext& context, http::Request request, external::Call call) {
    const auto stream_id = request.headers.get("Mesos-Stream-Id");
    const auto stream =
        context.schedulers.find(stream_id.value_or("")).value_or(external::StreamNumber());
    std::optional<external::Refusal> refusal;
    std::function<void(heart::Heart&, cluster::Step&)> event = [&](heart::Heart& heart,
                                                                   cluster::Step& step) {
        refusal = heart.external().call(call, stream, step);
    };
    co_await context.shell.change(std::move(event));
    if (refusal && !stream_id && refusal->status == 400 && stream.empty()) {
        co_return mesos_refusal(
            400, "All non-subscribe calls should include the 'Mesos-Stream-Id' header");
    }
    if (refusal) {
        co_return mesos_refusal(refusal->status, refusal->message);
    }
    co_return http::Response(202);
}

awaitable<http::Response> answer(ApiContext& context, http::Request request) {
    if (auto refused = refuse_content_type(request)) {
        co_return std::move(*refused);
    }
    auto call = co_await read_call(context.pool, std::move(request.body));
    if (!call) {
        co_return mesos_refusal(400, call.error().message);
    }
    if (auto* first = std::get_if<external::Subscribe>(&call->body)) {
        auto wanted = std::move(*first);
        co_return co_await subscribe(context, std::move(request), std::move(wanted));
    }
    co_return co_await act(context, std::move(request), std::move(*call));
}

/// A framework that errs often does so in a loop: its operator needs one line of it.
void note_refusal(const std::string& from, const http::Response& response) {
    if (response.status >= 400) {
        log::limited("refused call from " + from,
                     "a framework's call is refused",
                     {{"from", from}, {"status", response.status}, {"why", response.body}});
    }
}

awaitable<http::Response> answer_and_note(ApiContext& context, http::Request request) {
    const auto from = request.remote_address;
    auto response = co_await answer(context, std::move(request));
    note_refusal(from, response);
    co_return response;
}

} // namespace

void add_mesos_scheduler_routes(http::Router& router, ApiContext& context) {
    const std::string pattern = "/api/v1/scheduler";
    http::Route route;
    route.method = "POST";
    route.pattern = pattern;
    route.auth = http::Auth::Token;
    route.body_bytes_max = external::call_bytes_max;
    route.handler = [&context](http::Request request) {
        return answer_and_note(context, std::move(request));
    };
    router.add(std::move(route));
    allow_post_only(router, pattern);
}

} // namespace methos::master
