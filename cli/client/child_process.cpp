#include "cli/client/child_process.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>

namespace methos::cli {

namespace {

constexpr std::size_t line_bytes_max = 64 * 1024;
constexpr int cannot_execute = 127;

/// Between fork and exec: only async-signal-safe calls.
[[noreturn]] void become(const std::vector<char*>& arguments, int output, pid_t parent) {
    // A group of its own: Ctrl-C reaches the parent alone, which then stops them in order.
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) {
        ::_exit(cannot_execute); // the parent died before the line above
    }
    sigset_t none;
    sigemptyset(&none);
    ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (nothing < 0 || ::dup2(nothing, STDIN_FILENO) < 0 || ::dup2(output, STDOUT_FILENO) < 0 ||
        ::dup2(output, STDERR_FILENO) < 0) {
        ::_exit(cannot_execute);
    }
    ::execv(arguments.front(), arguments.data());
    ::_exit(cannot_execute);
}

} // namespace

ChildProcess::ChildProcess(std::string name, const std::vector<std::string>& command)
    : name_(std::move(name)) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
        throw Failure(Code::ResourceExhausted,
                      "cannot make a pipe for " + name_ + ": " +
                          std::generic_category().message(errno));
    }
    // The child writes blockingly, as programs expect of their stderr.
    ::fcntl(ends[1], F_SETFL, 0);
    auto words = command;
    std::vector<char*> arguments;
    arguments.reserve(words.size() + 1);
    for (auto& word : words) {
        arguments.push_back(word.data());
    }
    arguments.push_back(nullptr);
    const auto parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) {
        become(arguments, ends[1], parent);
    }
    const int fork_error = errno;
    ::close(ends[1]);
    output_ = ends[0];
    if (pid_ < 0) {
        ::close(output_);
        throw Failure(Code::ResourceExhausted,
                      "cannot start " + name_ + ": " + std::generic_category().message(fork_error));
    }
}

ChildProcess::~ChildProcess() {
    if (is_running()) {
        send_signal(SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    if (output_ >= 0) {
        ::close(output_);
    }
}

void ChildProcess::read_lines(const std::function<void(const std::string&)>& on_line) {
    std::array<char, 16 * 1024> buffer{};
    while (output_ >= 0) {
        const auto got = ::read(output_, buffer.data(), buffer.size());
        if (got > 0) {
            pending_.append(buffer.data(), static_cast<std::size_t>(got));
        } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            ::close(output_);
            output_ = -1;
        } else if (errno == EAGAIN) {
            break;
        }
    }
    std::size_t start = 0;
    for (auto end = pending_.find('\n'); end != std::string::npos;
         end = pending_.find('\n', start)) {
        on_line(pending_.substr(start, end - start));
        start = end + 1;
    }
    pending_.erase(0, start);
    if (!pending_.empty() && (output_ < 0 || pending_.size() > line_bytes_max)) {
        on_line(pending_);
        pending_.clear();
    }
}

bool ChildProcess::is_running() {
    if (pid_ < 0 || wait_status_) {
        return false;
    }
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) {
        wait_status_ = status;
        return false;
    }
    return true;
}

std::string ChildProcess::how_it_ended() const {
    if (!wait_status_) {
        return "still runs";
    }
    if (WIFSIGNALED(*wait_status_)) {
        const int number = WTERMSIG(*wait_status_);
        return "was ended by signal " + std::to_string(number) + " (" + ::sigdescr_np(number) + ")";
    }
    const int code = WEXITSTATUS(*wait_status_);
    return code == cannot_execute ? "could not be executed"
                                  : "ended with code " + std::to_string(code);
}

void ChildProcess::send_signal(int number) const {
    if (pid_ > 0 && !wait_status_) {
        ::kill(pid_, number);
    }
}

} // namespace methos::cli
