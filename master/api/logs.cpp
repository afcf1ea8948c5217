// GET /methos/v1/logs/{app or task}: lines of one instance or of all instances of an app, read from
// the Engine on demand and passed on as they come. Nothing is kept here but what waits for a slow
// reader, bounded by credit.
#include "master/api/api.hpp"
#include "master/api/print.hpp"

#include "core/base/units.hpp"
#include "master/frameworks/services/definition/app_parse.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace methos::master {

namespace {

using nlohmann::json;

constexpr std::size_t tasks_max = 64; ///< whose logs one call reads
constexpr std::size_t piece_bytes_max = 64 * 1024;
constexpr Duration first_answer_limit = std::chrono::seconds(5);

/// Where a task's container is.
struct Source {
    TaskName task;
    SessionNumber session;
    std::string hostname;
};

struct Format {
    bool records = false;    ///< x-ndjson
    bool timestamps = false; ///< of plain text
    bool names = false;      ///< plain text of several instances
};

/// The instance's own part of a task id: the first group of its UUID.
std::string short_name(const TaskName& task) {
    const auto at = task.value.find(".instance-");
    return at == std::string::npos ? task.value : task.value.substr(at + 10, 8);
}

WallTime wall_of_ns(std::int64_t ns) {
    return WallTime(std::chrono::milliseconds(ns / 1'000'000));
}

std::string print_line(const LogLine& line, const TaskName& task, const Format& format) {
    if (format.records) {
        json record;
        record["task"] = task.value;
        record["time"] = format_wall_time(wall_of_ns(line.time_ns));
        record["stream"] = line.is_stderr ? "stderr" : "stdout";
        record["line"] = line.text;
        return to_text(record) + "\n";
    }
    std::string text;
    if (format.names) {
        text += "[" + short_name(task) + "] ";
    }
    if (format.timestamps) {
        text += format_wall_time(wall_of_ns(line.time_ns)) + " ";
    }
    return text + line.text + "\n";
}

/// The answer's body: whatever any of the streams has, as it comes.
class LogBody final : public http::BodyReader {
  public:
    struct Part {
        Source source;
        std::shared_ptr<LogStreams::Stream> stream;
    };

    LogBody(std::shared_ptr<Signal> arrived, std::vector<Part> parts, Format format)
        : arrived_(std::move(arrived)), parts_(std::move(parts)), format_(format) {}

    awaitable<std::optional<std::string>> read() override {
        for (;;) {
            std::string piece;
            for (auto& part : parts_) {
                take_from(part, piece);
            }
            std::erase_if(parts_, [](const Part& part) { return part.stream == nullptr; });
            if (!piece.empty()) {
                co_return piece;
            }
            if (parts_.empty()) {
                co_return std::nullopt;
            }
            co_await arrived_->wait();
        }
    }

  private:
    void take_from(Part& part, std::string& piece) {
        while (piece.size() < piece_bytes_max) {
            const auto line = part.stream->take();
            if (!line) {
                break;
            }
            piece += print_line(*line, part.source.task, format_);
        }
        if (part.stream->ended()) {
            if (part.stream->error() && !format_.records) {
                piece += "[" + short_name(part.source.task) + " on " + part.source.hostname +
                         ": the log ends here: " + part.stream->error()->message + "]\n";
            }
            part.stream.reset();
        }
    }

