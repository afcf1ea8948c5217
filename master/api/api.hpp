// The master's HTTP API: routes and who may call them. Handlers parse, ask the shell, and print;
// they decide nothing. Whatever they print was durable before it left (Shell::committed).
#pragma once

#include "core/http/server.hpp"
#include "core/observe/metrics.hpp"
#include "master/api/operator_streams.hpp"
#include "master/api/scheduler_streams.hpp"
#include "master/frameworks/external/definition/print.hpp"
#include "master/shell/log_streams.hpp"
#include "master/shell/shell.hpp"

#include <string>

namespace methos::master {

/// What the handlers work with; outlives the server.
struct ApiContext {
    asio::any_io_executor executor;
    Shell& shell;
    LogStreams& streams;
    Metrics& metrics;
    std::string build;
    std::string http_address; ///< as clients reach it: "http://127.0.0.1:8080"
    asio::thread_pool& pool;
    SchedulerStreams& schedulers;
    OperatorStreams& operators;
    external::MasterInfo master; ///< what Mesos's clients are told
    WallTime started_at;
};

/// What Mesos's clients are told of the master at `http_address` ("HOST:PORT" or a URL).
[[nodiscard]] external::MasterInfo make_master_info(const heart::Heart& heart,
                                                    const std::string& http_address);

/// Who calls when the server asks for no token.
inline constexpr const char* anonymous_name = "anonymous";

/// Every route of the master, each with its auth step.
[[nodiscard]] http::Router make_router(ApiContext& context);

/// Accepts the admin token as Bearer, or as the password of Basic. An empty token: anybody (--auth
/// none).
[[nodiscard]] http::Authenticator make_authenticator(std::string admin_token);

/// Errors in the dialect of the API that the path belongs to: Marathon's or our own.
[[nodiscard]] http::ErrorRenderer make_error_renderer();

// The parts of make_router.
void add_marathon_routes(http::Router& router, ApiContext& context);
void add_queue_routes(http::Router& router, ApiContext& context);
void add_methos_routes(http::Router& router, ApiContext& context);
void add_host_routes(http::Router& router, ApiContext& context);
void add_role_routes(http::Router& router, ApiContext& context);
void add_image_routes(http::Router& router, ApiContext& context);
void add_log_routes(http::Router& router, ApiContext& context);
void add_snapshot_routes(http::Router& router, ApiContext& context);
void add_mesos_scheduler_routes(http::Router& router, ApiContext& context);
void add_mesos_operator_routes(http::Router& router, ApiContext& context);
void add_mesos_state_routes(http::Router& router, ApiContext& context);

} // namespace methos::master
