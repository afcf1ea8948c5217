#include "cli/client/free_port.hpp"

#include "core/base/error.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <unistd.h>

namespace methos::cli {

FreePort::FreePort(std::uint16_t wished)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int yes = 1;
    ::setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (!bind_to(wished) && !bind_to(0)) {
        ::close(socket_);
        throw Failure(Code::ResourceExhausted, "no loopback port is free");
    }
}

FreePort::~FreePort() {
    ::close(socket_);
}

std::string FreePort::address() const {
    return "127.0.0.1:" + std::to_string(port_);
}

bool FreePort::bind_to(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    if (::bind(socket_, plain, length) != 0 || ::getsockname(socket_, plain, &length) != 0) {
        return false;
    }
    port_ = ntohs(address.sin_port);
    return true;
}

} // namespace methos::cli
