#include "executor/fetch/fetcher.hpp"

#include "core/base/units.hpp"
#include "core/observe/log.hpp"
#include "executor/fetch/sandbox_folder.hpp"
#include "executor/fetch/unpack.hpp"
#include "executor/race.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>

namespace methos::executor {

namespace {

constexpr std::size_t jobs_max = 4;
constexpr std::size_t pool_threads = 2;
constexpr Duration progress_interval = std::chrono::seconds(1);
constexpr Duration connect_limit = std::chrono::seconds(10);
constexpr std::size_t config_bytes_max = 256 * 1024; // of a .dockercfg
constexpr std::size_t copy_bytes = 256 * 1024;
constexpr unsigned file_mode = 0644;
constexpr int status_ok = 200;

std::string size_text(std::uint64_t bytes) {
    return format_bytes(static_cast<std::int64_t>(bytes));
}

[[noreturn]] void throw_too_large(std::uint64_t bytes_max) {
    throw Failure(Code::ResourceExhausted,
                  "it is larger than the " + size_text(bytes_max) +
                      " that --fetch-max allows, or that are left of the sandbox's limit");
}

/// The size that the head of an answer announces; 0: it does not say.
std::uint64_t announced_size(const http::Headers& headers) {
    constexpr std::int64_t size_max = std::int64_t{1} << 60;
    const auto text = headers.get("Content-Length").value_or("");
    const auto size = parse_int(text, 0, size_max);
    return size ? static_cast<std::uint64_t>(*size) : 0;
}

Descriptor open_local(const FetchPolicy& policy, const std::string& path) {
    std::error_code missing;
    const auto real = std::filesystem::canonical(path, missing); // no links from here on
    if (const auto allowed = check_local_path(policy, real.string()); !missing && !allowed) {
        throw Failure(allowed.error());
    }
    Descriptor file(::open(real.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));

    struct stat about {};

    if (missing || !file || ::fstat(file.get(), &about) != 0 || !S_ISREG(about.st_mode)) {
        throw Failure(Code::NotFound, "there is no such file on this host");
    }
    return file;
}

/// The bytes copied.
std::uint64_t
copy_all(int from, int to, std::uint64_t bytes_max, const std::atomic<bool>& given_up) {
    std::string piece(copy_bytes, '\0');
    std::uint64_t copied = 0;
    while (!given_up) {
        const auto n = ::read(from, piece.data(), piece.size());
        if (n < 0 && errno != EINTR) {
            throw_errno("cannot read it");
        }
        if (n == 0) {
            return copied;
        }
        const auto size = n < 0 ? std::size_t{0} : static_cast<std::size_t>(n);
        if (size > bytes_max - copied) {
            throw_too_large(bytes_max);
        }
        write_all(to, std::string_view(piece.data(), size));
        copied += size;
    }
    throw Failure(Code::Cancelled, "the copying was given up");
}

} // namespace

/// One task's files on their way. The pool's threads see `steps`, `folder` and `given_up` only, and
/// one piece of work at a time runs for a job.
struct Fetcher::Job {
    Job(const asio::any_io_executor& executor, std::string name_, FetchWaiter waiter_)
        : name(std::move(name_)), waiter(std::move(waiter_)), abandoned(executor) {}

    /// What may be added to the sandbox yet.
    [[nodiscard]] std::uint64_t left(std::uint64_t file_max) const {
        const auto sandbox_max = file_max * sandbox_files_max;
        return sandbox_max - std::min(sandbox_max, bytes);
    }

