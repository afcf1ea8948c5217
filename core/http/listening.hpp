// Where a server listens: what an address of a flag names, and checking that before a program
// writes or binds anything. Used by Server and by main.cpp files; blocking.
#pragma once

#include "core/base/error.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <string>

namespace methos::http {

namespace asio = boost::asio;

/// What "HOST:PORT" names. Throws Failure(InvalidInput) when it is malformed or HOST is no name.
[[nodiscard]] asio::ip::tcp::endpoint resolve_listening(const asio::any_io_executor& executor,
                                                        const std::string& host_port);

/// The error of a failed bind, with what to do about it.
[[nodiscard]] Failure cannot_listen(const asio::ip::tcp::endpoint& at,
                                    const boost::system::error_code& error);

/// Throws what Server::listen() would, but for a port that is taken or needs rights; leaves nothing
/// bound.
void check_listening(const asio::any_io_executor& executor, const std::string& host_port);

} // namespace methos::http
