// The cluster's book-keeping: what it is made of after a start, its numbers, its records, and
// reading it. Hosts are in cluster_hosts.cpp, tasks in cluster_tasks.cpp, offers in allocator.cpp.
#include "master/cluster/cluster.hpp"

#include "core/state/meta.pb.h"
#include "core/wire/mapping.hpp"
#include "master/state/records.pb.h"

#include <cstdio>
#include <set>

namespace methos::cluster {

namespace {

constexpr std::uint64_t numbers_per_reservation = 1000;

std::int64_t to_ms(WallTime time) {
    return time.time_since_epoch().count();
}

WallTime from_ms(std::int64_t ms) {
    return WallTime(std::chrono::milliseconds(ms));
}

template <class Record>
Record parse_record(const std::string& bytes, const std::string& what) {
    Record record;
    if (!record.ParseFromString(bytes)) {
        throw Failure(Code::Internal,
                      "the stored record of " + what + " is damaged; restore a snapshot");
    }
    return record;
}

/// A newer build may have stored one that this one does not know: it explains nothing then.
Reason stored_reason(std::uint32_t number, Reason otherwise) {
    constexpr auto last = static_cast<std::uint32_t>(Reason::HostDraining);
    return number == 0 || number > last ? otherwise : static_cast<Reason>(number);
}

/// A 64-bit mix (SplitMix64's finalizer): every input bit changes half of the output bits.
std::uint64_t mixed(std::uint64_t x) {
    x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31U);
}

} // namespace