    std::string name;
    std::vector<FetchItem> items;
    std::vector<FetchStep> steps;
    FetchWaiter waiter;
    Gate abandoned;
    std::atomic<bool> given_up = false;
    std::optional<SandboxFolder> folder;
    std::uint64_t bytes = 0; ///< in the sandbox, downloaded and unpacked
    MonoTime deadline;
    MonoTime next_progress{};
    std::string docker_config;
    std::string failure; ///< not empty: it ended so
};

Fetcher::Fetcher(const asio::any_io_executor& executor, http::Client& client, FetchOptions options)
    : client_(client), options_(std::move(options)), pool_(pool_threads),
      sandboxes_(options_.folder, pool_), jobs_at_once_(executor, jobs_max), heavy_(executor, 1),
      group_(executor, [](const std::string& child, const Error& error) {
          log::failure("a fetch ended unexpectedly", error, {{"sandbox", child}});
      }) {}

Fetcher::~Fetcher() = default;

Result<void> Fetcher::check(const std::vector<FetchItem>& items) const {
    const auto steps = plan_fetch(items, options_.policy);
    if (!steps) {
        return steps.error();
    }
    return {};
}

void Fetcher::fetch(const std::string& sandbox, std::vector<FetchItem> items, FetchWaiter waiter) {
    abandon(sandbox);
    auto job = std::make_shared<Job>(group_.executor(), sandbox, std::move(waiter));
    job->items = std::move(items);
    jobs_[sandbox] = job;
    group_.spawn(sandbox, run(job));
}

void Fetcher::abandon(const std::string& sandbox) {
    const auto found = jobs_.find(sandbox);
    if (found == jobs_.end()) {
        return;
    }
    const auto job = found->second;
    jobs_.erase(found);
    job->given_up = true;
    job->abandoned.open();
}

void Fetcher::remove(const std::string& sandbox) {
    abandon(sandbox);
    filled_.erase(sandbox);
    sandboxes_.remove(sandbox);
}

awaitable<> Fetcher::stop() {
    for (const auto& [name, job] : jobs_) {
        job->given_up = true;
    }
    group_.stop();
    co_await group_.join();
    jobs_.clear();
}

awaitable<> Fetcher::run(JobPtr job) {
    co_await asio::post(group_.executor(), asio::use_awaitable); // never inside fetch()
    auto work = fill(job);
    auto given_up = job->abandoned.wait();
    try {
        co_await race(std::move(work), std::move(given_up));
    } catch (const std::exception&) {
        job->failure = error_of_current_exception().to_string(); // told if somebody waits still
    }
    if (job->given_up) {
        const bool is_filled_again = jobs_.contains(job->name) || filled_.contains(job->name);
        if (!is_filled_again) { // it may have been made after its task was over
            sandboxes_.remove(job->name);
        }
        co_return;
    }
    jobs_.erase(job->name);
    if (job->failure.empty()) {
        filled_.insert(job->name);
        job->waiter.ready(std::move(job->docker_config));
    } else {
        job->waiter.failed(std::move(job->failure));
    }
}

awaitable<> Fetcher::fill(JobPtr job) {
    tell(*job, "waiting to fetch its files", true);
    const auto permit = co_await jobs_at_once_.acquire();
    auto steps = plan_fetch(job->items, options_.policy);
    if (!steps) {
        throw Failure(steps.error());
    }
    job->steps = std::move(*steps);
    job->deadline = std::chrono::steady_clock::now() + options_.total;
    const bool is_filled = filled_.contains(job->name);
    const auto path =
        is_filled ? sandboxes_.path_of(job->name) : sandboxes_.clear_place_for(job->name);
    std::function<void()> enter = [job, path, is_filled] {
        job->folder = is_filled ? SandboxFolder::open(path) : SandboxFolder::make(path);
    };
    co_await in_background(std::move(enter));
    for (std::size_t i = 0; i < job->steps.size() && !is_filled; ++i) {
        co_await fetch_step(job, i);
    }
    std::function<void()> look = [job] {
        for (const auto& place : {InnerPath{".docker", "config.json"}, InnerPath{".dockercfg"}}) {
            if (auto text = job->folder->find_text(place, config_bytes_max)) {
                job->docker_config = std::move(*text);
            }
        }
    };
    co_await in_background(std::move(look));
}

awaitable<> Fetcher::fetch_step(JobPtr job, std::size_t index) {
    const auto& step = job->steps[index];
    std::optional<Error> wrong;
    try {
        if (!step.local) {
            co_await download(job, index);
        }
        co_await finish_step(job, index);
    } catch (const std::exception&) {
        wrong = error_of_current_exception();
    }
    if (wrong && wrong->code != Code::Cancelled) {
        wrong->message = "could not fetch " + step.shown + ": " + wrong->message;
    }
    if (wrong) {
        throw Failure(std::move(*wrong));
    }
}

awaitable<> Fetcher::download(JobPtr job, std::size_t index) {
    const auto& step = job->steps[index];
    const auto bytes_max = std::min(options_.bytes_max, job->left(options_.bytes_max));
    const auto what = "fetching " + step.shown + " (" + std::to_string(index + 1) + " of " +
                      std::to_string(job->steps.size()) + ")";
    tell(*job, what, true);
    http::ClientRequest request;
    request.url = step.uri;
    request.follow_redirects = true;
    request.connect_limit = connect_limit;
    request.idle_limit = options_.stall;
    request.total_limit = std::max<Duration>(job->deadline - std::chrono::steady_clock::now(),
                                             std::chrono::milliseconds(1));
    const auto answer = co_await client_.open(std::move(request));
    if (answer->status() != status_ok) {
        throw Failure(code_of_http_status(answer->status()),
                      "the server answered " + std::to_string(answer->status()));
    }
    const auto size = announced_size(answer->headers());
    if (size > bytes_max) {
        throw_too_large(bytes_max);
    }
    const auto file = std::make_shared<Descriptor>();
    std::function<void()> create = [job, file, index] {
        *file = job->folder->create_file(parts_inside(job->steps[index].file), file_mode);
    };
    co_await in_background(std::move(create));
    std::uint64_t received = 0;
    while (auto piece = co_await answer->read()) {
        if (piece->size() > bytes_max - received) {
            throw_too_large(bytes_max);
        }
        received += piece->size();
        std::function<void()> write = [file, bytes = std::move(*piece)] {
            write_all(file->get(), bytes);
        };
        co_await in_background(std::move(write));
        auto news = what + ": " + size_text(received);
        if (size != 0) {
            news += " of " + size_text(size);
        }
        tell(*job, news, false);
    }
    job->bytes += received;
}

/// Brings a local file in, and makes of a file what its step says.
awaitable<> Fetcher::finish_step(JobPtr job, std::size_t index) {
    const auto& step = job->steps[index];
    const bool is_light =
        !step.local && (step.use == FetchedUse::Keep || step.use == FetchedUse::MakeExecutable);
    Semaphore::Permit permit;
    if (!is_light) {
        tell(*job, (step.local ? "copying " : "unpacking ") + step.file, true);
        permit = co_await heavy_.acquire();
    }
    std::function<void()> work = [this, job, index] {
        const auto& wanted = job->steps[index];
        const auto& folder = *job->folder;
        if (wanted.local) {
            const auto from = open_local(options_.policy, wanted.local_path);
            const auto to = folder.create_file(parts_inside(wanted.file), file_mode);
            const auto limit = std::min(options_.bytes_max, job->left(options_.bytes_max));
            job->bytes += copy_all(from.get(), to.get(), limit, job->given_up);
        }
        UnpackLimits limits;
        limits.bytes_max = job->left(options_.bytes_max);
        if (wanted.use == FetchedUse::Unpack) {
            job->bytes += unpack(folder, wanted.file, limits, job->given_up);
        } else if (wanted.use == FetchedUse::Gunzip) {
            job->bytes += gunzip(folder, wanted.file, limits, job->given_up);
        } else if (wanted.use == FetchedUse::MakeExecutable) {
            folder.make_executable(parts_inside(wanted.file));
        }
    };
    co_await in_background(std::move(work));
}

awaitable<> Fetcher::in_background(std::function<void()> work) {
    co_await run_blocking(pool_, std::move(work));
}

void Fetcher::tell(Job& job, const std::string& text, bool at_once) {
    const auto now = std::chrono::steady_clock::now();
    if (job.given_up || (!at_once && now < job.next_progress)) {
        return;
    }
    job.next_progress = now + progress_interval;
    job.waiter.progress(text);
}

} // namespace methos::executor
