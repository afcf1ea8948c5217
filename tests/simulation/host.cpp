#include "tests/simulation/host.hpp"

namespace methos::simulation {

namespace {

HostInfo describe(std::size_t index, const std::string& role) {
    HostInfo info;
    info.role = role;
    info.hostname = "host" + std::to_string(index);
    info.id = host_id_of(index);
    info.address = "10.0.0." + std::to_string(index + 1);
    info.resources.scalars = {4000, 8192 * bytes_per_mb, 100'000 * bytes_per_mb, 0};
    info.resources.ports = PortSet(PortRange{31000, 31127});
    info.docker_version = "20.10.24";
    return info;
}

} // namespace

HostId host_id_of(std::size_t index) {
    return HostId("id-of-host" + std::to_string(index));
}

Host::Host(std::size_t index,
           const std::string& role,
           Network& network,
           Random& random,
           Trace& trace,
           Boundaries& boundaries,
           TaskHistory& history)
    : docker_(index, describe(index, role).resources, random, trace, history), around_{
                                                                                   index,
                                                                                   describe(index,
                                                                                            role),
                                                                                   network,
                                                                                   random,
                                                                                   trace,
                                                                                   boundaries,
                                                                                   history,
                                                                                   docker_,
                                                                                   DockerWeather(),
                                                                                   Duration()} {
    start_executor();
}

void Host::turn(const DockerWeather& weather, bool master_listens) {
    around_.weather = weather;
    docker_.turn(weather);
    if (executor_listens()) {
        executor_->turn(master_listens);
    }
}

void Host::take(ConnectionId id, const Frame& frame) {
    if (executor_) {
        executor_->take(id, frame);
    }
}

// ---- faults --------------------------------------------------------------------------------

void Host::start_executor() {
    around_.trace.say(around_.info.hostname, ": executor starts");
    executor_ = std::make_unique<Executor>(around_);
    paused_until_ = MonoTime();
}

void Host::kill_executor() {
    around_.trace.say(around_.info.hostname, ": executor is killed");
    executor_->die();
    executor_.reset();
}

void Host::stop_executor(Duration grace) {
    executor_->say_goodbye(grace);
    kill_executor();
}

void Host::set_docker(Dockerd::Mode mode) {
    docker_.set_mode(mode);
}

void Host::kill_docker(bool containers_die) {
    docker_.die(containers_die);
}

// ---- what is seen of it --------------------------------------------------------------------

ConnectionId Host::connection() const {
    return executor_ ? executor_->connection() : 0;
}

bool Host::executor_listens() const {
    return executor_ != nullptr && around_.trace.now.mono >= paused_until_;
}

const executor::TaskBook* Host::book() const {
    return executor_ ? &executor_->book() : nullptr;
}

} // namespace methos::simulation
