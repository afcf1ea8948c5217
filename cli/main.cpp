// The command line `methos`: gives program.cpp this process's arguments, environment and streams.
#include "cli/program.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <sys/ioctl.h>

#include <array>
#include <csignal>
#include <iostream>
#include <string>
#include <unistd.h>

namespace {

/// The host's name and the addresses of its interfaces, as URLs write them.
std::set<std::string> hosts_of_machine() {
    std::set<std::string> hosts;
    std::array<char, NI_MAXHOST> text{};
    if (::gethostname(text.data(), text.size() - 1) == 0) {
        hosts.insert(text.data());
    }
    ifaddrs* interfaces = nullptr;
    if (::getifaddrs(&interfaces) != 0) {
        return hosts; // loopback is known without
    }
    for (const auto* one = interfaces; one != nullptr; one = one->ifa_next) {
        const int family = one->ifa_addr == nullptr ? AF_UNSPEC : one->ifa_addr->sa_family;
        if (family != AF_INET && family != AF_INET6) {
            continue;
        }
        const socklen_t size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
        const int failed = ::getnameinfo(one->ifa_addr,
                                         size,
                                         text.data(),
                                         static_cast<socklen_t>(text.size()),
                                         nullptr,
                                         0,
                                         NI_NUMERICHOST);
        if (failed == 0) {
            hosts.insert(text.data());
        }
    }
    ::freeifaddrs(interfaces);
    return hosts;
}

methos::cli::Environment environment_of_process() {
    methos::cli::Environment environment;
    environment.own_hosts = hosts_of_machine();
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string pair = *entry;
        const auto equals = pair.find('=');
        if (equals != std::string::npos) {
            environment.variables[pair.substr(0, equals)] = pair.substr(equals + 1);
        }
    }
    return environment;
}

int columns_of_terminal(int descriptor) {
    winsize size{};
    constexpr int otherwise = 80;
    return ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : otherwise;
}

} // namespace

int main(int count, char** values) {
    // A reader that left shows as a stream that is no longer good.
    std::signal(SIGPIPE, SIG_IGN);
    std::ios::sync_with_stdio(false);
    methos::cli::Surroundings surroundings{
        environment_of_process(), std::cin, methos::cli::Terminal{std::cout, std::cerr}};
    auto& terminal = surroundings.terminal;
    terminal.out_is_tty = ::isatty(STDOUT_FILENO) == 1;
    terminal.err_is_tty = ::isatty(STDERR_FILENO) == 1;
    const bool plain = !surroundings.environment.get("NO_COLOR").empty() ||
                       surroundings.environment.get("TERM") == "dumb";
    terminal.colour = terminal.out_is_tty && terminal.err_is_tty && !plain;
    terminal.columns = columns_of_terminal(STDERR_FILENO);
    return methos::cli::run_program({values + 1, values + count}, surroundings);
}
