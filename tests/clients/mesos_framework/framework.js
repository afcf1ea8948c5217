// A framework on npm's mesos-framework, which is not modified. It wants N instances of one Docker
// task; what it is told goes to stdout, one JSON object a line, and what it shall do comes from stdin.
//
//   node framework.js '{"host":..., "port":..., "token":..., "name":..., "instances":N, "image":..., "command":...,
//                       "cpus":..., "mem":..., "ports":..., "frameworkId":..., "role":..., "restartStates":[...]}'
//   stdin: {"do":"kill","task":T,"agent":A} | {"do":"reconcile","task":T,"agent":A} | {"do":"reconcile"} |
//          {"do":"teardown"}
"use strict";

const { Scheduler, Mesos } = require("mesos-framework");
const mesos = Mesos.getMesos();
const readline = require("readline");

const wanted = JSON.parse(process.argv[2]);

if (wanted.role) { // the package has no option for it; the message that it sends has the field
    const FrameworkInfo = mesos.FrameworkInfo;
    mesos.FrameworkInfo = function (...fields) {
        const info = new FrameworkInfo(...fields);
        info.role = wanted.role;
        return info;
    };
}

function say(event, more) {
    process.stdout.write(JSON.stringify({ event, ...more }) + "\n");
}

const tasks = {};
if (wanted.instances) {
    tasks.web = {
        priority: 1,
        instances: wanted.instances,
        commandInfo: new mesos.CommandInfo(null, null, true, wanted.command, null, null),
        containerInfo: new mesos.ContainerInfo(
            mesos.ContainerInfo.Type.DOCKER, null, null,
            new mesos.ContainerInfo.DockerInfo(
                wanted.image, mesos.ContainerInfo.DockerInfo.Network.BRIDGE, null, false, null, false)),
        portMappings: Array.from({ length: wanted.ports }, () => ({ port: 8080, protocol: "tcp" })),
        resources: { cpus: wanted.cpus, mem: wanted.mem, ports: wanted.ports, disk: 0 },
    };
}

const scheduler = new Scheduler({
    masterUrl: wanted.host,
    port: wanted.port,
    frameworkName: wanted.name,
    frameworkFailoverTimeout: 600,
    restartStates: wanted.restartStates || ["TASK_FAILED", "TASK_LOST", "TASK_ERROR"],
    logging: { path: process.env.LOG_FOLDER, fileName: wanted.name + ".log", level: "error" },
    tasks,
});
scheduler.requestTemplate.headers.Authorization = "Bearer " + wanted.token;
if (wanted.frameworkId) {
    scheduler.frameworkId = wanted.frameworkId;
}

for (const kind of ["sent_accept", "sent_decline", "sent_kill", "sent_acknowledge", "sent_reconcile", "sent_teardown"]) {
    scheduler.on(kind, () => say(kind));
}
scheduler.on("subscribed", (subscription) => say("subscribed", { framework: subscription.frameworkId }));
scheduler.on("offers", (offers) => say("offers", { count: offers.offers.length }));
scheduler.on("rescind", () => say("rescind"));
scheduler.on("heartbeat", () => say("heartbeat"));
scheduler.on("error", (error) => say("error", { message: error.message || String(error) }));
scheduler.on("update", (update) => {
    const status = update.status;
    say("update", {
        task: status.task_id.value, agent: status.agent_id.value, state: status.state, reason: status.reason,
        acknowledge: Boolean(status.uuid),
    });
});
scheduler.on("ready", () => scheduler.subscribe());

readline.createInterface({ input: process.stdin }).on("line", (line) => {
    const call = JSON.parse(line);
    if (call.do === "kill") {
        scheduler.kill(call.task, call.agent);
    } else if (call.do === "reconcile") {
        scheduler.reconcile(call.task, call.agent);
    } else if (call.do === "teardown") {
        scheduler.teardown();
    }
});
