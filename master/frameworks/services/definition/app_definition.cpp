#include "master/frameworks/services/definition/app_definition.hpp"

namespace methos::services {

bool differ_only_in_instances(const AppDefinition& a, const AppDefinition& b) {
    if (a.instances == b.instances) {
        return false;
    }
    auto scaled = a;
    scaled.instances = b.instances;
    return scaled == b;
}

} // namespace methos::services
