// heart_simulation: runs the heart against many seeded worlds.
//   --seeds N     the first N seeds (default 500)      --first N   begin with seed N
//   --seed N      only this one                        --forever   until something breaks
//   --trace       say everything that happens
//   --keep-going  count failing seeds instead of ending at the first
#include "tests/simulation/world.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <unistd.h>

namespace {

struct Options {
    std::uint64_t first = 1;
    std::uint64_t count = 500;
    bool trace = false;
    bool keep_going = false;
};

char replay_line[160]; // ready for the signal handler

void on_abort(int /*signal*/) {
    const auto written = ::write(STDERR_FILENO, replay_line, std::strlen(replay_line));
    ::_exit(written > 0 ? 1 : 2);
}

[[noreturn]] void refuse(const std::string& what) {
    std::fprintf(
        stderr,
        "heart_simulation: %s; usage: [--seeds N] [--first N] [--seed N] [--forever] [--trace] "
        "[--keep-going]\n",
        what.c_str());
    std::exit(2);
}

std::uint64_t number_of(const char* text) {
    char* end = nullptr;
    const auto number = text == nullptr ? 0 : std::strtoull(text, &end, 10);
    if (text == nullptr || end == text || *end != '\0') {
        refuse("a number is missing");
    }
    return number;
}

Options read_options(int count, char** arguments) {
    Options options;
    for (int i = 1; i < count; ++i) {
        const std::string flag = arguments[i];
        const char* value = i + 1 < count ? arguments[i + 1] : nullptr;
        if (flag == "--trace") {
            options.trace = true;
        } else if (flag == "--keep-going") {
            options.keep_going = true;
        } else if (flag == "--forever") {
            options.count = UINT64_MAX;
        } else if (flag == "--seeds") {
            options.count = number_of(value);
            ++i;
        } else if (flag == "--first") {
            options.first = number_of(value);
            ++i;
        } else if (flag == "--seed") {
            options.first = number_of(value);
            options.count = 1;
            ++i;
        } else {
            refuse("what is " + flag + "?");
        }
    }
    return options;
}

bool survives(std::uint64_t seed, const Options& options, const char* program) {
    std::snprintf(replay_line,
                  sizeof(replay_line),
                  "replay: %.100s --seed %llu --trace\n",
                  program,
                  static_cast<unsigned long long>(seed));
    try {
        methos::simulation::World(seed, options.trace).run();
        return true;
    } catch (const std::exception& broken) {
        std::fprintf(stderr,
                     "seed %llu: %s\n%s",
                     static_cast<unsigned long long>(seed),
                     broken.what(),
                     replay_line);
        return false;
    }
}

} // namespace

int main(int count, char** arguments) {
    const auto options = read_options(count, arguments);
    std::signal(SIGABRT, on_abort);
    std::uint64_t failed = 0;
    for (std::uint64_t i = 0; i < options.count; ++i) {
        if (!survives(options.first + i, options, arguments[0])) {
            ++failed;
            if (!options.keep_going) {
                std::fprintf(
                    stderr, "broken after %llu seeds\n", static_cast<unsigned long long>(i + 1));
                return 1;
            }
        }
    }
    std::printf("%llu seeds, %llu failed\n",
                static_cast<unsigned long long>(options.count),
                static_cast<unsigned long long>(failed));
    return failed == 0 ? 0 : 1;
}