std::string uuid_of(const std::string& cluster_id, std::uint64_t number) {
    std::uint64_t seed = 0xcbf29ce484222325ULL;
    for (const char c : cluster_id) {
        seed = (seed ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
    // `low` is a bijection of the number for a fixed cluster, so two numbers never meet.
    const auto high = mixed(seed + 0x9e3779b97f4a7c15ULL * number);
    const auto low = mixed(number ^ mixed(seed));
    char text[37];
    std::snprintf(text,
                  sizeof(text),
                  "%08x-%04x-4%03x-8%03x-%012llx",
                  static_cast<unsigned>(high >> 32U),
                  static_cast<unsigned>((high >> 16U) & 0xffffU),
                  static_cast<unsigned>(high & 0xfffU),
                  static_cast<unsigned>((low >> 48U) & 0xfffU),
                  static_cast<unsigned long long>((low & 0xffffffffffffULL)));
    return text;
}

Cluster::Cluster(Policy policy) : policy_(policy) {}

void Cluster::load_meta(const std::string& bytes) {
    const auto record = parse_record<state::MetaRecord>(bytes, "the cluster");
    if (record.schema() > state::schema_version) {
        throw Failure(Code::Conflict,
                      "the state was written by a newer Methos (schema " +
                          std::to_string(record.schema()) + ", this program knows up to " +
                          std::to_string(state::schema_version) +
                          "): start that version, or use another --data-dir");
    }
    id_ = record.cluster();
    epoch_ = record.epoch();
    numbers_reserved_ = record.numbers_reserved();
    next_number_ = std::max<std::uint64_t>(1, numbers_reserved_);
    restored_at_ = from_ms(record.restored_at_ms());
    restored_from_number_ = record.restored_from_number();
}

void Cluster::load_host(HostNumber number, const std::string& bytes) {
    const auto record =
        parse_record<state::HostRecord>(bytes, "host " + std::to_string(number.value));
    auto& host = new_host(number);
    host.info.id = HostId(record.id());
    host.info.hostname = record.hostname();
    host.info.address = record.address();
    host.info.resources.scalars = {
        record.milli_cpus(), record.mem_bytes(), record.disk_bytes(), record.gpus()};
    auto ports = parse_ports(record.ports());
    if (!ports) {
        throw Failure(Code::Internal, "the stored ports of host " + record.id() + " are damaged");
    }
    host.info.resources.ports = std::move(*ports);
    host.info.attributes = {record.attributes().begin(), record.attributes().end()};
    host.info.role = record.role();
    host.info.docker_version = record.docker_version();
    host.info.docker_api = record.docker_api();
    host.info.build = record.build();
    host.key_hash = record.key_hash();
    host.state = record.lost() ? HostState::Lost : HostState::Restarting;
    host.lost_at = from_ms(record.lost_at_ms());
    if (record.duty() > static_cast<std::uint32_t>(Duty::Gone)) {
        throw Failure(Code::Internal, "the stored duty of host " + record.id() + " is damaged");
    }
    host.duty = static_cast<Duty>(record.duty());
    host.drain.grace_max = std::chrono::milliseconds(record.drain_grace_max_ms());
    host.drain.deadline = from_ms(record.drain_deadline_ms());
    host.drain.at_once = record.drain_at_once();
    if (host.leaving()) {
        leaving_.insert(number);
    }
    host.free_ports = host.info.resources.ports;
    host_by_id_[record.id()] = number;
}

void Cluster::load_spec(SpecNumber number, const std::string& bytes) {
    const auto record = parse_record<wire::TaskSpec>(bytes, "spec " + std::to_string(number.value));
    auto spec = wire::from_wire(record);
    if (!spec) {
        throw Failure(spec.error());
    }
    specs_[number] = std::make_shared<const TaskSpec>(std::move(*spec));
}

void Cluster::load_task(TaskNumber number, const std::string& bytes) {
    const auto record =
        parse_record<state::TaskRecord>(bytes, "task " + std::to_string(number.value));
    Task task;
    task.number = number;
    task.name = TaskName(record.name());
    task.framework = record.framework();
    task.role = record.role().empty() ? "*" : record.role();
    task.priority = record.priority();
    if (record.has_healthy()) {
        task.healthy = record.healthy();
    }
    task.spec = SpecNumber(record.spec());
    task.host = HostNumber(record.host());
    for (const auto port : record.host_ports()) {
        task.host_ports.push_back(static_cast<std::uint16_t>(port));
    }
    task.request = RequestId(record.request());
    task.attempt = record.attempt();
    if (record.state() > static_cast<std::uint32_t>(TaskState::Unknown)) {
        throw Failure(Code::Internal, "the stored state of task " + record.name() + " is damaged");
    }
    task.reported = static_cast<TaskState>(record.state());
    task.reason = stored_reason(record.reason(), Reason::None);
    task.message = record.message();
    task.container_id = record.container_id();
    task.ip_addresses = {record.ip_addresses().begin(), record.ip_addresses().end()};
    task.staged_at = from_ms(record.staged_at_ms());
    task.started_at = from_ms(record.started_at_ms());
    task.changed_at = from_ms(record.changed_at_ms());
    task.kill_wanted = record.kill_wanted();
    task.kill_reason = stored_reason(record.kill_reason(), Reason::KilledByRequest);
    task.kill_grace = std::chrono::milliseconds(record.kill_grace_ms());

    const auto host = hosts_.find(task.host);
    const auto spec = specs_.find(task.spec);
    if (host == hosts_.end() || spec == specs_.end()) {
        throw Failure(Code::Internal,
                      "task " + record.name() + " is stored without its host or spec");
    }
    task.unreachable = host->second.state == HostState::Lost;
    host->second.used += spec->second->resources;
    host->second.tasks.insert(number);
    for (const auto port : task.host_ports) {
        host->second.free_ports.erase(port);
    }
    if (!task.unreachable) {
        charge(task);
    }
    ++spec_uses_[task.spec];
    if (task.kill_wanted) {
        kills_.emplace_back(task.kill_sent_at, number);
    }
    const auto& loaded = tasks_.emplace(number, std::move(task)).first->second;
    task_by_name_[loaded.name.value] = number;
}

void Cluster::begin(Step& step, const std::string& random_cluster_id) {
    if (id_.empty()) {
        id_ = random_cluster_id;
    }
    ++epoch_;
    for (auto& [number, host] : hosts_) {
        if (host.state != HostState::Lost) {
            host.state = HostState::Restarting;
            host.grace_until = step.now.mono + policy_.executor_grace;
        } else {
            const auto passed = std::max(step.now.wall, host.lost_at) - host.lost_at;
            host.lost_since = step.now.mono - passed;
        }
    }
    save_meta(step);
}

void Cluster::adopt_sessions(const Cluster& discarded) {
    epoch_ = discarded.epoch_;
    offers_made_ = discarded.offers_made_; // an offer's number is given once in an epoch
    claims_made_ = discarded.claims_made_;
    for (auto& [number, host] : hosts_) {
        const auto other = discarded.hosts_.find(number);
        if (host.state == HostState::Lost && other != discarded.hosts_.end()) {
            host.lost_since = other->second.lost_since;
        }
    }
    for (const auto& [session, number] : discarded.host_by_session_) {
        const auto mine = hosts_.find(number);
        const auto& other = discarded.hosts_.at(number);
        if (mine == hosts_.end() || mine->second.info.id != other.info.id) {
            continue;
        }
        auto& host = mine->second;
        host.session = session;
        host.last_heard = other.last_heard;
        host.last_seen = other.last_seen;
        host.info = other.info;
        host.grace_until = other.grace_until;
        reset_ports(host);
        tell_changed(host);
        host_by_session_[session] = number;
        if (host.state != HostState::Lost) {
            host.state = other.state == HostState::Lost ? HostState::Restarting : other.state;
            host.inventoried = other.inventoried;
        }
    }
}

void Cluster::resume(Now now) {
    for (auto& [number, host] : hosts_) {
        if (!host.session.empty()) {
            end_session(host);
        }
        if (host.state != HostState::Lost) {
            host.state = HostState::Restarting;
            host.grace_until = now.mono + policy_.executor_grace;
        } else if (host.lost_since == MonoTime::min()) {
            host.lost_since = now.mono;
        }
    }
}

std::uint64_t Cluster::next_number(Step& step) {
    const auto number = next_number_++;
    if (next_number_ > numbers_reserved_) {
        save_meta(step);
    }
    return number;
}

void Cluster::save_meta(Step& step) {
    if (next_number_ > numbers_reserved_) {
        numbers_reserved_ = next_number_ + numbers_per_reservation;
    }
    state::MetaRecord record;
    record.set_epoch(epoch_);
    record.set_cluster(id_);
    record.set_numbers_reserved(numbers_reserved_);
    record.set_schema(state::schema_version);
    record.set_restored_at_ms(to_ms(restored_at_));
    record.set_restored_from_number(restored_from_number_);
    step.put(state::Table::Meta, state::meta_key, record.SerializeAsString());
}

void Cluster::save_host(const Host& host, Step& step) {
    state::HostRecord record;
    record.set_id(host.info.id.value);
    record.set_hostname(host.info.hostname);
    record.set_address(host.info.address);
    const auto& scalars = host.info.resources.scalars;
    record.set_milli_cpus(scalars.milli_cpus);
    record.set_mem_bytes(scalars.mem_bytes);
    record.set_disk_bytes(scalars.disk_bytes);
    record.set_gpus(scalars.gpus);
    record.set_ports(format_ports(host.info.resources.ports));
    record.mutable_attributes()->insert(host.info.attributes.begin(), host.info.attributes.end());
    record.set_role(host.info.role);
    record.set_docker_version(host.info.docker_version);
    record.set_docker_api(host.info.docker_api);
    record.set_build(host.info.build);
    record.set_key_hash(host.key_hash);
    record.set_lost(host.state == HostState::Lost);
    record.set_lost_at_ms(to_ms(host.lost_at));
    record.set_duty(static_cast<std::uint32_t>(host.duty));
    record.set_drain_grace_max_ms(
        std::chrono::duration_cast<std::chrono::milliseconds>(host.drain.grace_max).count());
    record.set_drain_deadline_ms(to_ms(host.drain.deadline));
    record.set_drain_at_once(host.drain.at_once);
    step.put(state::Table::Host, host.number.value, record.SerializeAsString());
}

void Cluster::save_task(const Task& task, Step& step) {
    state::TaskRecord record;
    record.set_name(task.name.value);
    record.set_framework(task.framework);
    record.set_role(task.role);
    record.set_priority(task.priority);
    if (task.healthy) {
        record.set_healthy(*task.healthy);
    }
    record.set_spec(task.spec.value);
    record.set_host(task.host.value);
    for (const auto port : task.host_ports) {
        record.add_host_ports(port);
    }
    record.set_request(task.request.value);
    record.set_attempt(task.attempt);
    record.set_state(static_cast<std::uint32_t>(task.reported));
    record.set_reason(static_cast<std::uint32_t>(task.reason));
    record.set_message(task.message);
    record.set_container_id(task.container_id);
    for (const auto& ip : task.ip_addresses) {
        record.add_ip_addresses(ip);
    }
    record.set_staged_at_ms(to_ms(task.staged_at));
    record.set_started_at_ms(to_ms(task.started_at));
    record.set_changed_at_ms(to_ms(task.changed_at));
    record.set_kill_wanted(task.kill_wanted);
    record.set_kill_reason(static_cast<std::uint32_t>(task.kill_reason));
    record.set_kill_grace_ms(
        std::chrono::duration_cast<std::chrono::milliseconds>(task.kill_grace).count());
    step.put(state::Table::Task, task.number.value, record.SerializeAsString());
}

SpecNumber Cluster::add_spec(TaskSpec spec, Step& step) {
    spec.number = SpecNumber(next_number(step));
    spec.hash = hash_of(spec);
    wire::TaskSpec record;
    wire::to_wire(spec, record);
    step.put(state::Table::Spec, spec.number.value, record.SerializeAsString());
    const auto number = spec.number;
    specs_[number] = std::make_shared<const TaskSpec>(std::move(spec));
    return number;
}

void Cluster::drop_spec(SpecNumber number, Step& step) {
    if (specs_.erase(number) > 0) {
        step.erase(state::Table::Spec, number.value);
    }
}

const Host* Cluster::find_host(HostNumber number) const {
    const auto found = hosts_.find(number);
    return found == hosts_.end() ? nullptr : &found->second;
}

const Host* Cluster::find_host(SessionNumber session) const {
    const auto found = host_by_session_.find(session);
    return found == host_by_session_.end() ? nullptr : find_host(found->second);
}

const Host* Cluster::find_host(const HostId& id) const {
    const auto found = host_by_id_.find(id.value);
    return found == host_by_id_.end() ? nullptr : find_host(found->second);
}

Host* Cluster::host_of(SessionNumber session) {
    const auto found = host_by_session_.find(session);
    return found == host_by_session_.end() ? nullptr : &hosts_.at(found->second);
}

const Task* Cluster::find_task(TaskNumber number) const {
    const auto found = tasks_.find(number);
    return found == tasks_.end() ? nullptr : &found->second;
}

const Task* Cluster::find_task(const TaskName& name) const {
    const auto found = task_by_name_.find(name.value);
    return found == task_by_name_.end() ? nullptr : find_task(found->second);
}

std::shared_ptr<const TaskSpec> Cluster::find_spec(SpecNumber number) const {
    const auto found = specs_.find(number);
    return found == specs_.end() ? nullptr : found->second;
}

} // namespace methos::cluster
