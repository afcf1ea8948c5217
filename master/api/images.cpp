// POST /methos/v1/images/pull: hosts fetch an image ahead of the tasks that will need it. What each
// of them says of it is passed on as it comes, one JSON record a line; whoever hangs up ends those
// pulls that no task waits for. Hosts take turns, so that a large cluster does not ask its registry
// all at once. Keeps nothing.
#include "master/api/handlers.hpp"
#include "master/api/print.hpp"

#include "core/model/image_reference.hpp"
#include "core/wire/frames.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace methos::master {

namespace {

using nlohmann::json;

constexpr std::size_t hosts_at_once = 64;
constexpr std::size_t hosts_named_max = 10'000; ///< in one call

struct PullCall {
    std::string image;
    bool force = false;
    std::vector<HostNumber> hosts;
};

/// One host's part of the call.
struct HostPull {
    HostNumber number;
    std::shared_ptr<LogStreams::Stream> stream; ///< null: not begun, or over
    std::string image_id;                       ///< set: it is there
};

json record_of(const cluster::Host& host, const char* state) {
    return {{"host", host.info.id.value}, {"hostname", host.info.hostname}, {"state", state}};
}

json failed_record(const cluster::Host& host, const Error& error) {
    auto record = record_of(host, "FAILED");
    record["error"] = {{"code", std::string(traits_of(error.code).name)},
                       {"message", error.message}};
    return record;
}

json pulling_record(const cluster::Host& host, const PullReport& report) {
    auto record = record_of(host, "PULLING");
    record["message"] = report.message;
    if (report.progress) {
        record["progress"] = print_image_progress(*report.progress);
    }
    return record;
}

/// The answer's body: begins the next hosts' pulls as others end.
class PullBody final : public http::BodyReader {
  public:
    PullBody(ApiContext& context, PullCall call)
        : context_(context), call_(std::move(call)),
          arrived_(std::make_shared<Signal>(context.executor)) {}

    awaitable<std::optional<std::string>> read() override {
        for (;;) {
            std::string piece;
            for (auto& pull : active_) {
                take_from(pull, piece);
            }
            std::erase_if(active_, [](const HostPull& pull) { return pull.stream == nullptr; });
            while (active_.size() < hosts_at_once && next_ < call_.hosts.size()) {
                begin(call_.hosts[next_++], piece);
            }
            if (!piece.empty()) {
                co_return piece;
            }
            if (active_.empty()) {
                co_return std::nullopt;
            }
            co_await arrived_->wait();
        }
    }

  private:
    [[nodiscard]] const cluster::Host* find(HostNumber number) const {
        return context_.shell.heart().cluster().find_host(number);
    }

    static void print(std::string& piece, const json& record) { piece += to_text(record) + "\n"; }

    void begin(HostNumber number, std::string& piece) {
        const auto* host = find(number);
        if (host == nullptr) {
            return; // marked as gone since the call began
        }
        if (host->session.empty()) {
            const Error error(Code::Unavailable,
                              "the host is not connected (" + std::string(shown_state(*host)) +
                                  ")");
            print(piece, failed_record(*host, error));
            return;
        }
        auto stream = context_.streams.open_pull(host->session, call_.image, call_.force, arrived_);
        if (!stream) {
            print(piece, failed_record(*host, stream.error()));
            return;
        }
        active_.push_back({number, std::move(*stream), ""});
        print(piece, record_of(*host, "PULLING"));
    }

    void take_from(HostPull& pull, std::string& piece) {
        const auto* host = find(pull.number);
        if (host == nullptr) {
            pull.stream.reset();
            return;
        }
        if (const auto report = pull.stream->take_report()) {
            pull.image_id = report->image_id;
            if (pull.image_id.empty()) {
                print(piece, pulling_record(*host, *report));
            }
        }
        if (!pull.stream->ended()) {
            return;
        }
        if (pull.stream->error()) {
            print(piece, failed_record(*host, *pull.stream->error()));
        } else if (pull.image_id.empty()) {
            const Error error(Code::Protocol, "the host ended the pull without a result");
            print(piece, failed_record(*host, error));
        } else {
            auto record = record_of(*host, "READY");
            record["imageId"] = pull.image_id;
            print(piece, record);
        }
        pull.stream.reset();
    }

    ApiContext& context_;
    PullCall call_;
    std::size_t next_ = 0; ///< of the call's hosts
    std::vector<HostPull> active_;
    std::shared_ptr<Signal> arrived_;
};

std::vector<HostNumber> read_hosts(const json& body, const cluster::Cluster& cluster) {
    const auto wanted = body.find("hosts");
    std::vector<HostNumber> hosts;
    if (wanted != body.end() && *wanted == "all") {
        for (const auto& [number, host] : cluster.hosts()) {
            hosts.push_back(number);
        }
        return hosts;
    }
    const bool is_list = wanted != body.end() && wanted->is_array() && !wanted->empty() &&
                         wanted->size() <= hosts_named_max;
    if (!is_list) {
        throw Failure(Code::InvalidInput, "'hosts' must be \"all\" or a list of host ids");
    }
    for (const auto& id : *wanted) {
        if (!id.is_string()) {
            throw Failure(Code::InvalidInput, "'hosts' holds something that is no host id");
        }
        const HostId name(id.get<std::string>());
        const auto* host = cluster.find_host(name);
        if (host == nullptr) {
            throw Failure(Code::NotFound, "there is no host with id " + name.value);
        }
        if (std::find(hosts.begin(), hosts.end(), host->number) == hosts.end()) {
            hosts.push_back(host->number);
        }
    }
    return hosts;
}

PullCall read_call(const http::Request& request, const cluster::Cluster& cluster) {
    const auto body = read_body(request);
    const auto image = body.is_object() ? body.find("image") : body.end();
    if (!body.is_object() || image == body.end() || !image->is_string()) {
        throw Failure(Code::InvalidInput, "the body must be an object with an 'image'");
    }
    PullCall call;
    call.image = image->get<std::string>();
    const auto reference = parse_image_reference(call.image);
    if (!reference || call.image.size() > wire::name_bytes_max) {
        throw Failure(Code::InvalidInput,
                      "'image' is no image reference" + (reference
                                                             ? std::string(": it is too long")
                                                             : ": " + reference.error().message));
    }
    if (const auto force = body.find("force"); force != body.end()) {
        if (!force->is_boolean()) {
            throw Failure(Code::InvalidInput, "'force' must be true or false");
        }
        call.force = force->get<bool>();
    }
    call.hosts = read_hosts(body, cluster);
    return call;
}

awaitable<http::Response> pull_image(ApiContext& context, http::Request request) {
    auto call = read_call(request, context.shell.heart().cluster());
    co_await context.shell.committed(); // the hosts that it found are true
    http::Response response;
    response.headers.set("Content-Type", "application/x-ndjson");
    response.stream = std::make_shared<PullBody>(context, std::move(call));
    co_return response;
}

} // namespace

void add_image_routes(http::Router& router, ApiContext& context) {
    static constexpr ApiRoute routes[] = {{"POST", "/methos/v1/images/pull", pull_image}};
    add_routes(router, context, routes);
}

} // namespace methos::master
