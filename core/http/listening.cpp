#include "core/http/listening.hpp"

#include "core/base/units.hpp"

namespace methos::http {

using asio::ip::tcp;
using ErrorCode = boost::system::error_code;

tcp::endpoint resolve_listening(const asio::any_io_executor& executor,
                                const std::string& host_port) {
    auto parsed = parse_host_port(host_port);
    if (!parsed) {
        throw Failure(parsed.error());
    }
    ErrorCode error;
    const auto address = asio::ip::make_address(parsed->host, error);
    if (!error) {
        return tcp::endpoint(address, parsed->port);
    }
    tcp::resolver resolver(executor);
    const auto found =
        resolver.resolve(parsed->host, std::to_string(parsed->port), tcp::resolver::passive, error);
    if (error || found.empty()) {
        throw Failure(
            Code::InvalidInput,
            "\"" + parsed->host + "\" in \"" + host_port +
                "\" is neither an address nor a name of this machine; choose another with "
                "--http");
    }
    return found.begin()->endpoint();
}

Failure cannot_listen(const tcp::endpoint& at, const ErrorCode& error) {
    const auto host = at.address().to_string();
    const auto port = std::to_string(at.port());
    const Cause cause{Cause::Kind::Errno, error.value()};
    if (error == asio::error::address_in_use) {
        return Failure(Error(Code::Conflict,
                             "port " + port + " of " + host +
                                 " is taken by another program; choose another with --http",
                             cause));
    }
    if (error == asio::error::access_denied) {
        return Failure(Error(Code::Forbidden,
                             "port " + port + " of " + host +
                                 " needs root's rights; choose one above 1023 with --http",
                             cause));
    }
    return Failure(Error(Code::InvalidInput,
                         "cannot listen on port " + port + " of " + host + ": " + error.message() +
                             "; choose an address of this machine with --http",
                         cause));
}

void check_listening(const asio::any_io_executor& executor, const std::string& host_port) {
    const auto endpoint = resolve_listening(executor, host_port);
    ErrorCode error;
    tcp::socket probe(executor);
    probe.open(endpoint.protocol(), error);
    if (!error) {
        probe.bind(tcp::endpoint(endpoint.address(), 0), error); // any port: it only asks whose
    }
    if (error) {
        throw cannot_listen(endpoint, error);
    }
}

} // namespace methos::http
