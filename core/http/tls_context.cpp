#include "core/http/tls_context.hpp"

#include "core/base/error.hpp"

namespace methos::http {

namespace {

namespace ssl = boost::asio::ssl;

void check(const char* what, const std::string& file, const boost::system::error_code& error) {
    if (error) {
        throw Failure(Code::InvalidInput,
                      std::string("cannot use the TLS ") + what + " " + file + ": " +
                          error.message());
    }
}

} // namespace

std::unique_ptr<ssl::context> load_tls_context(const std::string& certificate_file,
                                               const std::string& key_file) {
    auto context = std::make_unique<ssl::context>(ssl::context::tls_server);
    context->set_options(ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1);
    boost::system::error_code error;
    context->use_certificate_chain_file(certificate_file, error);
    check("certificate", certificate_file, error);
    context->use_private_key_file(key_file, ssl::context::pem, error);
    check("key", key_file, error);
    return context;
}

} // namespace methos::http
