// The container of an app definition: image, mappings, volumes. Used by app_parse only.
#pragma once

#include "master/frameworks/services/definition/app_definition.hpp"
#include "master/frameworks/services/definition/json_fields.hpp"

namespace methos::services {

/// Reads `container` of the app's fields; the app's networks have been read. Behind a network there
/// is always a container, and a mapping when the document names none.
void read_container(const JsonFields& fields, AppDefinition& app);

} // namespace methos::services
