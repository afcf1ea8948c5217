#include "tests/component/docker/version_answers.hpp"

#include <nlohmann/json.hpp>

namespace methos::test {

namespace {

using Json = nlohmann::json;

/// 1.40, Docker 19.03.
constexpr const char* oldest = R"json({
"version": {"Platform": {"Name": ""}, "Components": [{"Name": "Engine", "Version": "19.03.15"}],
    "Version": "19.03.15", "ApiVersion": "1.40", "MinAPIVersion": "1.12", "Os": "linux",
    "Arch": "amd64", "KernelVersion": "6.1.0", "Experimental": false},
"info": {"ID": "7TRN:IPZB", "Name": "host", "NCPU": 4, "MemTotal": 8589934592,
    "DockerRootDir": "/var/lib/docker", "Driver": "overlay2", "CgroupDriver": "cgroupfs",
    "DefaultRuntime": "runc", "Runtimes": {"runc": {"path": "runc"}}, "LiveRestoreEnabled": true,
    "RegistryConfig": {"Mirrors": null, "InsecureRegistryCIDRs": ["127.0.0.0/8"]},
    "KernelMemory": true, "KernelMemoryTCP": true, "BridgeNfIptables": true,
    "ContainerdCommit": {"ID": "abc", "Expected": "abc"}, "Warnings": null},
"image": {"Id": "sha256:aaaa", "RepoTags": ["demo:1"], "RepoDigests": ["demo@sha256:bbbb"],
    "Parent": "", "Comment": "", "Author": "", "Created": "2026-01-01T00:00:00Z",
    "Container": "cafe", "ContainerConfig": {"Hostname": "cafe", "Cmd": null},
    "Config": {"Hostname": "", "User": "app", "Tty": false, "Image": "sha256:9999",
        "ExposedPorts": {"80/tcp": {}}, "Env": ["PATH=/bin"], "Cmd": ["/bin/sh"],
        "Entrypoint": null, "Volumes": null, "OnBuild": null, "Labels": null, "WorkingDir": ""},
    "Architecture": "amd64", "Os": "linux", "Size": 4000000, "VirtualSize": 4000000},
"untagged": {"Id": "sha256:cccc", "RepoTags": ["<none>:<none>"],
    "RepoDigests": ["<none>@<none>"], "Created": "2026-01-01T00:00:00Z",
    "Config": {"Cmd": ["/bin/sh"]}, "Size": 1000, "VirtualSize": 1000},
"bare": {"Id": "sha256:dddd", "RepoTags": ["bare:1"], "RepoDigests": null, "Config": {
    "User": "", "ExposedPorts": null, "Env": null, "Cmd": null, "Entrypoint": null,
    "Labels": null}, "Size": 0, "VirtualSize": 0},
"runs": {"Id": "eeee", "Name": "/methos-demo.1", "Image": "sha256:aaaa",
    "Created": "2026-01-01T00:00:00.123456789Z", "RestartCount": 0, "Path": "/bin/sh",
    "Config": {"Image": "demo:1", "Labels": {"io.methos.task": "demo.1"}, "Env": null,
        "Tty": false, "MacAddress": "", "Healthcheck": {"Test": ["NONE"]}},
    "HostConfig": {"NetworkMode": "default", "LogConfig": {"Type": "json-file", "Config": {}},
        "KernelMemory": 0, "KernelMemoryTCP": 0},
    "State": {"Status": "running", "Running": true, "Paused": false, "OOMKilled": false,
        "Dead": false, "Pid": 4711, "ExitCode": 0, "Error": "",
        "StartedAt": "2026-01-01T00:00:01Z", "FinishedAt": "0001-01-01T00:00:00Z"},
    "NetworkSettings": {"Bridge": "", "SandboxID": "5a", "HairpinMode": false,
        "LinkLocalIPv6Address": "", "SecondaryIPAddresses": null,
        "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "31001"}], "81/tcp": null},
        "EndpointID": "1b", "Gateway": "172.17.0.1", "IPAddress": "172.17.0.2",
        "IPPrefixLen": 16, "GlobalIPv6Address": "", "MacAddress": "02:42:ac:11:00:02",
        "Networks": {"bridge": {"IPAMConfig": null, "Links": null, "Aliases": null,
            "Gateway": "172.17.0.1", "IPAddress": "172.17.0.2", "GlobalIPv6Address": ""}}}},
"never_started": {"Id": "ffff", "Name": "/methos-demo.2", "Image": "sha256:aaaa",
    "Created": "2026-01-01T00:00:00Z", "Config": {"Image": "demo:1", "Labels": {}, "Env": null},
    "HostConfig": {"NetworkMode": "none"},
    "State": {"Status": "created", "Running": false, "Pid": 0, "ExitCode": 0, "Error": "",
        "StartedAt": "0001-01-01T00:00:00Z", "FinishedAt": "0001-01-01T00:00:00Z"},
    "NetworkSettings": {"Ports": {}, "IPAddress": "", "Gateway": "",
        "Networks": {"none": {"Aliases": null, "IPAddress": "", "Gateway": ""}}}},
"row": {"Id": "eeee", "Names": ["/methos-demo.1"], "Image": "demo:1", "ImageID": "sha256:aaaa",
    "Command": "/bin/sh", "Created": 1767225600, "Ports": [], "State": "running",
    "Labels": {"io.methos.task": "demo.1"}, "Status": "Up 2 hours",
    "HostConfig": {"NetworkMode": "default"}, "Mounts": []},
"event": {"status": "die", "id": "eeee", "from": "demo:1", "Type": "container", "Action": "die",
    "Actor": {"ID": "eeee", "Attributes": {"exitCode": "137", "io.methos.task": "demo.1"}},
    "scope": "local", "time": 1767225700, "timeNano": 1767225700000000001},
"pull_progress": {"status": "Downloading", "progressDetail": {"current": 512, "total": 1024},
    "progress": "[=====>     ]     512B/1.024kB", "id": "layer1"},
"pull_error": {"errorDetail": {"message": "manifest unknown"}, "error": "manifest unknown"}
})json";

