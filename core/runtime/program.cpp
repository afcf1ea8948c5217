#include "core/runtime/program.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace methos {

struct Program::Parts {
    explicit Parts(ProgramOptions options_)
        : options(options_), context(1), pool(options_.pool_threads), stop(context.get_executor()),
          end_signals(context, SIGTERM, SIGINT), hangup_signal(context, SIGHUP),
          stop_watchdog(context) {}

    ProgramOptions options;
    asio::io_context context;
    asio::thread_pool pool;
    Gate stop;
    asio::signal_set end_signals;
    asio::signal_set hangup_signal;
    asio::steady_timer stop_watchdog;
    std::function<void()> reload;
    int exit_code = 0;

    void wait_for_end_signal() {
        end_signals.async_wait([this](const boost::system::error_code& error, int) {
            if (!error) {
                begin_stop();
                wait_for_end_signal();
            }
        });
    }

    void wait_for_hangup() {
        hangup_signal.async_wait([this](const boost::system::error_code& error, int) {
            if (!error) {
                if (reload) {
                    reload();
                }
                wait_for_hangup();
            }
        });
    }

    void begin_stop() {
        if (stop.is_open()) {
            return;
        }
        stop.open();
        stop_watchdog.expires_after(options.stop_limit);
        stop_watchdog.async_wait([](const boost::system::error_code& error) {
            if (!error) {
                std::fputs("did not stop in time; leaving now\n", stderr);
                std::_Exit(1);
            }
        });
    }

    void finish(const std::exception_ptr& exception) {
        if (exception) {
            const auto error = error_of(exception);
            if (error.code != Code::Cancelled) {
                std::fprintf(stderr, "error: %s\n", error.to_string().c_str());
                exit_code = traits_of(error.code).exit_code;
            }
        }
        // What libraries still have pending (kept connections, timers) must not hold the process.
        context.stop();
    }
};

Program::Program(ProgramOptions options) : parts_(std::make_unique<Parts>(options)) {}

Program::~Program() {
    parts_->pool.join();
}

asio::any_io_executor Program::executor() {
    return parts_->context.get_executor();
}

asio::thread_pool& Program::pool() {
    return parts_->pool;
}

Gate& Program::stop_requested() {
    return parts_->stop;
}

void Program::request_stop() {
    parts_->begin_stop();
}

void Program::on_hangup(std::function<void()> reload) {
    parts_->reload = std::move(reload);
}

int Program::run(awaitable<> body) {
    std::signal(SIGPIPE, SIG_IGN);
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &files);
    }
    parts_->wait_for_end_signal();
    parts_->wait_for_hangup();
    auto finish = [parts = parts_.get()](const std::exception_ptr& exception) {
        parts->finish(exception);
    };
    asio::co_spawn(parts_->context, std::move(body), std::move(finish));
    parts_->context.run();
    return parts_->exit_code;
}

} // namespace methos
