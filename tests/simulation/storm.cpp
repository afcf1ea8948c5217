#include "tests/simulation/storm.hpp"

namespace methos::simulation {

namespace {

using Disk = ModelMaster::Disk;

constexpr std::uint64_t loss_ms_max = 200'000; ///< of a host for good; past the storm's end: never

} // namespace

Storm::Storm(Network& network,
             ModelMaster& master,
             Hosts& hosts,
             Boundaries& boundaries,
             Random& random,
             Trace& trace)
    : network_(network), master_(master), hosts_(hosts), boundaries_(boundaries), random_(random),
      trace_(trace), faults_(hosts.size()) {
    boundaries_.on_failure([this](Victim victim, std::size_t host) { failed(victim, host); });
}

void Storm::choose() {
    const auto now_and_then = [this](std::uint64_t most) {
        return random_.percent(40) ? 0 : random_.below(most);
    };
    climate_.master_kill = now_and_then(10'000);
    climate_.disk_full = now_and_then(10'000);
    climate_.disk_broken = now_and_then(5'000);
    climate_.stall = now_and_then(5'000);
    climate_.clock_jump = now_and_then(5'000);
    climate_.executor_kill = now_and_then(10'000);
    climate_.executor_pause = now_and_then(4'000);
    climate_.link_cut = now_and_then(5'000);
    climate_.connection_reset = now_and_then(10'000);
    climate_.docker_down = now_and_then(5'000);
    climate_.docker_hang = now_and_then(3'000);
    change_chance_ = random_.between(5'000, 60'000);
    weather_.exit_chance = now_and_then(10'000);
    weather_.refusal_percent = now_and_then(30);
    weather_.cut_percent = now_and_then(20);
    weather_.event_loss_percent = now_and_then(60);
    weather_.stuck_percent = now_and_then(30);
    weather_.call_ms_max = random_.between(1, 1'500);
    weather_.pull_ms_max = random_.between(10, 5'000);
    boundaries_.set_chance(now_and_then(3'000));
    network_.set_repeats(now_and_then(30));
    network_.set_delay_max(random_.between(1, 800));
    master_.set_commit_ms_max(random_.between(1, 1'500));
    loss_at_ = trace_.now.mono + random_.ms(0, loss_ms_max);
}

// ---- by chance -----------------------------------------------------------------------------

void Storm::strike() {
    strike_master();
    if (!lost_host_ && trace_.now.mono >= loss_at_) {
        lose_host();
    }
    for (std::size_t i = 0; i < hosts_.size(); ++i) {
        if (lost_host_ != i) {
            strike_host(i);
        }
    }
}

void Storm::strike_master() {
    if (master_.up() && random_.per_million(climate_.master_kill)) {
        kill_master();
    }
    if (master_.up() && !master_.stalled() && random_.per_million(climate_.stall)) {
        trace_.say("master: is held up");
        master_.hold_up(true);
        stall_over_ = trace_.now.mono + random_.ms(500, 6'000);
    }
    if (master_.disk() == Disk::Good && random_.per_million(climate_.disk_full)) {
        fail_disk(Disk::Full);
    }
    if (master_.disk() == Disk::Good && random_.per_million(climate_.disk_broken)) {
        fail_disk(Disk::Broken);
    }
    if (random_.per_million(climate_.clock_jump)) {
        master_.shift_clock(clock_jump("the master"));
    }
}

void Storm::strike_host(std::size_t index) {
    const auto now = trace_.now.mono;
    auto& host = *hosts_[index];
    if (host.executor_up() && random_.per_million(climate_.executor_kill)) {
        kill_executor(index, random_.percent(30));
    }
    if (host.executor_up() && random_.per_million(climate_.executor_pause)) {
        trace_.say(host.info().hostname, ": executor is held up");
        host.pause_executor(now + random_.ms(500, 6'000));
    }
    if (!network_.is_cut(index) && random_.per_million(climate_.link_cut)) {
        trace_.say(host.info().hostname, ": link is cut");
        network_.set_cut(index, true);
        faults_[index].link_back = now + random_.ms(0, 12'000);
    }
    if (host.connection() != 0 && random_.per_million(climate_.connection_reset)) {
        trace_.say(host.info().hostname, ": connection is reset");
        network_.reset(host.connection(), now);
    }
    if (host.docker().mode() == Dockerd::Mode::Up && random_.per_million(climate_.docker_down)) {
        kill_docker(index);
    }
    if (host.docker().mode() == Dockerd::Mode::Up && random_.per_million(climate_.docker_hang)) {
        host.set_docker(Dockerd::Mode::Hung);
        faults_[index].docker_back = now + random_.ms(100, 40'000);
    }
    if (random_.per_million(climate_.clock_jump)) {
        host.shift_clock(clock_jump(host.info().hostname));
    }
}

void Storm::lose_host() {
    lost_host_ = random_.below(hosts_.size());
    auto& host = *hosts_[*lost_host_];
    trace_.say(host.info().hostname, ": is gone for good");
    if (host.executor_up()) {
        host.kill_executor();
    }
    network_.set_cut(*lost_host_, random_.percent(50));
}

Duration Storm::clock_jump(const std::string& whose) {
    const auto seconds_max = random_.percent(50) ? 20U : 7'200U;
    auto seconds = static_cast<std::int64_t>(random_.below(seconds_max));
    if (random_.percent(50)) {
        seconds = -seconds;
    }
    trace_.say(whose, ": the clock jumps and is wrong by ", std::to_string(seconds), " s");
    return std::chrono::seconds(seconds);
}

// ---- what breaks ---------------------------------------------------------------------------

void Storm::crashed(const Crash& crash) {
    if (crash.victim == Victim::Master) {
        kill_master();
    } else {
        kill_executor(crash.host, false);
    }
}

void Storm::failed(Victim victim, std::size_t host) {
    if (victim == Victim::Disk && master_.disk() == Disk::Good) {
        fail_disk(random_.percent(50) ? Disk::Full : Disk::Broken);
    } else if (victim == Victim::Docker && hosts_[host]->docker().mode() != Dockerd::Mode::Down) {
        kill_docker(host);
    }
}

void Storm::kill_master() {
    master_.kill();
    master_back_ = trace_.now.mono + random_.ms(0, random_.percent(20) ? 20'000 : 2'000);
}

void Storm::kill_executor(std::size_t index, bool orderly) {
    if (orderly) {
        hosts_[index]->stop_executor(random_.ms(0, 60'000));
    } else {
        hosts_[index]->kill_executor();
    }
    faults_[index].executor_back =
        trace_.now.mono + random_.ms(0, random_.percent(15) ? 50'000 : 4'000);
}

void Storm::kill_docker(std::size_t index) {
    hosts_[index]->kill_docker(random_.percent(30));
    faults_[index].docker_back =
        trace_.now.mono + random_.ms(0, random_.percent(15) ? 80'000 : 8'000);
}

void Storm::fail_disk(Disk how) {
    master_.set_disk(how);
    disk_back_ = trace_.now.mono + random_.ms(100, random_.percent(20) ? 50'000 : 6'000);
}

// ---- what comes back -----------------------------------------------------------------------

void Storm::mend() {
    const auto now = trace_.now.mono;
    if (now >= disk_back_) {
        master_.set_disk(Disk::Good);
    }
    if (master_.stalled() && now >= stall_over_) {
        master_.hold_up(false);
    }
    for (std::size_t i = 0; i < hosts_.size(); ++i) {
        if (lost_host_ != i) {
            mend_host(i, false);
        }
    }
    if (!master_.up() && now >= master_back_) {
        master_.start(); // last: it may find its disk broken
    }
}

void Storm::mend_host(std::size_t index, bool at_once) {
    const auto now = trace_.now.mono;
    auto& host = *hosts_[index];
    const auto& fault = faults_[index];
    if (!host.executor_up() && (at_once || now >= fault.executor_back)) {
        host.start_executor();
    }
    if (network_.is_cut(index) && (at_once || now >= fault.link_back)) {
        trace_.say(host.info().hostname, ": link is back");
        network_.set_cut(index, false);
    }
    if (host.docker().mode() != Dockerd::Mode::Up && (at_once || now >= fault.docker_back)) {
        host.set_docker(Dockerd::Mode::Up);
    }
}

void Storm::end() {
    trace_.say("---- calm ----");
    climate_ = Climate();
    weather_ = DockerWeather();
    boundaries_.set_chance(0);
    network_.set_repeats(0);
    network_.set_delay_max(20);
    master_.set_commit_ms_max(30);
    master_.set_disk(Disk::Good);
    master_.hold_up(false);
    for (std::size_t i = 0; i < hosts_.size(); ++i) {
        if (lost_host_ != i) {
            hosts_[i]->pause_executor(trace_.now.mono);
            mend_host(i, true);
        }
    }
    if (!master_.up()) {
        master_.start();
    }
}

} // namespace methos::simulation
