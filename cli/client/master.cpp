#include "cli/client/master.hpp"

#include "core/http/client.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>
#include <unistd.h>

namespace methos::cli {

namespace {

/// Longest silence inside an endless answer before the connection is looked upon as dead: a master
/// sends nothing while a container says nothing, so only the start is bounded.
constexpr auto head_limit = std::chrono::seconds(10);
constexpr std::size_t error_body_bytes_max = 64 * 1024;

/// What a call leaves for the plain function that started it.
struct Outcome {
    std::exception_ptr failure;
    bool ended = false;
};

awaitable<> send_into(http::Client& client, http::ClientRequest request, Answer& answer) {
    auto operation = client.send(std::move(request));
    auto response = co_await std::move(operation);
    answer.status = response.status;
    answer.content_type = response.headers.get("Content-Type").value_or("");
    answer.body = std::move(response.body);
}

awaitable<> open_into(http::Client& client,
                      http::ClientRequest request,
                      std::shared_ptr<http::ClientStream>& stream) {
    auto operation = client.open(std::move(request));
    stream = co_await std::move(operation);
}

awaitable<> read_into(http::ClientStream& stream, std::optional<std::string>& piece) {
    auto operation = stream.read();
    piece = co_await std::move(operation);
}

} // namespace

struct Master::Impl {
    Impl(Target target_, Interrupts interrupts, Duration answer_limit_)
        : target(std::move(target_)), answer_limit(answer_limit_), loop(1), signals(loop),
          client(std::make_unique<http::Client>(loop.get_executor(), client_options())) {
        if (interrupts == Interrupts::Watch) {
            signals.add(SIGINT);
            signals.add(SIGTERM);
            watch_signals();
        }
    }

    static http::ClientOptions client_options() {
        http::ClientOptions options;
        options.user_agent = "methos-cli";
        return options;
    }

    void watch_signals() {
        signals.async_wait([this](const boost::system::error_code& error, int number) {
            if (error) {
                return;
            }
            if (interrupted) {
                ::_exit(128 + number); // the second one: now
            }
            interrupted = true;
            cancellation.emit(asio::cancellation_type::terminal);
            watch_signals();
        });
    }

    /// Runs the loop until `work` has ended. References that `work` holds stay good: this returns
    /// only after it.
    void run(awaitable<> work) {
        loop.poll(); // a signal between two calls
        loop.restart();
        if (interrupted) {
            throw Failure(Code::Cancelled, "interrupted");
        }
        Outcome outcome;
        auto finish = [&outcome](const std::exception_ptr& failure) {
            outcome.failure = failure;
            outcome.ended = true;
        };
        asio::co_spawn(
            loop, std::move(work), asio::bind_cancellation_slot(cancellation.slot(), finish));
        while (!outcome.ended) {
            loop.run_one();
        }
        if (interrupted) {
            throw Failure(Code::Cancelled, "interrupted");
        }
        if (outcome.failure) {
            std::rethrow_exception(outcome.failure);
        }
    }

    [[nodiscard]] http::ClientRequest request(const std::string& method,
                                              const std::string& path) const {
        http::ClientRequest made;
        made.method = method;
        made.url = target.url + path;
        made.ca_file = target.ca_file;
        if (!target.token.empty()) {
            made.headers.add("Authorization", "Bearer " + target.token);
        }
        return made;
    }

    [[nodiscard]] Duration call_limit() const {
        constexpr Duration shortest = std::chrono::milliseconds(100);
        if (!deadline) {
            return answer_limit;
        }
        const auto left = *deadline - SystemClock().now().mono;
        return std::min(answer_limit, std::max<Duration>(shortest, left));
    }

    /// The failure of a connection in words that help.
    [[nodiscard]] Failure explained(const Error& error) const {
        if (http::is_untrusted(error)) {
            return Failure(Error(Code::Unavailable,
                                 "the certificate of " + target.url + " is not trusted (" +
                                     error.message +
                                     "); name the file of the authority that signed it by "
                                     "SSL_CERT_FILE, or by ca-file in the context"));
        }
        switch (error.code) {
        case Code::Cancelled:
            return Failure(error);
        case Code::Unavailable:
            return Failure(Error(Code::Unavailable,
                                 "no master answers at " + target.url + " (" + error.message +
                                     "); is it running? Set METHOS_URL or --context when it is "
                                     "elsewhere"));
        case Code::Timeout:
            return Failure(Error(Code::Unavailable,
                                 "the master at " + target.url +
                                     " took the connection but does "
                                     "not answer (" +
                                     error.message + "); look at its log"));
        default:
            return Failure(Error(Code::Protocol,
                                 "what answers at " + target.url +
                                     " does not answer as a master does: " + error.message));
        }
    }