    std::shared_ptr<Signal> arrived_;
    std::vector<Part> parts_;
    Format format_;
};

Source source_of(const TaskName& task, HostNumber number, const heart::Heart& heart) {
    const auto* host = heart.cluster().find_host(number);
    if (host == nullptr || host->session.empty()) {
        throw Failure(Code::Unavailable,
                      "the logs of " + task.value + " are on host " +
                          (host == nullptr ? std::string("?") : host->info.hostname) +
                          ", which is not connected");
    }
    return Source{task, host->session, host->info.hostname};
}

/// Finds what `target` names: an app's instances, or one task. Throws NotFound.
std::vector<Source>
find_sources(const heart::Heart& heart, const std::string& target, bool previous) {
    std::vector<Source> sources;
    const TaskName name(target);
    if (const auto* task = heart.cluster().find_task(name); task != nullptr) {
        sources.push_back(source_of(name, task->host, heart));
        return sources;
    }
    const AppId id(services::absolute_path(target, "/"));
    const auto* app = heart.services().find(id);
    if (app == nullptr) {
        for (const auto& [other_id, other] : heart.services().apps()) {
            if (other.last_end && other.last_end->task == target) {
                sources.push_back(source_of(name, other.last_end->host, heart));
                return sources;
            }
        }
        throw Failure(Code::NotFound, "there is no app and no task called '" + target + "'");
    }
    if (previous) {
        if (!app->last_end) {
            throw Failure(Code::NotFound, "no instance of " + id.value + " has ended yet");
        }
        sources.push_back(source_of(TaskName(app->last_end->task), app->last_end->host, heart));
        return sources;
    }
    for (const auto number : app->tasks) {
        const auto* task = heart.cluster().find_task(number);
        const auto* host = heart.cluster().find_host(task->host);
        if (!task->container_id.empty() && !host->session.empty()) {
            sources.push_back(source_of(task->name, task->host, heart));
        }
    }
    if (sources.empty()) {
        throw Failure(Code::NotFound,
                      "no instance of " + id.value +
                          " has a container that can be reached; see: methos why " + id.value);
    }
    if (sources.size() > tasks_max) {
        sources.resize(tasks_max);
    }
    return sources;
}

/// RFC 3339 time, or a duration before now ("10m").
std::int64_t since_of(const http::Request& request, Now now) {
    const auto text = request.query_value("since");
    if (!text) {
        return 0;
    }
    WallTime time;
    if (parse_wall_time(*text, time)) {
        return time.time_since_epoch().count();
    }
    const auto ago = parse_duration(*text);
    if (!ago) {
        throw Failure(Code::InvalidInput,
                      "since=" + *text +
                          " is neither a time like 2026-01-02T03:04:05Z nor a "
                          "duration like 10m");
    }
    return (now.wall - std::chrono::duration_cast<std::chrono::milliseconds>(*ago))
        .time_since_epoch()
        .count();
}

LogRequest read_request(const http::Request& request, Now now) {
    constexpr std::int64_t tail_max = 1'000'000;
    LogRequest wanted;
    wanted.follow = request.query_flag("follow", false);
    wanted.since_ms = since_of(request, now);
    if (const auto tail = request.query_value("tail"); tail && *tail != "all") {
        const auto lines = parse_int(*tail, 0, tail_max);
        if (!lines) {
            throw Failure(Code::InvalidInput,
                          "tail=" + *tail + " is not a number of lines or 'all'");
        }
        wanted.tail = *lines;
    }
    return wanted;
}

awaitable<http::Response> read_logs(ApiContext& context, http::Request request) {
    const auto& heart = context.shell.heart();
    const auto sources =
        find_sources(heart, request.params.at("target"), request.query_flag("previous", false));
    auto wanted = read_request(request, context.shell.now());
    co_await context.shell.committed();

    auto arrived = std::make_shared<Signal>(context.executor);
    std::vector<LogBody::Part> parts;
    for (const auto& source : sources) {
        wanted.task = source.task;
        auto stream = context.streams.open(source.session, wanted, arrived);
        if (!stream) {
            throw Failure(stream.error());
        }
        LogBody::Part part;
        part.source = source;
        part.stream = std::move(*stream);
        parts.push_back(std::move(part));
    }
    if (parts.size() == 1) {
        // Of a single instance an early failure is the answer, not the end of an empty one.
        const auto& stream = parts.front().stream;
        const auto deadline = std::chrono::steady_clock::now() + first_answer_limit;
        while (!stream->answered() && std::chrono::steady_clock::now() < deadline) {
            if (wanted.follow) {
                break;
            }
            (void)co_await arrived->wait_for(deadline - std::chrono::steady_clock::now());
        }
        if (stream->ended() && stream->error()) {
            throw Failure(*stream->error());
        }
        arrived->notify();
    }
    const auto accept = request.headers.get("Accept").value_or("");
    Format format;
    format.records = accept.find("application/x-ndjson") != std::string::npos;
    format.timestamps = request.query_flag("timestamps", false);
    format.names = parts.size() > 1;
    http::Response response;
    response.headers.set("Content-Type",
                         format.records ? "application/x-ndjson" : "text/plain; charset=utf-8");
    response.stream = std::make_shared<LogBody>(std::move(arrived), std::move(parts), format);
    co_return response;
}

} // namespace

void add_log_routes(http::Router& router, ApiContext& context) {
    http::Route route;
    route.method = "GET";
    route.pattern = "/methos/v1/logs/{target*}";
    route.auth = http::Auth::Token;
    route.handler = [&context](http::Request request) {
        return read_logs(context, std::move(request));
    };
    router.add(std::move(route));
}

} // namespace methos::master
