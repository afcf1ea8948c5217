// Which images of this host may go: those that this executor has brought, that no container has and
// no task has asked for since long enough, the longest unused first. Knows nothing of images that
// others brought, so it can name none of them. Owned by the collector, which does what it says.
// Pure.
#pragma once

#include "core/base/clock.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace methos::executor {

struct KeeperOptions {
    /// How long an image is kept that nobody uses; none: for ever.
    std::optional<Duration> delay = std::chrono::hours(24 * 7);
    std::vector<std::string> pins; ///< GLOBs over names; what they match stays

    friend bool operator==(const KeeperOptions&, const KeeperOptions&) = default;
};

/// An image that this executor has brought.
struct KeptImage {
    std::set<std::string> names; ///< as canonical_image() spells them; all that we gave it
    WallTime used_at;            ///< last seen in a container, or asked for by a task

    friend bool operator==(const KeptImage&, const KeptImage&) = default;
};

/// By image id.
using KeptImages = std::map<std::string, KeptImage>;

/// "docker.io/library/nginx:1", "docker.io/library/nginx@sha256:...": one spelling for all; what is
/// no reference stays as it is.
[[nodiscard]] std::string canonical_image(const std::string& name);

/// Even when the disk is filling up: it may be on its way to a container.
constexpr std::chrono::minutes just_used(10);
/// More are not remembered; the longest unused is then nobody's.
constexpr std::size_t kept_images_max = 10'000;

class ImageKeeper {
  public:
    ImageKeeper(KeeperOptions options, KeptImages known);

    /// We have brought the image, or given one of ours more names. With `is_new` false it was on
    /// this host before, so it is somebody else's unless it is known.
    void brought(const std::string& id,
                 const std::vector<std::string>& names,
                 bool is_new,
                 WallTime now);
    /// A task has asked for it.
    void used(const std::string& id, WallTime now);
    /// What the containers of this host are made of, anybody's.
    void in_use(const std::set<std::string>& ids, WallTime now);
    /// It is not there any more, or not ours alone.
    void forget(const std::string& id);

    /// What may go now, the longest unused first. `wants_room`: the disk is filling up.
    [[nodiscard]] std::vector<std::string> removable(bool wants_room, WallTime now) const;
    /// Whether it still may.
    [[nodiscard]] bool may_remove(const std::string& id, bool wants_room, WallTime now) const;
    /// Whether each of these names, as Docker lists them, is one that we gave the image.
    [[nodiscard]] bool is_ours_alone(const std::string& id,
                                     const std::vector<std::string>& names) const;

    [[nodiscard]] const KeptImages& images() const { return images_; }

    [[nodiscard]] bool removes() const { return options_.delay.has_value(); }

  private:
    [[nodiscard]] bool is_pinned(const KeptImage& image) const;

    KeeperOptions options_;
    KeptImages images_;
    std::set<std::string> in_use_; ///< as the last list of containers told
};

} // namespace methos::executor
