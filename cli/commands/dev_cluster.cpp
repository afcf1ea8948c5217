#include "cli/commands/dev_cluster.hpp"

#include "cli/commands/session.hpp"

#include <sys/signalfd.h>

#include <cerrno>
#include <csignal>
#include <ostream>
#include <poll.h>
#include <system_error>
#include <unistd.h>

namespace methos::cli {

namespace {

using namespace std::chrono_literals;

constexpr auto stop_limit = 15s; ///< of one daemon; its own watchdog takes 10 s
constexpr auto look_interval = 100ms;

int make_descriptor() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) {
        sigaddset(&set, number);
    }
    const int refused = ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    if (refused != 0) {
        throw std::system_error(refused, std::generic_category(), "cannot block signals");
    }
    const int descriptor = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (descriptor < 0) {
        throw std::system_error(errno, std::generic_category(), "cannot wait for signals");
    }
    return descriptor;
}

} // namespace

Signals::Signals() : descriptor_(make_descriptor()) {}

Signals::~Signals() {
    ::close(descriptor_);
}

bool Signals::take_end_request() const {
    bool asked = false;
    signalfd_siginfo info{};
    while (::read(descriptor_, &info, sizeof(info)) == sizeof(info)) {
        asked = asked || info.ssi_signo != SIGCHLD;
    }
    return asked;
}

void DevCluster::start(const std::string& name, const std::vector<std::string>& command) {
    children_.push_back(std::make_unique<ChildProcess>(name, command));
}

bool DevCluster::turn(Duration limit) {
    pump(limit);
    if (signals_.take_end_request()) {
        return false;
    }
    for (const auto& child : children_) {
        if (!child->is_running()) {
            print_lines();
            terminal_.err << "methos-" << child->name() << " " << child->how_it_ended()
                          << ", so the others are ended too; its last lines above say why\n";
            code_ = exit_code::failed;
            return false;
        }
    }
    return true;
}

void DevCluster::stop() {
    while (!children_.empty()) {
        auto& child = *children_.back();
        child.send_signal(SIGTERM);
        const auto give_up = SystemClock().now().mono + stop_limit;
        while (child.is_running() && SystemClock().now().mono < give_up) {
            pump(look_interval);
            static_cast<void>(signals_.take_end_request());
        }
        print_lines();
        children_.pop_back();
    }
}

void DevCluster::fail() {
    code_ = exit_code::failed;
}

void DevCluster::pump(Duration limit) {
    std::vector<pollfd> watched;
    watched.push_back(pollfd{signals_.get(), POLLIN, 0});
    for (const auto& child : children_) {
        if (child->output() >= 0) {
            watched.push_back(pollfd{child->output(), POLLIN, 0});
        }
    }
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(limit).count();
    ::poll(watched.data(), watched.size(), static_cast<int>(ms));
    print_lines();
}

void DevCluster::print_lines() {
    constexpr std::size_t name_columns = 9;
    for (const auto& child : children_) {
        auto head = child->name();
        head.resize(name_columns, ' ');
        const auto painted = paint(head + "| ", Tone::Faint, terminal_.colour);
        child->read_lines([this, &painted](const std::string& line) {
            terminal_.out << painted << line << '\n';
        });
    }
    terminal_.out << std::flush;
}

} // namespace methos::cli
