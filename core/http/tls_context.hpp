// The server's half of TLS: certificate and key of two files as a context for new connections. Read
// at start and on reload; used by server.cpp only. Does not watch the files.
#pragma once

#include <boost/asio/ssl/context.hpp>

#include <memory>
#include <string>

namespace methos::http {

/// Throws Failure(InvalidInput) naming the file that cannot be read, is no PEM, or does not fit the
/// other.
[[nodiscard]] std::unique_ptr<boost::asio::ssl::context>
load_tls_context(const std::string& certificate_file, const std::string& key_file);

} // namespace methos::http
