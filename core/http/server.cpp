// Listening, accepting, watching deadlines, and the orderly end. What happens on a connection is in
// connection.cpp.
#include "core/http/server.hpp"

#include "core/base/units.hpp"
#include "core/http/connection.hpp"
#include "core/http/listening.hpp"
#include "core/http/tls_context.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <unordered_set>

namespace methos::http {

namespace {

using asio::ip::tcp;
using ErrorCode = boost::system::error_code;

constexpr int backlog = 4096;
constexpr Duration accept_pause = std::chrono::milliseconds(100); ///< when descriptors run out
constexpr Duration sweep_interval_max = std::chrono::seconds(1);
constexpr Duration sweep_interval_min = std::chrono::milliseconds(10);

/// Longer than any write limit: a peer that is only slow meets that first.
constexpr unsigned int unacknowledged_ms_max = 90'000;

/// A peer whose machine is gone leaves what was sent to it unacknowledged. By itself the kernel
/// goes on for a quarter of an hour, and a stream that says little never fills its buffer.
void notice_dead_peer(tcp::socket& socket) {
    const auto limit = unacknowledged_ms_max;
    (void)::setsockopt(
        socket.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof(limit));
}

std::string printable_address(const asio::ip::address& address) {
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
        return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
    }
    return address.to_string();
}

} // namespace

struct Server::Impl : std::enable_shared_from_this<Server::Impl> {
    explicit Impl(const asio::any_io_executor& executor)
        : context(std::make_shared<ServerContext>()), sweep_timer(executor), changed(executor) {
        context->executor = executor;
    }

    void load_tls();
    static awaitable<> accept_loop(std::shared_ptr<Impl> self, std::shared_ptr<tcp::acceptor> from);
    void serve(tcp::socket socket);
    void connection_ended(const std::shared_ptr<Connection>& connection);
    void sweep_later();
    void close_acceptors() noexcept;
    void abort_all() noexcept;
    static awaitable<> stop(std::shared_ptr<Impl> self, Duration limit);

    std::shared_ptr<ServerContext> context;
    std::unique_ptr<asio::ssl::context> tls;
    std::vector<std::shared_ptr<tcp::acceptor>> acceptors;
    std::unordered_set<std::shared_ptr<Connection>> connections;
    asio::steady_timer sweep_timer;
    bool sweeping = false;
    Signal changed; ///< a connection has ended
};

void Server::Impl::load_tls() {
    const auto& options = context->options;
    if (!options.tls_certificate_file.empty()) {
        tls = load_tls_context(options.tls_certificate_file, options.tls_key_file);
    }
}

awaitable<> Server::Impl::accept_loop(std::shared_ptr<Impl> self,
                                      std::shared_ptr<tcp::acceptor> from) {
    while (from->is_open()) {
        if (self->connections.size() >= self->context->options.connections_max) {
            co_await self->changed.wait();
            continue;
        }
        ErrorCode error;
        auto socket = co_await from->async_accept(asio::redirect_error(asio::use_awaitable, error));
        if (error == asio::error::operation_aborted) {
            co_return;
        }
        if (!error) {
            self->serve(std::move(socket));
        } else if (error != asio::error::connection_aborted) {
            co_await sleep_for(accept_pause); // no descriptors: some will be closed
        }
    }
}

void Server::Impl::serve(tcp::socket socket) {
    ErrorCode error;
    const auto peer = socket.remote_endpoint(error);
    if (error || context->draining) {
        return; // gone already
    }
    socket.set_option(tcp::no_delay(true), error);
    socket.set_option(asio::socket_base::keep_alive(true), error);
    notice_dead_peer(socket);
    auto connection = std::make_shared<Connection>(
        context, make_stream(std::move(socket), tls.get()), printable_address(peer.address()));
    connections.insert(connection);
    sweep_later();
    auto done = [self = shared_from_this(), connection](const std::exception_ptr& /*exception*/) {
        // Whatever ended it (a reset, a deadline) has been reported with the request it hit. Later,
        // because the frame that calls us still uses the connection's cancellation slot.
        asio::post(self->context->executor,
                   [self, connection] { self->connection_ended(connection); });
    };
    auto running = Connection::run(connection);
    asio::co_spawn(context->executor,
                   std::move(running),
                   asio::bind_cancellation_slot(connection->cancel().slot(), std::move(done)));
}

