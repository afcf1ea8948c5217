#include "executor/images/relay.hpp"

#include "core/observe/log.hpp"
#include "core/runtime/timeout.hpp"
#include "executor/race.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>

#include <netdb.h>

#include <array>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace methos::executor {

namespace {

using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t buffer_bytes = 16 * 1024; // per direction and connection
constexpr std::size_t connections_max = 256;    // dockerd opens a handful per pull
constexpr Duration connect_limit = std::chrono::seconds(5);
constexpr Duration idle_limit = std::chrono::minutes(10);
constexpr Duration accept_pause = std::chrono::milliseconds(200); // out of descriptors

/// One connection's two ends. Ends share it, so that either may close both.
struct Pipe {
    explicit Pipe(tcp::socket accepted)
        : client(std::move(accepted)), target(client.get_executor()) {}

    tcp::socket client;
    tcp::socket target;
    MonoTime last_byte = std::chrono::steady_clock::now();

    void close() {
        error_code ignored;
        client.close(ignored);
        target.close(ignored);
    }
};

using PipePtr = std::shared_ptr<Pipe>;

awaitable<> copy(PipePtr pipe, bool to_target) {
    auto& from = to_target ? pipe->client : pipe->target;
    auto& into = to_target ? pipe->target : pipe->client;
    std::array<char, buffer_bytes> buffer; // in the coroutine's frame
    for (;;) {
        error_code error;
        auto receive = asio::redirect_error(asio::use_awaitable, error);
        const auto count = co_await from.async_read_some(asio::buffer(buffer), std::move(receive));
        if (error) {
            break;
        }
        pipe->last_byte = std::chrono::steady_clock::now();
        auto send = asio::redirect_error(asio::use_awaitable, error);
        co_await asio::async_write(into, asio::buffer(buffer.data(), count), std::move(send));
        if (error) {
            pipe->close();
            break;
        }
    }
    error_code ignored;
    into.shutdown(tcp::socket::shutdown_send, ignored);
}

awaitable<> watch_idle(PipePtr pipe) {
    for (;;) {
        const auto left = pipe->last_byte + idle_limit - std::chrono::steady_clock::now();
        if (left <= Duration::zero()) {
            co_return;
        }
        co_await sleep_for(left);
    }
}

using Endpoints = std::vector<tcp::endpoint>;

Endpoints look_up(const HostPort& target) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    Endpoints found;
    if (::getaddrinfo(target.host.c_str(), nullptr, &hints, &list) != 0) {
        return found;
    }
    for (const auto* entry = list; entry != nullptr; entry = entry->ai_next) {
        tcp::endpoint endpoint;
        if (entry->ai_addrlen <= endpoint.capacity()) {
            std::memcpy(endpoint.data(), entry->ai_addr, entry->ai_addrlen);
            endpoint.resize(entry->ai_addrlen);
            endpoint.port(target.port);
            found.push_back(endpoint);
        }
    }
    ::freeaddrinfo(list);
    return found;
}

/// One question to the system's resolver, which may take half a minute and cannot be interrupted.
/// A thread of its own asks it and shares only the mailbox, so that neither a connection that is
/// given up nor the end of the loop waits for the answer. Loop thread only.
class Resolution : public std::enable_shared_from_this<Resolution> {
  public:
    explicit Resolution(const asio::any_io_executor& executor) : answered_(executor) {
        mailbox_->executor = executor;
    }

    Resolution(const Resolution&) = delete;
    Resolution& operator=(const Resolution&) = delete;

    /// The loop hears no more of it.
    ~Resolution() {
        const std::lock_guard lock(mailbox_->mutex);
        mailbox_->executor.reset();
    }

    void start(HostPort target) {
        std::weak_ptr<Resolution> self = weak_from_this();
        std::thread([mailbox = mailbox_, self = std::move(self), target = std::move(target)] {
            auto found = look_up(target);
            const std::lock_guard lock(mailbox->mutex);
            if (mailbox->executor) {
                asio::post(*mailbox->executor, [self, found = std::move(found)]() mutable {
                    if (const auto waiting = self.lock()) {
                        waiting->endpoints_ = std::move(found);
                        waiting->answered_.open();
                    }
                });
            }
        }).detach();
    }

