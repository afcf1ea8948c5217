// heart_simulation: runs the heart and the executors' task books through many seeded worlds.
//   --seeds N     the first N seeds (default 500)      --first N   begin with seed N
//   --seed N      only this one                        --forever   until something breaks
//   --trace       say everything that happens
//   --keep-going  count failing runs instead of ending at the first
//   --every-boundary   for each seed, crash at every boundary, one run after another
//   --crash-at N, --crash-beside N   with --seed: that crash only
#include "tests/simulation/world.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <unistd.h>

namespace {

using methos::simulation::Plan;
using methos::simulation::World;

struct Options {
    Plan plan; ///< its seed is the first
    std::uint64_t count = 500;
    bool keep_going = false;
    bool every_boundary = false;
};

char replay_line[200]; // ready for the signal handler

void on_abort(int /*signal*/) {
    const auto written = ::write(STDERR_FILENO, replay_line, std::strlen(replay_line));
    ::_exit(written > 0 ? 1 : 2);
}

[[noreturn]] void refuse(const std::string& what) {
    std::fprintf(stderr,
                 "heart_simulation: %s; usage: [--seeds N] [--first N] [--seed N] [--forever] "
                 "[--trace] [--keep-going] [--every-boundary] [--crash-at N | --crash-beside N]\n",
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

/// Takes a flag without a value. False when it is none of these.
bool read_switch(const std::string& flag, Options& options) {
    if (flag == "--trace") {
        options.plan.trace = true;
    } else if (flag == "--keep-going") {
        options.keep_going = true;
    } else if (flag == "--forever") {
        options.count = UINT64_MAX;
    } else if (flag == "--every-boundary") {
        options.every_boundary = true;
    } else {
        return false;
    }
    return true;
}

Options read_options(int count, char** arguments) {
    Options options;
    for (int i = 1; i < count; ++i) {
        const std::string flag = arguments[i];
        if (read_switch(flag, options)) {
            continue;
        }
        const char* value = i + 1 < count ? arguments[i + 1] : nullptr;
        if (flag == "--seeds") {
            options.count = number_of(value);
        } else if (flag == "--first") {
            options.plan.seed = number_of(value);
        } else if (flag == "--seed") {
            options.plan.seed = number_of(value);
            options.count = 1;
        } else if (flag == "--crash-at" || flag == "--crash-beside") {
            options.plan.crash_at = number_of(value);
            options.plan.beside = flag == "--crash-beside";
        } else {
            refuse("what is " + flag + "?");
        }
        ++i;
    }
    return options;
}

std::string replay_of(const Plan& plan, const char* program) {
    auto line = std::string("replay: ") + program + " --seed " + std::to_string(plan.seed);
    if (plan.crash_at) {
        line +=
            (plan.beside ? " --crash-beside " : " --crash-at ") + std::to_string(*plan.crash_at);
    }
    return line + " --trace\n";
}

/// One run. `boundaries`: how many it passed.
bool survives(const Plan& plan, const char* program, std::uint64_t& boundaries) {
    const auto replay = replay_of(plan, program);
    std::snprintf(replay_line, sizeof(replay_line), "%s", replay.c_str());
    try {
        World world(plan);
        world.run();
        boundaries = world.boundaries();
        return true;
    } catch (const std::exception& broken) {
        std::fprintf(stderr,
                     "seed %llu: %s\n%s",
                     static_cast<unsigned long long>(plan.seed),
                     broken.what(),
                     replay.c_str());
        return false;
    }
}

/// What has been run, and how it went.
struct Score {
    std::uint64_t runs = 0;
    std::uint64_t failed = 0;

    /// False when that was enough.
    bool count(bool survived, const Options& options) {
        ++runs;
        failed += survived ? 0U : 1U;
        return survived || options.keep_going;
    }
};

/// A seed's world without a fault, and again with each crash that it has room for.
bool crash_everywhere(Plan plan, const Options& options, const char* program, Score& score) {
    std::uint64_t boundaries = 0;
    plan.crash_at = UINT64_MAX;
    if (!score.count(survives(plan, program, boundaries), options)) {
        return false;
    }
    std::uint64_t unused = 0;
    for (std::uint64_t at = 0; at < boundaries; ++at) {
        for (const bool beside : {false, true}) {
            plan.crash_at = at;
            plan.beside = beside;
            if (!score.count(survives(plan, program, unused), options)) {
                return false;
            }
        }
    }
    return true;
}

} // namespace

int main(int count, char** arguments) {
    const auto options = read_options(count, arguments);
    std::signal(SIGABRT, on_abort);
    Score score;
    bool goes_on = true;
    for (std::uint64_t i = 0; i < options.count && goes_on; ++i) {
        auto plan = options.plan;
        plan.seed += i;
        std::uint64_t boundaries = 0;
        if (options.every_boundary) {
            goes_on = crash_everywhere(plan, options, arguments[0], score);
        } else {
            goes_on = score.count(survives(plan, arguments[0], boundaries), options);
        }
    }
    std::printf("%llu runs, %llu failed\n",
                static_cast<unsigned long long>(score.runs),
                static_cast<unsigned long long>(score.failed));
    return score.failed == 0 ? 0 : 1;
}
