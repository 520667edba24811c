"""Cases of weaknesses in Kubernetes objects: each wrong, then right."""

from __future__ import annotations

from hachecks.ipfailover.lint.subject import Cluster
from tests.ipfailover.linting import Given, deployment_with, env, shows, together

GOOD = deployment_with()
CHECK = "sh /etc/keepalive/hacheck run vip"
NOTIFY = "sh /etc/keepalive/hacheck notify"
NETWORK = "      hostNetwork: true\n"
PRIVILEGED = "            privileged: true\n"
PORTS = "          ports:\n            - containerPort: 63010\n              hostPort: 63010\n"
ROLLING = "    type: RollingUpdate\n    rollingUpdate:\n      maxSurge: 0\n      maxUnavailable: 1\n"
READINESS = "          readinessProbe:\n"
MOUNT = "            - name: hacheck-state\n              mountPath: /run/hacheck\n"
VOLUME = "        - name: hacheck-state\n          emptyDir: {}\n"
IMAGE = "ose-keepalived-ipfailover-rhel9:v4.20"
INTERVAL = "            - name: OPENSHIFT_HA_CHECK_INTERVAL\n"
CAPABILITIES = "            capabilities:\n              drop: [ALL]\n              add: [NET_ADMIN, NET_RAW, SETGID]\n"


def with_variable(name: str, text: str, *changes: tuple[str, str]) -> Given:
    """The good one with a variable more."""
    one = f'            - name: OPENSHIFT_HA_{name}\n              value: "{text}"\n'
    return deployment_with((INTERVAL, one + INTERVAL), *changes)


def mounted(path: str, source: str) -> tuple[tuple[str, str], ...]:
    """The changes that mount a volume more."""
    return (
        (MOUNT, f"{MOUNT}            - name: more\n              mountPath: {path}\n"),
        (VOLUME, f"{VOLUME}        - name: more\n          {source}\n"),
    )


def config_map(text: str = "#!/bin/sh\\nexit 0\\n", name: str = "hacheck", key: str = "hacheck") -> str:
    return f'kind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  {key}: "{text}"\n'


def beside(file: str, *changes: tuple[str, str]) -> Given:
    """The good one with changes, and a file more."""
    return together(deployment_with(*changes), Given((file,)))


shows("HA101", deployment_with((NETWORK, f"{NETWORK}      privileged: true\n")), GOOD)
shows("HA102", deployment_with((PRIVILEGED, "            runAsUser: 0\n")), GOOD)
shows(
    "HA102",
    deployment_with((PRIVILEGED, CAPABILITIES.replace(", NET_RAW", ""))),
    deployment_with((PRIVILEGED, CAPABILITIES)),
)
shows("HA103", deployment_with((NETWORK, "")), GOOD)
shows("HA104", deployment_with((PRIVILEGED, f"{PRIVILEGED}            runAsUser: 1000\n")), GOOD)
shows("HA104", deployment_with((NETWORK, f"{NETWORK}      securityContext:\n        runAsNonRoot: true\n")), GOOD)
shows("HA105", deployment_with(("      serviceAccountName: ipfailover\n", "")), GOOD)
shows("HA106", deployment_with((NETWORK, f"{NETWORK}      hostPID: true\n")), GOOD)
SHARING = NETWORK, f"{NETWORK}      shareProcessNamespace: true\n"
OTHER = (
    "      containers:\n",
    "      containers:\n        - name: other\n          image: example.test/ose-keepalived-ipfailover-rhel9:v4.20\n"
    "          env: [{name: OPENSHIFT_HA_VIRTUAL_IPS, value: 10.0.0.200}]\n",
)
shows("HA106", deployment_with(SHARING, OTHER), deployment_with(SHARING))
READ_ONLY = (PRIVILEGED, f"{PRIVILEGED}            readOnlyRootFilesystem: true\n")
WRITABLE = "".join(
    f"            - name: hacheck-state\n              mountPath: {path}\n"
    for path in ("/etc/keepalived", "/run", "/tmp")
)
shows("HA107", deployment_with(READ_ONLY), deployment_with(READ_ONLY, (MOUNT, MOUNT + WRITABLE)))
MORE = (PRIVILEGED, CAPABILITIES.replace("SETGID]", "SETGID, SYS_MODULE]"))
shows("HA108", deployment_with(MORE), deployment_with((PRIVILEGED, CAPABILITIES)))

FEW = (PRIVILEGED, CAPABILITIES.replace(", SETGID", ""))
shows("HA109", deployment_with(FEW), deployment_with((PRIVILEGED, CAPABILITIES)))
shows("HA109", deployment_with(FEW), deployment_with(FEW, ("drop: [ALL]", "drop: [CHOWN]")))

