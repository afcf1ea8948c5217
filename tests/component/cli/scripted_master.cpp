#include "tests/component/cli/scripted_master.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <condition_variable>
#include <future>
#include <mutex>
#include <sstream>
#include <thread>

namespace methos::test {

namespace {

http::Response json_response(int status, const std::string& body) {
    return {status, "application/json", body};
}

awaitable<> stop_server(http::Server& server, std::promise<void>& stopped) {
    auto operation = server.stop(std::chrono::milliseconds(0));
    co_await std::move(operation);
    stopped.set_value();
}

class PieceBody final : public http::BodyReader {
  public:
    PieceBody(std::vector<std::string> pieces, Ending ending)
        : pieces_(std::move(pieces)), ending_(ending) {}

    awaitable<std::optional<std::string>> read() override {
        if (next_ < pieces_.size()) {
            co_return pieces_[next_++];
        }
        if (ending_ == Ending::Broken) {
            throw Failure(Code::Unavailable, "the test breaks it off");
        }
        if (ending_ == Ending::StaysOpen) {
            auto longer_than_any_test = sleep_for(std::chrono::hours(1));
            co_await std::move(longer_than_any_test);
        }
        co_return std::nullopt;
    }

  private:
    std::vector<std::string> pieces_;
    std::size_t next_ = 0;
    Ending ending_;
};

} // namespace

struct ScriptedMaster::Impl {
    asio::io_context loop{1};
    asio::executor_work_guard<asio::io_context::executor_type> work{loop.get_executor()};
    mutable std::mutex mutex;
    mutable std::condition_variable came;
    std::map<std::string, Reply> replies;
    std::vector<std::string> calls;
    std::vector<std::string> requests;
    std::unique_ptr<http::Server> server;
    std::string address;
    std::thread thread;

    http::Response reply(const http::Request& request) {
        Reply chosen;
        {
            const std::scoped_lock lock(mutex);
            const auto call = request.method + " " + request.path;
            calls.push_back(call);
            requests.push_back(request.method + " " + request.target +
                               (request.body.empty() ? "" : " " + request.body));
            came.notify_all();
            const auto found = replies.find(call);
            if (found == replies.end()) {
                return json_response(404, R"({"message":"there is none"})");
            }
            chosen = found->second;
        }
        return chosen(request);
    }

    void start() {
        http::Router router;
        http::Route route;
        route.method = "*";
        route.pattern = "/{rest*}";
        route.auth = http::Auth::Token;
        route.handler = [this](http::Request request) -> awaitable<http::Response> {
            co_return reply(request);
        };
        router.add(std::move(route));
        const auto authenticate = [](const http::Request& request) -> Result<http::Principal> {
            if (request.path != "/ping" &&
                request.headers.get("Authorization") != std::string("Bearer secret")) {
                return Error(Code::Unauthorized, "this token is not valid here");
            }
            return http::Principal{"admin", true};
        };
        const auto render = [](const http::Request&, const Error& error) {
            return json_response(traits_of(error.code).http_status,
                                 R"({"message":")" + error.message + "\"}");
        };
        server = std::make_unique<http::Server>(
            loop.get_executor(), std::move(router), authenticate, render);
        address = server->listen("127.0.0.1:0");
        thread = std::thread([this] { loop.run(); });
    }
};

ScriptedMaster::ScriptedMaster() : impl_(std::make_unique<Impl>()) {
    impl_->start();
    answer("GET /ping", 200, "pong");
}

ScriptedMaster::~ScriptedMaster() {
    std::promise<void> stopped;
    asio::co_spawn(
        impl_->loop, stop_server(*impl_->server, stopped), [](const std::exception_ptr&) {});
    stopped.get_future().wait();
    impl_->work.reset();
    impl_->loop.stop();
    impl_->thread.join();
}

const std::string& ScriptedMaster::address() const {
    return impl_->address;
}

void ScriptedMaster::answer(const std::string& call, int status, const std::string& body) {
    answer(call, [status, body](const http::Request&) { return json_response(status, body); });
}

void ScriptedMaster::answer(const std::string& call, Reply reply) {
    const std::scoped_lock lock(impl_->mutex);
    impl_->replies[call] = std::move(reply);
}

void ScriptedMaster::answer_in_turn(const std::string& call, std::vector<std::string> bodies) {
    auto next = std::make_shared<std::size_t>(0);
    answer(call, [bodies = std::move(bodies), next](const http::Request&) {
        const auto& body = bodies.at(std::min(*next, bodies.size() - 1));
        ++*next;
        return json_response(200, body);
    });
}

std::vector<std::string> ScriptedMaster::requests() const {
    const std::scoped_lock lock(impl_->mutex);
    return impl_->requests;
}

std::vector<std::string> ScriptedMaster::changes() const {
    auto all = requests();
    std::erase_if(all, [](const std::string& request) { return request.rfind("GET ", 0) == 0; });
    return all;
}

void ScriptedMaster::wait_for(const std::string& call, std::size_t count) const {
    std::unique_lock lock(impl_->mutex);
    const auto there = [this, &call, count] {
        const auto seen = std::count(impl_->calls.begin(), impl_->calls.end(), call);
        return static_cast<std::size_t>(seen) >= count;
    };
    if (!impl_->came.wait_for(lock, std::chrono::seconds(60), there)) {
        throw std::runtime_error("the request never came: " + call);
    }
}

http::Response
streamed(const std::string& content_type, std::vector<std::string> pieces, Ending ending) {
    http::Response response(200);
    response.headers.set("Content-Type", content_type);
    response.stream = std::make_shared<PieceBody>(std::move(pieces), ending);
    return response;
}

CliRun run_methos(const std::string& url,
                  const std::vector<std::string>& arguments,
                  const CliOptions& options) {
    std::istringstream in(options.input);
    std::ostringstream out;
    std::ostringstream err;
    cli::Surroundings around{cli::Environment(), in, cli::Terminal{out, err}};
    around.environment.admin_token_file = "/nonexistent/admin.token";
    around.environment.variables = options.environment;
    around.environment.variables.emplace("METHOS_URL", url);
    around.environment.variables.emplace("METHOS_TOKEN", "secret");
    around.interrupts = cli::Interrupts::Ignore;
    around.answer_limit = options.answer_limit;
    around.wait.poll_interval = std::chrono::milliseconds(2);
    around.wait.settle_time = options.settle_time;
    CliRun run;
    run.code = cli::run_program(arguments, around);
    run.out = out.str();
    run.err = err.str();
    return run;
}

} // namespace methos::test
