#include "core/http/curl_loop.hpp"

#include "core/http/transfer.hpp"

#include <boost/asio/error.hpp>

namespace methos::http {

/// One descriptor of libcurl's while it wants to hear of it.
struct CurlLoop::Watch {
    Watch(const asio::any_io_executor& executor, curl_socket_t number) : descriptor(executor) {
        descriptor.assign(number);
    }

    ~Watch() { end(); }

    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    void end() noexcept {
        if (alive) {
            alive = false;
            descriptor.release(); // pending waits end with operation_aborted
        }
    }

    asio::posix::stream_descriptor descriptor;
    bool alive = true;
    bool wants_read = false;
    bool wants_write = false;
    bool reading = false; ///< a wait for it is pending
    bool writing = false;
};

namespace {

CURLM* make_multi() {
    static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
    CURLM* multi = initialised == CURLE_OK ? curl_multi_init() : nullptr;
    if (multi == nullptr) {
        throw Failure(Code::Internal, "libcurl could not be initialised");
    }
    return multi;
}

} // namespace

CurlLoop::CurlLoop(asio::any_io_executor executor, long idle_connections_max)
    : executor_(std::move(executor)), multi_(make_multi()), timer_(executor_) {
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlLoop::on_socket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlLoop::on_timer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, idle_connections_max);
    curl_multi_setopt(multi_, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
}

CurlLoop::~CurlLoop() {
    close();
}

void CurlLoop::add(Transfer& transfer) {
    if (multi_ == nullptr) {
        throw Failure(Code::Cancelled, "the HTTP client has been closed");
    }
    const CURLMcode code = curl_multi_add_handle(multi_, transfer.easy());
    if (code != CURLM_OK) {
        throw Failure(Code::Internal,
                      std::string("libcurl refused a transfer: ") + curl_multi_strerror(code));
    }
    transfers_.insert(&transfer);
}

void CurlLoop::remove(Transfer& transfer) noexcept {
    if (multi_ != nullptr && transfers_.erase(&transfer) > 0) {
        curl_multi_remove_handle(multi_, transfer.easy());
    }
}

void CurlLoop::poke() {
    drive(CURL_SOCKET_TIMEOUT, 0);
}

void CurlLoop::close() noexcept {
    if (multi_ == nullptr) {
        return;
    }
    while (!transfers_.empty()) {
        auto& transfer = **transfers_.begin();
        remove(transfer);
        transfer.finish_cancelled();
    }
    curl_multi_cleanup(multi_);
    multi_ = nullptr;
    watches_.clear();
    timer_.cancel();
}

int CurlLoop::on_socket(
    CURL* /*easy*/, curl_socket_t fd, int what, void* self, void* /*unused*/) noexcept {
    auto* loop = static_cast<CurlLoop*>(self);
    try {
        if (what == CURL_POLL_REMOVE) {
            loop->unwatch(fd);
        } else {
            loop->watch(fd, what);
        }
        return 0;
    } catch (const std::exception&) {
        return -1; // libcurl then fails its transfers with CURLM_ABORTED_BY_CALLBACK
    }
}

int CurlLoop::on_timer(CURLM* /*multi*/, long timeout_ms, void* self) noexcept {
    auto* loop = static_cast<CurlLoop*>(self);
    try {
        if (timeout_ms < 0) {
            loop->timer_.cancel();
            return 0;
        }
        loop->timer_.expires_after(std::chrono::milliseconds(timeout_ms));
        loop->timer_.async_wait(
            [weak = loop->weak_from_this()](const boost::system::error_code& error) {
                const auto alive = weak.lock();
                if (!error && alive) {
                    alive->drive(CURL_SOCKET_TIMEOUT, 0);
                }
            });
        return 0;
    } catch (const std::exception&) {
        return -1;
    }
}

void CurlLoop::watch(curl_socket_t fd, int what) {
    auto& watch = watches_[fd];
    if (!watch) {
        watch = std::make_shared<Watch>(executor_, fd);
    }
    watch->wants_read = (what & CURL_POLL_IN) != 0;
    watch->wants_write = (what & CURL_POLL_OUT) != 0;
    arm_read(watch);
    arm_write(watch);
}

void CurlLoop::unwatch(curl_socket_t fd) noexcept {
    const auto found = watches_.find(fd);
    if (found != watches_.end()) {
        found->second->end();
        watches_.erase(found);
    }
}

void CurlLoop::arm_read(const std::shared_ptr<Watch>& watch) {
    if (!watch->alive || !watch->wants_read || watch->reading) {
        return;
    }
    watch->reading = true;
    auto on_ready = [weak = weak_from_this(), watch](const boost::system::error_code& error) {
        watch->reading = false;
        const auto alive = weak.lock();
        if (!alive || !watch->alive || error == asio::error::operation_aborted) {
            return;
        }
        if (watch->wants_read) {
            alive->drive(watch->descriptor.native_handle(), CURL_CSELECT_IN);
        }
        alive->arm_read(watch);
    };
    watch->descriptor.async_wait(asio::posix::descriptor_base::wait_read, std::move(on_ready));
}

void CurlLoop::arm_write(const std::shared_ptr<Watch>& watch) {
    if (!watch->alive || !watch->wants_write || watch->writing) {
        return;
    }
    watch->writing = true;
    auto on_ready = [weak = weak_from_this(), watch](const boost::system::error_code& error) {
        watch->writing = false;
        const auto alive = weak.lock();
        if (!alive || !watch->alive || error == asio::error::operation_aborted) {
            return;
        }
        if (watch->wants_write) {
            alive->drive(watch->descriptor.native_handle(), CURL_CSELECT_OUT);
        }
        alive->arm_write(watch);
    };
    watch->descriptor.async_wait(asio::posix::descriptor_base::wait_write, std::move(on_ready));
}

void CurlLoop::drive(curl_socket_t fd, int events) {
    if (multi_ == nullptr) {
        return;
    }
    int running = 0;
    curl_multi_socket_action(multi_, fd, events, &running);
    collect_finished();
}

void CurlLoop::collect_finished() {
    int left = 0;
    while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        const CURLcode code = message->data.result; // the message dies with the handle's removal
        char* owner = nullptr;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &owner);
        auto& transfer = *static_cast<Transfer*>(static_cast<void*>(owner));
        remove(transfer);
        transfer.finish(code);
    }
}

} // namespace methos::http