    [[nodiscard]] awaitable<> wait() { return answered_.wait(); }

    [[nodiscard]] bool is_over() const { return answered_.is_open(); }

    /// Empty: the name is not known (now).
    [[nodiscard]] const Endpoints& endpoints() const { return endpoints_; }

  private:
    struct Mailbox {
        std::mutex mutex;
        std::optional<asio::any_io_executor> executor; ///< none: nobody waits any more
    };

    std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
    Gate answered_;
    Endpoints endpoints_;
};

using ResolutionPtr = std::shared_ptr<Resolution>;

awaitable<> connect(PipePtr pipe, ResolutionPtr resolution) {
    co_await resolution->wait();
    if (resolution->endpoints().empty()) {
        throw Failure(Code::Unavailable, "the host name of the registry proxy is not known");
    }
    co_await asio::async_connect(pipe->target, resolution->endpoints(), asio::use_awaitable);
}

awaitable<> serve(PipePtr pipe, ResolutionPtr resolution) {
    using namespace asio::experimental::awaitable_operators;
    auto connecting = connect(pipe, std::move(resolution));
    co_await with_timeout(std::move(connecting), connect_limit, "connecting to the registry proxy");
    auto there = copy(pipe, true);
    auto back = copy(pipe, false);
    auto both = std::move(there) && std::move(back);
    auto idle = watch_idle(pipe);
    co_await race(std::move(both), std::move(idle));
    pipe->close();
}

} // namespace

struct LoopbackRelay::Impl {
    Impl(const asio::any_io_executor& executor, HostPort target_)
        : target(std::move(target_)), acceptor(executor),
          group(executor, [](const std::string&, const Error& error) {
              log::limited("relay", "registry relay", {{"why", error.to_string()}});
          }) {}

    HostPort target;
    tcp::acceptor acceptor;
    std::string address;
    TaskGroup group;
    ResolutionPtr resolution; ///< one at a time, shared by all connections that wait for it

    [[nodiscard]] awaitable<> accept();

    [[nodiscard]] ResolutionPtr resolve() {
        if (!resolution || resolution->is_over()) {
            resolution = std::make_shared<Resolution>(group.executor());
            resolution->start(target);
        }
        return resolution;
    }
};

awaitable<> LoopbackRelay::Impl::accept() {
    for (;;) {
        error_code error;
        auto token = asio::redirect_error(asio::use_awaitable, error);
        auto socket = co_await acceptor.async_accept(std::move(token));
        if (error == asio::error::operation_aborted || !acceptor.is_open()) {
            co_return;
        }
        if (error) {
            log::limited(
                "relay-accept", "registry relay cannot accept", {{"why", error.message()}});
            co_await sleep_for(accept_pause);
        } else if (group.size() <= connections_max) {
            group.spawn("connection", serve(std::make_shared<Pipe>(std::move(socket)), resolve()));
        }
    }
}

LoopbackRelay::LoopbackRelay(asio::any_io_executor executor, HostPort target)
    : impl_(std::make_unique<Impl>(executor, std::move(target))) {
    const tcp::endpoint any(asio::ip::address_v4::loopback(), 0);
    try {
        impl_->acceptor.open(any.protocol());
        impl_->acceptor.bind(any);
        impl_->acceptor.listen();
        impl_->address = "127.0.0.1:" + std::to_string(impl_->acceptor.local_endpoint().port());
    } catch (const boost::system::system_error& error) {
        throw Failure(Code::Unavailable,
                      std::string("cannot listen on 127.0.0.1 for the registry relay: ") +
                          error.what());
    }
}

LoopbackRelay::~LoopbackRelay() = default;

const std::string& LoopbackRelay::address() const {
    return impl_->address;
}

void LoopbackRelay::start() {
    impl_->group.spawn("accept", impl_->accept());
}

awaitable<> LoopbackRelay::stop() {
    boost::system::error_code ignored;
    impl_->acceptor.close(ignored);
    impl_->group.stop();
    co_await impl_->group.join();
}

bool is_loopback(const std::string& host) {
    if (host == "localhost") {
        return true;
    }
    boost::system::error_code error;
    const auto address = asio::ip::make_address(host, error);
    return !error && address.is_v4() && address.is_loopback();
}

} // namespace methos::executor
