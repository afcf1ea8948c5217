#include "tests/component/executor/cluster_of_one.hpp"

#include "executor/session/host_recovery.hpp"
#include "tests/support/catch.hpp"

#include <boost/asio/co_spawn.hpp>

#include <algorithm>

namespace methos::executor::test {

namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t beat_interval_ms = 200;
constexpr std::uint32_t beats_to_loss = 50;

awaitable<> find(asio::any_io_executor executor, ExecutorOptions options, HostIdentity& identity) {
    identity = co_await find_identity(std::move(executor), std::move(options));
}

} // namespace

ScriptedMaster::ScriptedMaster(asio::io_context& loop)
    : loop_(loop), keys_(bus::make_curve_keys()) {
    bind("tcp://127.0.0.1:0");
}

void ScriptedMaster::bind(const std::string& address) {
    bus::ServerOptions options;
    options.bind = address;
    options.keys = keys_;
    bus::BusServer::Handlers handlers;
    handlers.on_frame = [this](const bus::PeerId& peer, const std::string& bytes) {
        take(peer, bytes);
    };
    handlers.on_closed = [](const bus::PeerId&) {};
    server_ = std::make_unique<bus::BusServer>(
        loop_.get_executor(), std::move(options), std::move(handlers));
    address_ = server_->address();
}

bus::JoinToken ScriptedMaster::token() const {
    return bus::JoinToken{{address_}, keys_.public_key, "secret"};
}

void ScriptedMaster::restart() {
    const auto address = address_;
    server_->close();
    server_.reset();
    ++epoch_;
    mark_ = wire::SessionMark();
    stamps_.clear();
    bind(address);
}

void ScriptedMaster::take(const bus::PeerId& peer, const std::string& bytes) {
    const auto frame = wire::parse_frame(bytes);
    REQUIRE(frame);
    if (frame->has_hello()) {
        take_hello(peer, frame->hello());
        return;
    }
    if (wire::mark_of(*frame) != mark_) {
        const auto refused =
            wire::make_refused(wire::mark_of(*frame), wire::Refused::UNKNOWN_SESSION, "restarted");
        (void)server_->send(peer, wire::serialize(refused));
        return;
    }
    if (frame->has_status()) {
        take_status(frame->status());
    } else if (frame->has_inventory()) {
        ++inventories;
        inventory.clear();
        for (const auto& task : frame->inventory().tasks()) {
            inventory.push_back(*wire::from_wire(task));
        }
    } else if (frame->has_host()) {
        host = *wire::from_wire(frame->host());
    } else if (frame->has_goodbye()) {
        ++goodbyes;
    } else if (frame->has_beat()) {
        send(wire::make_beat(mark_, frame->beat().sequence()));
    } else if (frame->has_stream_data()) {
        for (const auto& line : frame->stream_data().lines()) {
            log_text += line.text() + "\n";
        }
        if (frame->stream_data().has_pull()) {
            pull_reports.push_back(frame->stream_data().pull());
        }
    } else if (frame->has_stream_end()) {
        stream_ends.push_back(frame->stream_end().code());
    }
}

void ScriptedMaster::take_hello(const bus::PeerId& peer, const wire::Hello& hello) {
    CHECK(hello.join_secret() == "secret");
    if (hello.connection() == wire::Hello::STREAM) {
        CHECK(hello.control_session() == mark_.session);
        if (stream_refusals > 0) {
            --stream_refusals;
            const auto refused =
                wire::make_refused(wire::SessionMark(), wire::Refused::UNKNOWN_SESSION, "not yet");
            (void)server_->send(peer, wire::serialize(refused));
            return;
        }
        stream_ = peer;
        stream_features.assign(hello.features().begin(), hello.features().end());
    } else {
        control_ = peer;
        stream_ = bus::PeerId(); // belonged to the session before
        mark_ = wire::SessionMark{mark_.session + 1 + 100 * epoch_, epoch_};
        stamps_.clear();
        ++hellos;
        host = *wire::from_wire(hello.host());
        if (!welcomes) {
            return;
        }
    }
    welcome(peer);
}

void ScriptedMaster::welcome() {
    welcome(control_);
}

void ScriptedMaster::welcome(const bus::PeerId& peer) {
    auto frame = wire::make_frame(mark_);
    frame.mutable_welcome()->set_protocol(wire::protocol_version);
    frame.mutable_welcome()->set_cluster("c1");
    frame.mutable_welcome()->set_beat_interval_ms(beat_interval_ms);
    frame.mutable_welcome()->set_beats_to_loss(beats_to_loss);
    (void)server_->send(peer, wire::serialize(frame));
}

void ScriptedMaster::take_status(const wire::Status& status) {
    auto answer = wire::make_frame(mark_);
    for (const auto& task : status.tasks()) {
        const bool repeated =
            task.stamp() != 0 &&
            std::find(stamps_.begin(), stamps_.end(), task.stamp()) != stamps_.end();
        if (repeated) {
            ++repeats;
        } else {
            statuses.push_back(*wire::from_wire(task));
            if (task.stamp() != 0) {
                stamps_.push_back(task.stamp());
            }
        }
        if (task.stamp() != 0 && acknowledges) {
            auto& ack = *answer.mutable_ack()->add_tasks();
            ack.set_number(task.number());
            ack.set_name(task.name());
            ack.set_stamp(task.stamp());
        }
    }
    if (answer.has_ack()) {
        send(answer);
    }
}