struct Change {
    docker::ApiVersion api;
    docker::ApiVersion api_min;
    const char* engine;
    const char* patch;
};

/// null takes a field away.
constexpr Change changes[] = {
    {{1, 40}, {1, 12}, "19.03.15", "{}"},
    {{1, 41}, {1, 12}, "20.10.24", R"json({"info": {"CgroupVersion": "1"}})json"},
    {{1, 42},
     {1, 12},
     "23.0.6",
     R"json({"info": {"CgroupVersion": "2", "CgroupDriver": "systemd", "KernelMemory": null},
                 "runs": {"HostConfig": {"KernelMemory": null}}})json"},
    {{1, 43},
     {1, 12},
     "24.0.9",
     R"json({"untagged": {"RepoTags": [], "RepoDigests": []},
                 "runs": {"HostConfig": {"Annotations": {"a": "b"}}}})json"},
    {{1, 44},
     {1, 24},
     "25.0.5",
     R"json({"image": {"VirtualSize": null, "Created": null}, "bare": {"VirtualSize": null},
                 "untagged": {"VirtualSize": null, "Created": null},
                 "runs": {"Config": {"MacAddress": null, "Healthcheck": {"StartInterval": 0}},
                          "NetworkSettings": {"Networks": {"bridge": {"DNSNames": []}}}}})json"},
    {{1, 45},
     {1, 24},
     "26.1.4",
     R"json({"image": {"Container": null, "ContainerConfig": null},
                 "runs": {"NetworkSettings": {"Bridge": null, "HairpinMode": null,
                          "Networks": {"bridge": {"Aliases": null}}}}})json"},
    {{1, 46},
     {1, 24},
     "27.1.2",
     R"json({"info": {"Containerd": {"Address": "/run/containerd/containerd.sock"}},
                 "row": {"HostConfig": {"Annotations": {"a": "b"}}}})json"},
    {{1, 47},
     {1, 24},
     "27.5.1",
     R"json({"image": {"Manifests": []}, "pull_progress": {"progress": null},
                 "pull_error": {"error": null}})json"},
    {{1, 48},
     {1, 24},
     "28.0.4",
     R"json({"image": {"Descriptor": {"digest": "sha256:bbbb", "size": 7}},
                 "runs": {"ImageManifestDescriptor": {"digest": "sha256:bbbb"}},
                 "row": {"ImageManifestDescriptor": {"digest": "sha256:bbbb"}}})json"},
    {{1, 49}, {1, 24}, "28.1.1", R"json({"info": {"ContainerdCommit": {"Expected": null}}})json"},
    {{1, 50},
     {1, 24},
     "28.2.2",
     R"json({"info": {"BridgeNfIptables": null, "DiscoveredDevices": []},
                 "image": {"Config": {"Hostname": null, "Tty": null, "Image": null}}})json"},
    {{1, 51}, {1, 24}, "28.3.3", "{}"},
    {{1, 52},
     {1, 44},
     "29.0.0",
     R"json({"event": {"status": null, "id": null, "from": null},
                 "info": {"KernelMemoryTCP": null},
                 "image": {"Parent": null, "Comment": null, "Author": null,
                     "Config": {"Entrypoint": null, "Volumes": null, "OnBuild": null,
                                "Labels": null, "WorkingDir": null}},
                 "bare": {"RepoDigests": null, "Config": {"User": null, "ExposedPorts": null,
                     "Env": null, "Cmd": null, "Entrypoint": null, "Labels": null}},
                 "runs": {"NetworkSettings": {"Bridge": null, "EndpointID": null, "Gateway": null,
                     "IPAddress": null, "IPPrefixLen": null, "GlobalIPv6Address": null,
                     "MacAddress": null, "LinkLocalIPv6Address": null,
                     "SecondaryIPAddresses": null}},
                 "never_started": {"NetworkSettings": {"IPAddress": null, "Gateway": null}}
                })json"},
    {{1, 53},
     {1, 44},
     "29.1.0",
     R"json({"info": {"NRI": {"Info": []}}, "image": {"Identity": {"Pull": []}}})json"},
};

} // namespace

std::vector<VersionAnswers> version_answers() {
    std::vector<VersionAnswers> all;
    auto answers = Json::parse(oldest);
    for (const auto& change : changes) {
        answers.merge_patch(Json::parse(change.patch));
        answers["version"]["ApiVersion"] = change.api.to_string();
        answers["version"]["MinAPIVersion"] = change.api_min.to_string();
        answers["version"]["Version"] = change.engine;
        VersionAnswers one;
        one.api = change.api;
        one.api_min = change.api_min;
        one.engine = change.engine;
        one.version = answers["version"].dump();
        one.info = answers["info"].dump();
        one.image = answers["image"].dump();
        one.untagged = answers["untagged"].dump();
        one.bare = answers["bare"].dump();
        one.runs = answers["runs"].dump();
        one.never_started = answers["never_started"].dump();
        one.list = Json::array({answers["row"]}).dump();
        one.event = answers["event"].dump() + "\n";
        one.pull_progress = answers["pull_progress"].dump();
        one.pull_error = answers["pull_error"].dump();
        all.push_back(std::move(one));
    }
    return all;
}

} // namespace methos::test
