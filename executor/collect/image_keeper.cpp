#include "executor/collect/image_keeper.hpp"

#include "core/base/glob.hpp"
#include "core/model/image_reference.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace methos::executor {

namespace {

/// "nginx:1" of "docker.io/library/nginx:1": how people write it.
std::string_view familiar(std::string_view name) {
    for (const std::string_view prefix : {"docker.io/library/", "docker.io/"}) {
        if (name.starts_with(prefix)) {
            return name.substr(prefix.size());
        }
    }
    return name;
}

/// Of "repository:tag" and "repository@digest".
std::string_view repository_of(std::string_view name) {
    if (const auto at = name.find('@'); at != std::string_view::npos) {
        return name.substr(0, at);
    }
    const auto colon = name.rfind(':');
    const auto slash = name.rfind('/');
    const bool has_tag =
        colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash);
    return has_tag ? name.substr(0, colon) : name;
}

} // namespace

std::string canonical_image(const std::string& name) {
    const auto reference = parse_image_reference(name);
    if (!reference) {
        return name;
    }
    const auto* separator = reference->digest.empty() ? ":" : "@";
    return reference->host + "/" + reference->path + separator + reference->version();
}

ImageKeeper::ImageKeeper(KeeperOptions options, KeptImages known)
    : options_(std::move(options)), images_(std::move(known)) {}

void ImageKeeper::brought(const std::string& id,
                          const std::vector<std::string>& names,
                          bool is_new,
                          WallTime now) {
    if (!is_new && !images_.contains(id)) {
        return;
    }
    if (!images_.contains(id) && images_.size() >= kept_images_max) {
        const auto oldest =
            std::min_element(images_.begin(), images_.end(), [](const auto& a, const auto& b) {
                return a.second.used_at < b.second.used_at;
            });
        images_.erase(oldest);
    }
    auto& image = images_[id];
    for (const auto& name : names) {
        image.names.insert(canonical_image(name));
    }
    image.used_at = now;
}

void ImageKeeper::used(const std::string& id, WallTime now) {
    if (const auto found = images_.find(id); found != images_.end()) {
        found->second.used_at = now;
    }
}

void ImageKeeper::in_use(const std::set<std::string>& ids, WallTime now) {
    in_use_ = ids;
    for (auto& [id, image] : images_) {
        // A clock that was set back must not keep an image for as long as it was wrong.
        const bool is_used = ids.contains(id);
        image.used_at = is_used ? now : std::min(image.used_at, now);
    }
}

void ImageKeeper::forget(const std::string& id) {
    images_.erase(id);
}

std::vector<std::string> ImageKeeper::removable(bool wants_room, WallTime now) const {
    std::vector<std::pair<WallTime, std::string>> found;
    for (const auto& [id, image] : images_) {
        if (may_remove(id, wants_room, now)) {
            found.emplace_back(image.used_at, id);
        }
    }
    std::sort(found.begin(), found.end());
    std::vector<std::string> ids;
    ids.reserve(found.size());
    for (auto& entry : found) {
        ids.push_back(std::move(entry.second));
    }
    return ids;
}

bool ImageKeeper::may_remove(const std::string& id, bool wants_room, WallTime now) const {
    const auto found = images_.find(id);
    if (!options_.delay || found == images_.end() || in_use_.contains(id) ||
        is_pinned(found->second)) {
        return false;
    }
    const auto delay =
        wants_room ? std::min<Duration>(just_used, *options_.delay) : *options_.delay;
    return now - found->second.used_at >= delay;
}

bool ImageKeeper::is_ours_alone(const std::string& id,
                                const std::vector<std::string>& names) const {
    const auto found = images_.find(id);
    if (found == images_.end()) {
        return false;
    }
    const auto& ours = found->second.names;
    return std::all_of(names.begin(), names.end(), [&ours](const std::string& listed) {
        const auto name = canonical_image(listed);
        if (ours.contains(name)) {
            return true;
        }
        // The digest that Docker notes of a pull, under the repository that was pulled.
        const auto repository = repository_of(name);
        return name.find('@') != std::string::npos &&
               std::any_of(ours.begin(), ours.end(), [&repository](const std::string& mine) {
                   return repository_of(mine) == repository;
               });
    });
}

bool ImageKeeper::is_pinned(const KeptImage& image) const {
    return std::any_of(
        options_.pins.begin(), options_.pins.end(), [&image](const std::string& pin) {
            return std::any_of(
                image.names.begin(), image.names.end(), [&pin](const std::string& name) {
                    return matches_glob(pin, name) || matches_glob(pin, familiar(name));
                });
        });
}

} // namespace methos::executor