void ScriptedMaster::send(const wire::Frame& frame) {
    (void)server_->send(control_, wire::serialize(frame));
}

void ScriptedMaster::launch(const std::string& name, const std::string& image) {
    TaskSpec spec;
    spec.number = SpecNumber(++numbers_);
    spec.framework = "services";
    spec.app = "/demo";
    spec.version = "v1";
    spec.image = image;
    spec.network = NetworkMode::Bridge;
    spec.ports.push_back(PortMapping{80, "tcp", "http"});
    spec.resources.milli_cpus = 100;
    spec.resources.mem_bytes = 32 * bytes_per_mb;
    TaskLaunch launched;
    launched.number = TaskNumber(numbers_);
    launched.name = TaskName(name);
    launched.spec = spec.number;
    launched.host_ports = {static_cast<std::uint16_t>(31000 + numbers_)};
    launched.request = RequestId("r1");
    if (edit) {
        edit(launched, spec);
    }
    spec.hash = hash_of(spec);
    number_of_[name] = numbers_;
    auto frame = wire::make_frame(mark_);
    wire::to_wire(spec, *frame.mutable_launch()->add_specs());
    wire::to_wire(launched, *frame.mutable_launch()->add_tasks());
    send(frame);
}

void ScriptedMaster::kill(const std::string& name, std::int64_t grace_ms) {
    auto frame = wire::make_frame(mark_);
    auto& task = *frame.mutable_kill()->add_tasks();
    task.set_number(number_of_[name]);
    task.set_name(name);
    task.set_grace_ms(grace_ms);
    send(frame);
}

void ScriptedMaster::open_logs(std::uint64_t stream,
                               const std::string& task,
                               bool follow,
                               std::uint32_t credit) {
    auto frame = wire::make_frame(mark_);
    auto& open = *frame.mutable_stream_open();
    open.set_stream(stream);
    open.set_task(task);
    open.set_follow(follow);
    open.set_tail(-1);
    open.set_credit_bytes(credit);
    REQUIRE(server_->send(stream_, wire::serialize(frame)));
}

void ScriptedMaster::pull_image(std::uint64_t stream, const std::string& image, bool force) {
    auto frame = wire::make_frame(mark_);
    auto& open = *frame.mutable_stream_open();
    open.set_stream(stream);
    open.set_pull_image(image);
    open.set_force_pull(force);
    REQUIRE(server_->send(stream_, wire::serialize(frame)));
}

void ScriptedMaster::end_stream(std::uint64_t stream) {
    auto frame = wire::make_frame(mark_);
    frame.mutable_stream_end()->set_stream(stream);
    REQUIRE(server_->send(stream_, wire::serialize(frame)));
}

void ScriptedMaster::give_credit(std::uint64_t stream, std::uint32_t bytes) {
    auto frame = wire::make_frame(mark_);
    frame.mutable_stream_credit()->set_stream(stream);
    frame.mutable_stream_credit()->set_bytes(bytes);
    REQUIRE(server_->send(stream_, wire::serialize(frame)));
}

std::vector<TaskState> ScriptedMaster::states(const std::string& name) const {
    std::vector<TaskState> seen;
    for (const auto& status : statuses) {
        if (status.name.value == name && status.stamp != 0) {
            seen.push_back(status.state);
        }
    }
    return seen;
}

bool ScriptedMaster::has(const std::string& name, TaskState state) const {
    return std::any_of(statuses.begin(), statuses.end(), [&](const auto& status) {
        return status.name.value == name && status.state == state;
    });
}

const TaskStatus* ScriptedMaster::last(const std::string& name) const {
    const TaskStatus* found = nullptr;
    for (const auto& status : statuses) {
        if (status.name.value == name) {
            found = &status;
        }
    }
    return found;
}

ClusterOfOne::ClusterOfOne() : docker(loop.get_executor()), master(loop) {
    options.token = master.token();
    options.docker_socket = docker.socket_path();
    options.data_dir = folder.file("data");
    options.hostname = "test-host";
    docker.add_image("demo:1");
}

ClusterOfOne::~ClusterOfOne() {
    if (executor) {
        stop(false);
    }
}

void ClusterOfOne::run_until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!done()) {
        if (std::chrono::steady_clock::now() > deadline) {
            FAIL("what the test waits for did not happen");
        }
        loop.restart();
        loop.run_one_for(50ms);
    }
}

void ClusterOfOne::run(awaitable<> work) {
    bool ended = false;
    asio::co_spawn(loop, std::move(work), [&ended](const std::exception_ptr&) { ended = true; });
    run_until([&ended] { return ended; });
}

void ClusterOfOne::start() {
    HostIdentity identity;
    run(find(loop.get_executor(), options, identity));
    executor =
        std::make_unique<Executor>(loop.get_executor(), options, std::move(identity), senses);
    executor->start();
}

void ClusterOfOne::stop(bool orderly) {
    run(executor->stop(orderly));
    executor.reset();
}

void ClusterOfOne::launch_and_wait(const std::string& name) {
    master.launch(name, "demo:1");
    run_until([&] { return master.has(name, TaskState::Running); });
}

int ClusterOfOne::starts() {
    int count = 0;
    for (const auto* container : docker.containers()) {
        count += container->starts;
    }
    return count;
}

} // namespace methos::executor::test