void Server::Impl::connection_ended(const std::shared_ptr<Connection>& connection) {
    connection->close();
    connections.erase(connection);
    changed.notify();
}

/// Looks at every deadline now and then, while there are connections: cheaper than a timer each.
void Server::Impl::sweep_later() {
    if (sweeping || connections.empty()) {
        return;
    }
    const auto& options = context->options;
    const auto shortest = std::min(std::min(options.header_limit, options.idle_limit),
                                   std::min(options.body_limit, options.write_limit));
    sweeping = true;
    sweep_timer.expires_after(std::clamp(shortest / 4, sweep_interval_min, sweep_interval_max));
    sweep_timer.async_wait([weak = weak_from_this()](const ErrorCode& error) {
        const auto self = weak.lock();
        if (error || !self) {
            return;
        }
        self->sweeping = false;
        const auto now = std::chrono::steady_clock::now();
        for (const auto& connection : self->connections) {
            connection->check_deadline(now);
        }
        self->sweep_later();
    });
}

void Server::Impl::close_acceptors() noexcept {
    context->draining = true;
    for (const auto& acceptor : acceptors) {
        ErrorCode ignored;
        acceptor->close(ignored);
    }
    changed.notify(); // an accept loop that waits for room
}

void Server::Impl::abort_all() noexcept {
    for (const auto& connection : connections) {
        connection->abort();
    }
}

void check_tls(const ServerOptions& options) {
    if (!options.tls_certificate_file.empty()) {
        (void)load_tls_context(options.tls_certificate_file, options.tls_key_file);
    }
}

Server::Server(asio::any_io_executor executor,
               Router router,
               Authenticator authenticator,
               ErrorRenderer render_error,
               ServerOptions options)
    : impl_(std::make_shared<Impl>(executor)) {
    impl_->context->router = std::move(router);
    impl_->context->authenticate = std::move(authenticator);
    impl_->context->render_error = std::move(render_error);
    impl_->context->options = std::move(options);
}

Server::~Server() {
    impl_->close_acceptors();
    impl_->abort_all();
}

void Server::on_access(std::function<void(const AccessRecord&)> hook) {
    impl_->context->on_access = std::move(hook);
}

std::string Server::listen(const std::string& host_port) {
    if (!impl_->tls) {
        impl_->load_tls();
    }
    const auto endpoint = resolve_listening(impl_->context->executor, host_port);
    auto acceptor = std::make_shared<tcp::acceptor>(impl_->context->executor);
    ErrorCode error;
    acceptor->open(endpoint.protocol(), error);
    if (!error) {
        acceptor->set_option(asio::socket_base::reuse_address(true), error);
    }
    if (!error) {
        acceptor->bind(endpoint, error);
    }
    if (!error) {
        acceptor->listen(backlog, error);
    }
    if (error) {
        throw cannot_listen(endpoint, error);
    }
    impl_->acceptors.push_back(acceptor);
    const auto bound = acceptor->local_endpoint();
    auto loop = Impl::accept_loop(impl_, std::move(acceptor));
    auto ended = [](const std::exception_ptr& /*cancelled with its loop*/) {};
    asio::co_spawn(impl_->context->executor, std::move(loop), std::move(ended));
    HostPort address;
    address.host = bound.address().to_string();
    address.port = bound.port();
    return format_host_port(address);
}

void Server::reload_tls() {
    // Connections hold OpenSSL's own reference to the context that they began with.
    impl_->load_tls();
}

awaitable<> Server::stop(Duration limit) {
    return Impl::stop(impl_, limit);
}

awaitable<> Server::Impl::stop(std::shared_ptr<Impl> self, Duration limit) {
    self->close_acceptors();
    for (const auto& connection : self->connections) {
        connection->drain();
    }
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!self->connections.empty() && std::chrono::steady_clock::now() < end) {
        (void)co_await self->changed.wait_for(end - std::chrono::steady_clock::now());
    }
    self->abort_all();
    while (!self->connections.empty()) {
        co_await self->changed.wait();
    }
}

std::size_t Server::connections() const noexcept {
    return impl_->connections.size();
}

} // namespace methos::http