    Target target;
    Duration answer_limit;
    std::optional<MonoTime> deadline;
    asio::io_context loop;
    asio::signal_set signals;
    asio::cancellation_signal cancellation;
    bool interrupted = false;
    std::unique_ptr<http::Client> client;
};

Master::Master(Target target, Interrupts interrupts, Duration answer_limit)
    : impl_(std::make_unique<Impl>(std::move(target), interrupts, answer_limit)) {}

Master::~Master() = default;

const Target& Master::target() const noexcept {
    return impl_->target;
}

Answer Master::send(const std::string& method, const std::string& path, const std::string& body) {
    auto request = impl_->request(method, path);
    request.headers.add("Accept", "application/json");
    request.total_limit = impl_->call_limit();
    if (!body.empty()) {
        request.headers.add("Content-Type", "application/json");
        request.body = body;
    }
    Answer answer;
    try {
        impl_->run(send_into(*impl_->client, std::move(request), answer));
    } catch (const Failure& failure) {
        throw impl_->explained(failure.error());
    }
    return answer;
}

Answer Master::call(const std::string& method,
                    const std::string& path,
                    const std::string& what,
                    const std::string& body) {
    auto answer = send(method, path, body);
    if (answer.status < 200 || answer.status >= 300) {
        throw Failure(error_of_answer(answer, what, impl_->target));
    }
    return answer;
}

std::optional<Answer> Master::find(const std::string& path, const std::string& what) {
    auto answer = send("GET", path);
    if (answer.status == 404) {
        return std::nullopt;
    }
    if (answer.status < 200 || answer.status >= 300) {
        throw Failure(error_of_answer(answer, what, impl_->target));
    }
    return answer;
}

void Master::stream(const std::string& path,
                    const std::string& accept,
                    const std::string& what,
                    const std::function<bool(const StreamPiece&)>& on_piece,
                    std::optional<Duration> silence_max,
                    const std::optional<std::string>& body) {
    auto request = impl_->request(body ? "POST" : "GET", path);
    if (body) {
        request.headers.add("Content-Type", "application/json");
        request.body = *body;
    }
    request.headers.add("Accept", accept);
    request.total_limit = std::nullopt;
    request.idle_limit = silence_max;
    request.connect_limit = head_limit;
    std::shared_ptr<http::ClientStream> stream;
    try {
        impl_->run(open_into(*impl_->client, std::move(request), stream));
    } catch (const Failure& failure) {
        throw impl_->explained(failure.error());
    }
    const bool refused = stream->status() < 200 || stream->status() >= 300;
    const auto content_type = stream->headers().get("Content-Type").value_or("");
    std::string refusal;
    std::optional<std::string> piece;
    do {
        try {
            impl_->run(read_into(*stream, piece));
        } catch (const Failure& failure) {
            if (failure.code() == Code::Cancelled) {
                throw;
            }
            throw Failure(Error(Code::Unavailable,
                                "the master's answer broke off: " + failure.error().message));
        }
        if (piece && refused) {
            refusal += *piece;
        } else if (piece && !on_piece(StreamPiece{content_type, std::move(*piece)})) {
            return;
        }
    } while (piece && refusal.size() < error_body_bytes_max);
    if (refused) {
        Answer answer;
        answer.status = stream->status();
        answer.content_type = content_type;
        answer.body = std::move(refusal);
        throw Failure(error_of_answer(answer, what, impl_->target));
    }
}

void Master::set_deadline(MonoTime deadline) {
    impl_->deadline = deadline;
}

void Master::pause(Duration duration) {
    impl_->run(sleep_for(duration));
}

std::vector<std::string> Master::app_ids() noexcept {
    try {
        const auto document = parse_answer(call("GET", "/v2/apps", "list the apps"), "the apps");
        std::vector<std::string> ids;
        for (const auto& app : document.at("apps")) {
            ids.push_back(app.at("id").get<std::string>());
        }
        return ids;
    } catch (const std::exception&) {
        return {}; // advice only: the error that it goes with is the one to tell
    }
}

} // namespace methos::cli
