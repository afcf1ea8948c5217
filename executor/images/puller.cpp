#include "executor/images/puller.hpp"

#include "core/base/units.hpp"
#include "core/observe/log.hpp"
#include "executor/images/progress_gauge.hpp"
#include "executor/images/registry_credentials.hpp"
#include "executor/race.hpp"

#include <algorithm>

namespace methos::executor {

namespace {

using docker::EngineFault;

constexpr Duration progress_interval = std::chrono::seconds(1);

Reason reason_of(EngineFault fault) {
    return fault == EngineFault::ImageUnknown || fault == EngineFault::NoSuchImage
               ? Reason::ImageNotFound
               : Reason::ImagePullFailed;
}

/// What another source or another time may cure: everything but a clear "no such image".
bool proxy_may_be_the_cause(const docker::EngineError& error) {
    return error.fault != EngineFault::ImageUnknown && error.fault != EngineFault::NoSpace &&
           error.fault != EngineFault::BadConfig;
}

} // namespace

struct ImagePuller::Pull {
    Pull(const asio::any_io_executor& executor, std::string image_, bool force_)
        : image(std::move(image_)), force(force_), abandoned(executor) {}

    /// None before the Engine has named a layer.
    [[nodiscard]] std::optional<ImageProgress> figures() const {
        const auto& shown = gauge.shown();
        return shown.layers_total > 0 ? std::optional(shown) : std::nullopt;
    }

    std::string image;
    bool force;
    std::string docker_config;       ///< of the task; empty: it has none
    RegistryCredentials credentials; ///< what that says
    ImageReference reference;
    Gate abandoned;
    std::map<std::string, ImageWaiter> waiters;
    ProgressGauge gauge;
    std::string said; ///< the last word of progress
    bool told_figures = false;
    bool tells_later = false; ///< what was said, when the interval is over
    MonoTime next_progress{};
    MonoTime deadline = MonoTime::max();

