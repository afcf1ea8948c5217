#include "tests/component/master/master_lab.hpp"

#include "core/runtime/timeout.hpp"

#include <nlohmann/json.hpp>

namespace methos::test {

FakeExecutor::FakeExecutor(asio::any_io_executor executor,
                           const std::string& address,
                           const std::string& server_key)
    : arrived_(executor), client_(
                              executor,
                              [&] {
                                  bus::ClientOptions options;
                                  options.address = address;
                                  options.server_key = server_key;
                                  options.keys = bus::make_curve_keys();
                                  return options;
                              }(),
                              bus::BusClient::Handlers{[this](const std::string& bytes) {
                                                           auto frame = wire::parse_frame(bytes);
                                                           if (frame) {
                                                               frames_.push_back(std::move(*frame));
                                                               arrived_.notify();
                                                           }
                                                       },
                                                       [] {},
                                                       [](const std::string&) {}}) {}

void FakeExecutor::send(const wire::Frame& frame) {
    send_raw(wire::serialize(frame));
}

void FakeExecutor::send_raw(std::string bytes) {
    if (!client_.send(std::move(bytes))) {
        throw Failure(Code::Unavailable, "the fake executor's queue is full");
    }
}

awaitable<wire::Frame> FakeExecutor::next(wire::Frame::BodyCase kind) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    for (;;) {
        while (!frames_.empty()) {
            auto frame = std::move(frames_.front());
            frames_.pop_front();
            if (frame.body_case() == kind) {
                co_return frame;
            }
        }
        const auto left = deadline - std::chrono::steady_clock::now();
        const bool more = co_await arrived_.wait_for(left);
        if (!more) {
            throw Failure(Code::Timeout,
                          "no " + std::string(wire::name_of(kind)) + " came from the master");
        }
    }
}

wire::Frame FakeExecutor::hello(const std::string& hostname, const std::string& secret) {
    wire::Frame frame;
    auto& hello = *frame.mutable_hello();
    hello.set_protocol_min(1);
    hello.set_protocol_max(1);
    hello.set_build("test");
    hello.set_join_secret(secret);
    hello.set_host_key("key-" + hostname);
    HostInfo info;
    info.id = HostId("id-" + hostname);
    info.hostname = hostname;
    info.resources.scalars = {4000, 4096 * bytes_per_mb, 10'000 * bytes_per_mb, 0};
    info.resources.ports = PortSet(PortRange{31000, 31999});
    info.docker_up = true;
    info.docker_version = "20.10.24";
    info.docker_api = "1.41";
    wire::to_wire(info, *hello.mutable_host());
    return frame;
}

awaitable<> FakeExecutor::join(std::string hostname, wire::Inventory has) {
    send(hello(hostname, join_secret));
    const auto welcome = co_await next(wire::Frame::kWelcome);
    mark = wire::mark_of(welcome);
    auto frame = wire::make_frame(mark);
    *frame.mutable_inventory() = std::move(has);
    send(frame);
}

awaitable<>
FakeExecutor::join_stream(const FakeExecutor& control, std::string hostname, bool pulls_images) {
    auto frame = hello(hostname, join_secret);
    frame.mutable_hello()->set_connection(wire::Hello::STREAM);
    frame.mutable_hello()->set_control_session(control.mark.session);
    if (pulls_images) {
        frame.mutable_hello()->add_features("pull_image");
    }
    send(frame);
    const auto welcome = co_await next(wire::Frame::kWelcome);
    mark = wire::mark_of(welcome);
}

void FakeExecutor::report(const wire::TaskLaunch& task, TaskState state) {
    auto frame = wire::make_frame(mark);
    auto& status = *frame.mutable_status()->add_tasks();
    status.set_number(task.number());
    status.set_name(task.name());
    status.set_stamp(++stamps_);
    status.set_state(static_cast<std::uint32_t>(state));
    status.set_container_id("c" + std::to_string(task.number()));
    send(frame);
}

MasterLab::MasterLab() : keys_(bus::make_curve_keys()), client_(context_.get_executor()) {}

MasterLab::~MasterLab() = default;

std::unique_ptr<FakeExecutor> MasterLab::executor() {
    return std::make_unique<FakeExecutor>(
        context_.get_executor(), bus_->address(), keys_.public_key);
}

void MasterLab::run(std::function<awaitable<>(MasterLab&)> body) {
    std::exception_ptr failure;
    auto limited = with_timeout(serve(std::move(body)), std::chrono::seconds(60), "the test");
    asio::co_spawn(context_, std::move(limited), [&failure](const std::exception_ptr& exception) {
        failure = exception;
    });
    context_.run();
    if (failure) {
        std::rethrow_exception(failure);
    }
}

awaitable<> MasterLab::serve(std::function<awaitable<>(MasterLab&)> body) {
    const auto loop = context_.get_executor();
    heart::Options options;
    options.policy.beats_to_loss = 60; // played by hand, executors beat only where a test says so
    shell = std::make_unique<master::Shell>(loop, pool_, clock_, store, options, metrics_);
    co_await shell->start();
    master::BusPort::Options bus_options;
    bus_options.bind = "tcp://127.0.0.1:0";
    bus_options.keys = keys_;
    bus_options.join_secret = join_secret;
    bus_options.build = "test";
    bus_ = std::make_unique<master::BusPort>(loop, *shell, streams_, bus_options, metrics_);
    const std::string address = "127.0.0.1:8080";
    const auto master_info = master::make_master_info(shell->heart(), address);
    schedulers =
        std::make_unique<master::SchedulerStreams>(loop, *shell, master_info, scheduler_limits);
    operators = std::make_unique<master::OperatorStreams>(loop, *shell);
    master::ApiContext context{loop,
                               *shell,
                               streams_,
                               metrics_,
                               "test",
                               address,
                               pool_,
                               *schedulers,
                               *operators,
                               master_info,
                               clock_.now().wall};
    http::Server server(loop,
                        master::make_router(context),
                        master::make_authenticator(admin_token),
                        master::make_error_renderer());
    url = "http://" + server.listen("127.0.0.1:0");
    TaskGroup tasks(loop, [](const std::string&, const Error&) {});
    tasks.spawn("shell", shell->run());

    std::exception_ptr failure;
    try {
        co_await body(*this);
    } catch (...) {
        failure = std::current_exception();
    }
    store.let_go();
    co_await server.stop(std::chrono::seconds(1));
    bus_->close();
    shell->stop();
    co_await tasks.join();
    if (failure) {
        std::rethrow_exception(failure);
    }
}

awaitable<http::ClientResponse>
MasterLab::call(std::string method, std::string path, std::string body, http::Headers headers) {
    http::ClientRequest request;
    request.headers = std::move(headers);
    request.method = std::move(method);
    request.url = url + path;
    request.headers.set("Authorization", std::string("Bearer ") + admin_token);
    request.body = std::move(body);
    co_return co_await client_.send(std::move(request));
}

awaitable<nlohmann::json> MasterLab::get_until(std::string path,
                                               std::function<bool(const nlohmann::json&)> good) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    for (;;) {
        const auto response = co_await call("GET", path);
        auto document = nlohmann::json::parse(response.body);
        const bool reached = good(document);
        if (reached) {
            co_return document;
        }
        if (std::chrono::steady_clock::now() > deadline) {
            throw Failure(Code::Timeout, "GET " + path + " still says " + response.body);
        }
        co_await sleep_for(std::chrono::milliseconds(20));
    }
}

} // namespace methos::test
