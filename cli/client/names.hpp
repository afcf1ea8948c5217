// How people name apps, tasks and hosts on the command line, and what the API calls them. Pure.
#pragma once

#include "core/base/error.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace methos::cli {

/// "demo" -> "/demo", "/grp//app/" -> "/grp/app".
[[nodiscard]] std::string absolute_app_id(std::string_view name);

/// The app that an argument means. Errors: InvalidInput for one that names none, like "/".
[[nodiscard]] Result<std::string> app_argument(std::string_view name);

/// "/grp/app" -> "grp/app" with every segment percent-encoded, for the end of a URL path.
[[nodiscard]] std::string url_path_of(std::string_view name);

/// The id that `methos run` gives: the last part of the image's name, made legal.
/// "quay.io/team/My_App:1.2@sha256:..." -> "/my-app". Empty when nothing legal is left.
[[nodiscard]] std::string app_id_of_image(std::string_view image);

/// Whether it can be an app's id: segments of [a-z0-9-] joined by "." and "/", no dash at an end.
[[nodiscard]] bool is_app_id(std::string_view id);

/// Whether it is the id of a task ("grp_app.instance-<uuid>._app.1", "app.<uuid>") and not of an
/// app.
[[nodiscard]] bool is_task_id(std::string_view name);

/// The short name of an instance for people: the first eight characters of its uuid, or the whole
/// id when it has none.
[[nodiscard]] std::string short_task_name(std::string_view task_id);

/// At most three of `known` that a person may have meant by `name`, the closest first.
[[nodiscard]] std::vector<std::string> similar_names(const std::string& name,
                                                     const std::vector<std::string>& known);

struct HostName {
    std::string id;
    std::string hostname;
};

/// The index of the host that `name` is the id, the unique hostname, or a unique prefix of the id
/// of, in this order. Errors: NotFound with the hosts there are; InvalidInput when it fits several.
[[nodiscard]] Result<std::size_t> find_host(const std::string& name,
                                            const std::vector<HostName>& hosts);

} // namespace methos::cli