    std::string image_id;                     ///< the result when it is not empty
    std::optional<docker::EngineError> error; ///< of the last attempt
    std::string why;                          ///< in words, of the last attempt
    Reason reason = Reason::ImagePullFailed;
};

bool ImagePuller::gave_up_for_good(const Pull& pull) {
    // To fill a disk again and again costs the download each time; another host may have room.
    return pull.error && (pull.error->fault == docker::EngineFault::NoSpace ||
                          !docker::is_retryable(pull.error->fault));
}

ImagePuller::ImagePuller(const asio::any_io_executor& executor,
                         docker::Engine& engine,
                         PullerOptions options)
    : engine_(engine), options_(std::move(options)),
      group_(executor, [](const std::string& child, const Error& error) {
          log::failure("pull ended unexpectedly", error, {{"image", child}});
      }) {}

ImagePuller::~ImagePuller() = default;

void ImagePuller::ensure(const std::string& who,
                         const std::string& image,
                         bool force,
                         ImageWaiter waiter,
                         std::string docker_config) {
    abandon(who);
    const auto key =
        image + (force ? " forced" : "") + (docker_config.empty() ? "" : " as " + docker_config);
    auto& pull = pulls_[key];
    const bool is_new = pull == nullptr;
    if (is_new) {
        pull = std::make_shared<Pull>(group_.executor(), image, force);
        pull->docker_config = std::move(docker_config);
    }
    pull->waiters.emplace(who, std::move(waiter));
    waiting_[who] = pull;
    if (is_new) {
        group_.spawn(image, run(pull));
    } else {
        group_.spawn(image, tell_newcomer(pull, who));
    }
}

void ImagePuller::abandon(const std::string& who) {
    const auto found = waiting_.find(who);
    if (found == waiting_.end()) {
        return;
    }
    const auto pull = found->second;
    waiting_.erase(found);
    pull->waiters.erase(who);
    if (pull->waiters.empty()) {
        finish(pull); // a later waiter gets a pull of its own
        pull->abandoned.open();
    }
}

awaitable<> ImagePuller::stop() {
    group_.stop();
    co_await group_.join();
    pulls_.clear();
    waiting_.clear();
}

void ImagePuller::finish(const PullPtr& pull) {
    std::erase_if(pulls_, [&pull](const auto& entry) { return entry.second == pull; });
}

awaitable<> ImagePuller::run(PullPtr pull) {
    co_await asio::post(group_.executor(), asio::use_awaitable); // never inside ensure()
    auto work = bring(pull);
    auto given_up = pull->abandoned.wait();
    try {
        co_await race(std::move(work), std::move(given_up));
    } catch (const std::exception&) {
        const auto error = error_of_current_exception();
        if (error.code == Code::Cancelled) {
            throw; // we are stopping: nobody waits any more
        }
        log::failure("pull ended unexpectedly", error, {{"image", pull->image}});
        pull->image_id.clear();
        pull->reason = Reason::ImagePullFailed;
        pull->why = error.to_string();
    }
    if (!pull->image_id.empty() && options_.observer.used) {
        options_.observer.used(pull->image_id);
    }
    finish(pull);
    const auto waiters = std::exchange(pull->waiters, {});
    for (const auto& [who, waiter] : waiters) {
        waiting_.erase(who);
    }
    for (const auto& [who, waiter] : waiters) {
        if (!pull->image_id.empty()) {
            waiter.ready(pull->image_id);
        } else {
            waiter.failed(pull->reason, pull->why);
        }
    }
}

/// Until the image is here, or it is certain that it will not be.
awaitable<> ImagePuller::bring(PullPtr pull) {
    auto reference = parse_image_reference(pull->image);
    if (!reference) {
        pull->reason = Reason::InvalidSpec;
        pull->why = reference.error().message;
        co_return;
    }
    pull->reference = *reference;
    if (!pull->docker_config.empty()) {
        auto credentials = RegistryCredentials::parse(pull->docker_config);
        if (!credentials) {
            pull->why = "the credentials in the task's sandbox (.dockercfg, .docker/config.json) "
                        "cannot be used: " +
                        credentials.error().message;
            co_return;
        }
        pull->credentials = std::move(*credentials);
    }
    // A forced and a plain pull of one image would take each other's tags away.
    const auto turn = turn_of(pull->reference);
    const auto permit = co_await turn->acquire();
    co_await bring_in_turn(pull);
}

awaitable<> ImagePuller::bring_in_turn(PullPtr pull) {
    Backoff backoff(options_.backoff, system_uniform());
    pull->deadline = std::chrono::steady_clock::now() + options_.limit;
    int answered = 0;
    while (std::chrono::steady_clock::now() < pull->deadline) {
        bool done = false;
        bool no_answer = false;
        try {
            done = co_await attempt(pull);
        } catch (const std::exception&) {
            const auto error = error_of_current_exception();
            if (error.code == Code::Cancelled) {
                throw;
            }
            pull->why = error.to_string();
            no_answer = true; // Docker is away or busy: that says nothing about the image
        }
        if (done || (!no_answer && ++answered >= options_.attempts_max)) {
            co_return;
        }
        const auto pause = backoff.next();
        tell(pull, "pull failed, trying again: " + pull->why);
        co_await sleep_for(pause);
    }
    pull->why = "not here after " + format_duration(options_.limit) + ": " + pull->why;
}

awaitable<bool> ImagePuller::is_here(PullPtr pull) {
    std::vector<std::string> names;
    if (!pull->reference.digest.empty()) {
        names.push_back(pull->reference.local_repository() + ":" + pull->reference.local_tag());
    }
    names.push_back(pull->image);
    for (const auto& name : names) {
        const auto here = co_await engine_.inspect_image(name);
        if (here) {
            pull->image_id = here->id;
            co_return true;
        }
    }
    co_return false;
}

/// One round over the sources. True when there is nothing more to try.
awaitable<bool> ImagePuller::attempt(PullPtr pull) {
    const bool fixed = !pull->reference.digest.empty(); // no registry can say anything else of it
    if ((!pull->force || fixed) && co_await is_here(pull)) {
        co_return true;
    }
    const bool internal = pull->reference.hosted_by_proxy();
    if (options_.proxy.empty()) {
        if (internal) {
            pull->why = "images of registry.internal are hosted by the registry proxy; start this "
                        "executor with --registry-proxy";
            co_return true;
        }
        const bool done = co_await pull_from(pull, pull->reference.repository, false);
        co_return done || gave_up_for_good(*pull);
    }
    const auto through = pull->reference.path_through(options_.proxy);
    if (co_await pull_from(pull, through, true)) {
        co_return true;
    }
    if (internal || !options_.fallback || !pull->error || !proxy_may_be_the_cause(*pull->error)) {
        co_return gave_up_for_good(*pull);
    }
    log::warning("the registry proxy could not serve an image; asking the upstream itself",
                 {{"image", pull->image}, {"why", pull->why}});
    const auto through_proxy = "through the proxy: " + pull->why;
    const bool done = co_await pull_from(pull, pull->reference.repository, false);
    if (pull->image_id.empty()) {
        pull->why += " (" + through_proxy + ")";
    }
    co_return done || gave_up_for_good(*pull);
}

/// Pulls from one source. True when the image is here, or this source says for certain that it does
/// not exist.
awaitable<bool> ImagePuller::pull_from(PullPtr pull, std::string repository, bool retag) {
    docker::PullRequest request;
    request.image = repository;
    request.tag = pull->reference.version();
    request.limits = options_.limits;
    if (!retag) { // straight to the upstream
        request.auth = credentials_of(*pull);
    }
    request.limits.total =
        std::max<Duration>(Duration::zero(), pull->deadline - std::chrono::steady_clock::now());
    tell(pull, "pulling " + pull->image);
    docker::PullObserver observer = [this, pull](const docker::PullProgress& progress) {
        pull->gauge.take(progress);
        tell(pull, "pulling " + pull->image + ": " + pull->gauge.to_string());
    };
    auto named = request.reference();
    const auto pulled = co_await engine_.pull(std::move(request), std::move(observer));
    if (!pulled) {
        pull->error = pulled.error();
        pull->reason = reason_of(pulled.error().fault);
        pull->why = pulled.error().message;
        co_return pulled.error().fault == EngineFault::ImageUnknown;
    }
    const auto id = pulled->image.id;
    if (options_.observer.brought) {
        const auto& reference = pull->reference;
        const auto local =
            reference.digest.empty() ? reference.repository : reference.local_repository();
        const std::vector<std::string> names = {
            pull->image, named, local + ":" + reference.local_tag()};
        options_.observer.brought(id, names, pulled->is_new);
    }
    const bool by_digest = !pull->reference.digest.empty();
    if (by_digest) {
        named.clear(); // nothing to take away: a digest is no tag
    }
    if ((retag || by_digest) && !co_await name_it(pull, id, named)) {
        co_return false;
    }
    pull->image_id = id;
    co_return true;
}

/// Gives a pulled image the name under which is_here() finds it, and takes the one by which it came
/// away (unless that is empty): it means nothing to people.
awaitable<bool> ImagePuller::name_it(PullPtr pull, std::string id, std::string pulled_as) {
    const auto& reference = pull->reference;
    auto repository = reference.repository;
    if (!reference.digest.empty()) {
        repository = reference.local_repository();
    }
    const auto tagged = co_await engine_.tag_image(id, repository, reference.local_tag());
    if (!tagged && !reference.digest.empty()) {
        log::warning("could not name an image of a digest; it is pulled again where it is needed",
                     {{"image", pull->image}, {"why", tagged.error().message}});
        co_return true;
    }
    if (!tagged) {
        pull->error = tagged.error();
        pull->why = "could not tag the pulled image: " + tagged.error().message;
        co_return false;
    }
    if (pulled_as.empty()) {
        co_return true;
    }
    const auto untagged = co_await engine_.remove_image(pulled_as, false);
    if (!untagged) {
        log::debug("could not remove a pull's tag",
                   {{"tag", pulled_as}, {"why", untagged.error().message}});
    }
    co_return true;
}

/// The task's own, else the host's.
std::optional<docker::RegistryAuth> ImagePuller::credentials_of(const Pull& pull) const {
    const auto& host = pull.reference.host;
    if (auto own = pull.credentials.find(host)) {
        return own;
    }
    if (options_.docker_config.empty()) {
        return std::nullopt;
    }
    const auto read = read_docker_config(options_.docker_config);
    if (!read) {
        log::failure("the host's registry credentials cannot be used; pulling without",
                     read.error(),
                     {{"image", pull.image}});
        return std::nullopt;
    }
    auto found = read->find(host);
    const auto& helped = read->with_helper();
    if (!found && std::find(helped.begin(), helped.end(), host) != helped.end()) {
        log::warning("a credential helper has this registry's credentials, and none is run",
                     {{"registry", host}, {"file", options_.docker_config}});
    }
    return found;
}

/// One pull of an image at a time. Whoever holds the result keeps the turn alive.
std::shared_ptr<Semaphore> ImagePuller::turn_of(const ImageReference& reference) {
    std::erase_if(turns_, [](const auto& entry) { return entry.second.expired(); });
    auto& kept = turns_[reference.path_through("") + ":" + reference.version()];
    auto turn = kept.lock();
    if (!turn) {
        turn = std::make_shared<Semaphore>(group_.executor(), 1);
        kept = turn;
    }
    return turn;
}

/// At most once a second, but always in the end; the first figures at once.
void ImagePuller::tell(const PullPtr& pull, std::string text) {
    pull->said = std::move(text);
    const bool first_figures = pull->figures().has_value() && !pull->told_figures;
    if (first_figures || std::chrono::steady_clock::now() >= pull->next_progress) {
        tell_all(*pull);
    } else if (!std::exchange(pull->tells_later, true)) {
        group_.spawn(pull->image, tell_later(pull));
    }
}

void ImagePuller::tell_all(Pull& pull) {
    const auto figures = pull.figures();
    pull.told_figures = figures.has_value();
    pull.next_progress = std::chrono::steady_clock::now() + progress_interval;
    for (const auto& [who, waiter] : pull.waiters) {
        waiter.progress(pull.said, figures);
    }
}

awaitable<> ImagePuller::tell_later(PullPtr pull) {
    const auto pause = pull->next_progress - std::chrono::steady_clock::now();
    co_await sleep_for(pause);
    pull->tells_later = false;
    tell_all(*pull); // nobody is left where it has ended
}

awaitable<> ImagePuller::tell_newcomer(PullPtr pull, std::string who) {
    co_await asio::post(group_.executor(), asio::use_awaitable); // never inside ensure()
    const auto waiter = pull->waiters.find(who);
    if (waiter != pull->waiters.end() && !pull->said.empty()) {
        waiter->second.progress(pull->said, pull->figures());
    }
}

} // namespace methos::executor