shows("HA110", deployment_with((ROLLING, "    type: RollingUpdate\n")), GOOD)
shows("HA110", deployment_with(("maxSurge: 0", "maxSurge: 1")), GOOD)
shows(
    "HA110", deployment_with(("  strategy:\n", ""), (ROLLING, "")), deployment_with((ROLLING, "    type: Recreate\n"))
)
SPREAD = "      topologySpreadConstraints:\n        - topologyKey: kubernetes.io/hostname\n          maxSkew: 1\n"
shows("HA111", deployment_with((PORTS, "")), deployment_with((PORTS, ""), (NETWORK, NETWORK + SPREAD)))
shows(
    "HA111",
    deployment_with((PORTS, "")),
    deployment_with((PORTS, ""), ("kind: Deployment", "kind: DaemonSet"), ("  replicas: 2\n", "")),
)
shows("HA112", deployment_with(("  replicas: 2\n", "  replicas: 3\n")), GOOD)
shows(
    "HA112",
    deployment_with(
        ('              value: "2"\n          readiness', '              value: "2"\n          readiness'),
        ('REPLICA_COUNT\n              value: "2"', 'REPLICA_COUNT\n              value: "3"'),
    ),
    GOOD,
)
shows("HA113", deployment_with(("  replicas: 2\n", "")), GOOD)
shows("HA114", deployment_with((ROLLING, "    type: Recreate\n")), GOOD)
shows("HA114", deployment_with((ROLLING, ROLLING.replace("Unavailable: 1", "Unavailable: 100%"))), GOOD)
shows("HA114", deployment_with((ROLLING, ROLLING.replace("Unavailable: 1", "Unavailable: 2"))), GOOD)


def budget(line: str, name: str = "hello-openshift") -> str:
    """A PodDisruptionBudget of the good one's pods."""
    return (
        f"apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {{name: it}}\nspec:\n  {line}\n"
        f"  selector: {{matchLabels: {{ipfailover: {name}}}}}\n"
    )


for line in ("maxUnavailable: 0", 'maxUnavailable: "0%"', "minAvailable: 2", 'minAvailable: "100%"'):
    shows("HA117", beside(budget(line)), beside(budget("maxUnavailable: 1")))
    shows("HA117", beside(budget(line)), beside(budget(line, "other")))
shows("HA117", beside(budget("minAvailable: 2")), beside(budget("minAvailable: 1")))
shows("HA115", deployment_with(("kind: Deployment", "kind: DeploymentConfig")), GOOD)
shows("HA116", with_variable("UNICAST_PEERS", "10.9.0.1"), with_variable("UNICAST_PEERS", "10.9.0.1,10.9.0.2"))

PGREP = "          livenessProbe:\n            exec:\n              command: [pgrep, keepalived]\n"
shows("HA120", deployment_with((READINESS, PGREP + READINESS)), GOOD)
shows("HA121", deployment_with((READINESS, READINESS.replace("readiness", "startup"))), GOOD)
STOP = "          lifecycle: {preStop: {exec: {command: [sh, -c, pkill -x keepalived; sleep 2]}}}\n"
OTHER = (NOTIFY, "sh /etc/keepalive/notify.sh")
shows("HA122", deployment_with(OTHER), deployment_with(OTHER, (READINESS, STOP + READINESS)))
shows("HA122", deployment_with(OTHER), GOOD)
shows("HA123", deployment_with((READINESS, READINESS.replace("readiness", "startup"))), GOOD)
shows("HA124", deployment_with((MOUNT, "")), GOOD)
shows("HA125", with_variable("NFTABLES_RULE", "yes", (":v4.20", ":v4.23")), with_variable("NFTABLES_RULE", "yes"))
shows("HA126", with_variable("IPTABLES_CHAIN", "INPUT"), with_variable("IPTABLES_CHAIN", "INPUT", (":v4.20", ":v4.23")))

shows("HA130", deployment_with((CHECK, "sh /scripts/check.sh")), GOOD)
shows("HA130", beside(config_map(key="other")), beside(config_map()))
shows("HA131", beside(config_map(name="mycustomcheck")), beside(config_map()))
BARE = (CHECK, CHECK[3:])
shows("HA132", deployment_with(BARE, ("            defaultMode: 0755\n", "")), deployment_with(BARE))
shows(
    "HA132",
    deployment_with(BARE, ("defaultMode: 0755", "defaultMode: 420")),
    deployment_with(BARE, ("defaultMode: 0755", "defaultMode: 493")),
)
shows("HA133", deployment_with(BARE), GOOD)
shows("HA133", deployment_with((NOTIFY, NOTIFY[3:])), GOOD)
shows("HA133", env(VIRTUAL_IPS="10.0.0.1", CHECK_SCRIPT=CHECK[3:]), env(VIRTUAL_IPS="10.0.0.1", CHECK_SCRIPT=CHECK))
shows("HA134", beside(config_map("exit 0\\n"), BARE), beside(config_map(), BARE))
shows("HA134", beside(config_map("#!/bin/sh\\r\\nexit 0\\r\\n")), beside(config_map()))
ROOT = "hostPath: {path: /}"
shows("HA135", deployment_with(*mounted("/hosts", ROOT)), deployment_with(*mounted("/host", ROOT)))
shows(
    "HA135", with_variable("IPTABLES_CHAIN", "INPUT"), with_variable("IPTABLES_CHAIN", "INPUT", *mounted("/host", ROOT))
)
shows(
    "HA136",
    deployment_with(*mounted("/etc/sysconfig", "hostPath: {path: /etc/sysconfig}")),
    deployment_with(*mounted("/etc/sysconfig", "emptyDir: {}")),
)
shows(
    "HA137",
    deployment_with((CHECK, "</dev/tcp/10.0.0.1/80")),
    deployment_with((CHECK, "bash -c '</dev/tcp/10.0.0.1/80'")),
)

shows("HA141", deployment_with(("br-ex", "ens3")), GOOD)
SERVICE = (
    "kind: Service\nmetadata:\n  name: web\nspec:\n  type: NodePort\n  ports:\n    - port: 80\n      nodePort: 30080\n"
)
EXTERNAL = f"{SERVICE}  externalIPs:\n    - 10.0.0.100\n"
BALANCED = f"{SERVICE}status:\n  loadBalancer:\n    ingress:\n      - ip: 10.0.0.100\n"
shows("HA142", beside(EXTERNAL), beside(BALANCED))
shows("HA143", beside(EXTERNAL.replace("0.100", "0.102")), beside(EXTERNAL))
shows("HA143", beside(BALANCED.replace("0.100", "0.102")), beside(BALANCED))
FOLLOWED = BALANCED.replace(
    "  type: NodePort\n", "  type: LoadBalancer\n  loadBalancerClass: hachecks.internal/ipfailover\n"
)
PULLED = "          imagePullPolicy: IfNotPresent\n"
FOLLOWS = (PULLED, f"{PULLED}          args: [ipfailover, run, --follow-services]\n")
shows("HA143", beside(BALANCED.replace("0.100", "0.102")), beside(FOLLOWED.replace("0.100", "0.102")))
shows("HA170", beside(FOLLOWED), beside(FOLLOWED, FOLLOWS))
ASKING = FOLLOWED.replace("  ports:", "  loadBalancerIP: 10.0.0.100\n  ports:")
shows("HA171", beside(ASKING, FOLLOWS), beside(FOLLOWED, FOLLOWS))
NFTABLES, IPVS, IPTABLES = (Cluster("", mode) for mode in ("nftables", "ipvs", "iptables"))
shows("HA144", beside(SERVICE)._replace(cluster=NFTABLES), beside(SERVICE)._replace(cluster=IPTABLES))
shows(
    "HA144",
    with_variable("MONITOR_PORT", "30080")._replace(cluster=NFTABLES),
    with_variable("MONITOR_PORT", "80")._replace(cluster=NFTABLES),
)
shows("HA145", beside(EXTERNAL)._replace(cluster=IPVS), beside(SERVICE)._replace(cluster=IPVS))
MODULES = mounted("/lib/modules", "hostPath: {path: /lib/modules}")
shows("HA146", deployment_with(*MODULES)._replace(cluster=IPVS), GOOD._replace(cluster=IPVS))
JOB = """\
kind: Job
metadata:
  name: remove
spec:
  template:
    spec:
      containers:
        - name: remove
          command: [/var/lib/ipfailover/keepalived/remove-failover.sh]
"""
WHOLE_JOB = f"{JOB}          env: [{{name: OPENSHIFT_HA_VIRTUAL_IPS, value: 10.0.0.1}}]\n      hostNetwork: true\n"
shows("HA146", Given((WHOLE_JOB,), cluster=IPVS), Given((WHOLE_JOB,), cluster=IPTABLES))
shows("HA147", Given((JOB,)), Given((WHOLE_JOB,)))

MONITORED = "            - name: OPENSHIFT_HA_MONITOR_PORT\n              value: '30080'\n"
ASKED = (CHECK, "''"), (INTERVAL, MONITORED + INTERVAL)
shows("HA148", beside(SERVICE.replace("30080", "30081"), *ASKED), beside(SERVICE, *ASKED))
LOCAL = f"{SERVICE}  externalTrafficPolicy: Local\n"
shows("HA149", beside(LOCAL, *ASKED), beside(SERVICE, *ASKED))
LOCALLY = (CHECK, "sh /etc/keepalive/hacheck nodeport 30080 --health-check-node-port 30090")
shows("HA149", beside(LOCAL, *ASKED), beside(LOCAL, LOCALLY))
