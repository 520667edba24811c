"""Cases of findings about pods that run `hacheck ipfailover run`."""

from __future__ import annotations

from tests.ipfailover.linting import Given, changed, shows

OURS = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: router
data:
  variables.env: |
    OPENSHIFT_HA_CONFIG_NAME=router
    OPENSHIFT_HA_VIRTUAL_IPS=10.0.0.100-103
    OPENSHIFT_HA_NETWORK_INTERFACE=br-ex
    OPENSHIFT_HA_NODES=node-a,node-b
    OPENSHIFT_HA_CHECK_SCRIPT="sh /etc/keepalive/hacheck run vip"
---
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: router
spec:
  updateStrategy:
    rollingUpdate:
      maxSurge: 0
      maxUnavailable: 1
  template:
    spec:
      serviceAccountName: router
      hostNetwork: true
      containers:
        - name: ipfailover
          image: hachecks:0.1.0
          args:
            - ipfailover
            - run
            - --env-file=/etc/hachecks/variables/variables.env
          livenessProbe:
            httpGet:
              path: /-/healthy
              port: 10112
          readinessProbe:
            httpGet:
              path: /-/ready
              port: 10112
          securityContext:
            runAsUser: 0
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities:
              drop: [ALL]
              add: [NET_ADMIN, NET_RAW, SETGID]
          volumeMounts:
            - name: variables
              mountPath: /etc/hachecks/variables
            - name: executable
              mountPath: /etc/keepalive
            - name: written
              mountPath: /etc/keepalived
            - name: written
              mountPath: /run
      volumes:
        - name: variables
          configMap:
            name: router
        - name: executable
          configMap:
            name: hacheck
        - name: written
          emptyDir: {}
"""
"""A workload of ours of which nothing is to be said."""
GOOD = Given((OURS,))
FILE = "            - --env-file=/etc/hachecks/variables/variables.env\n"
READ_WRITE = "            readOnlyRootFilesystem: true\n"
CAPABILITIES = "            capabilities:\n              drop: [ALL]\n              add: [NET_ADMIN, NET_RAW, SETGID]\n"
NETWORK = "      hostNetwork: true\n"
VARIABLES = "            - name: variables\n              mountPath: /etc/hachecks/variables\n"
LIVENESS = "          livenessProbe:\n            httpGet:\n              path: /-/healthy\n              port: 10112\n"
ENVIRONMENT = '          env: [{name: OPENSHIFT_HA_VIRTUAL_IPS, value: "10.0.0.9"}]\n'


def ours(*changes: tuple[str, str]) -> Given:
    """The good one with changes."""
    return Given((changed(OURS, *changes),))


shows("HA150", ours((FILE, ""), (LIVENESS, ENVIRONMENT + LIVENESS)), GOOD)
shows("HA150", ours((FILE, f"{FILE}            - --virtual-ips\n            - 10.0.0.7\n")), GOOD)
shows(
    "HA150",
    ours((FILE, f"{FILE}            - -ibr-ex\n")),
    ours((FILE, f"{FILE}            - --unicast-source=1.2.3.4\n")),
)
MOUNTED_ALONE = "            - name: variables\n              mountPath: /etc/hachecks/variables/variables.env\n"
shows("HA150", ours((VARIABLES, f"{MOUNTED_ALONE}              subPath: variables.env\n")), GOOD)
shows("HA150", ours(("kind: ConfigMap\n", "kind: ConfigMap\nimmutable: true\n")), GOOD)
OF_THE_NODE = ENVIRONMENT.replace("OPENSHIFT_HA_VIRTUAL_IPS", "UNICAST_SOURCE_IPADDRESS")
shows("HA151", ours((LIVENESS, ENVIRONMENT + LIVENESS)), ours((LIVENESS, OF_THE_NODE + LIVENESS)))
shows("HA152", ours((CAPABILITIES, "            privileged: true\n")), GOOD)
shows("HA152", ours((CAPABILITIES, CAPABILITIES.replace("              drop: [ALL]\n", ""))), GOOD)
shows("HA152", ours(("            allowPrivilegeEscalation: false\n", "")), GOOD)
shows("HA153", ours(("/etc/keepalived", "/elsewhere")), ours(("/etc/keepalived", "/elsewhere"), (READ_WRITE, "")))
shows("HA153", ours(("mountPath: /run", "mountPath: /run/hacheck")), ours(("mountPath: /run", "mountPath: /run/")))
GRACE = "      terminationGracePeriodSeconds: "
shows(
    "HA153",
    ours((FILE, f"{FILE}            - --pid-file=/var/pid\n")),
    ours((FILE, f"{FILE}            - --pid-file=/run/x/pid\n")),
)
shows("HA154", ours((NETWORK, f"{NETWORK}{GRACE}2\n")), ours((NETWORK, f"{NETWORK}{GRACE}30\n")))
STOP = f"{FILE}            - --stop-timeout=40s\n"
shows("HA154", ours((FILE, STOP)), ours((FILE, STOP), (NETWORK, f"{NETWORK}{GRACE}50\n")))
shows("HA155", ours((LIVENESS, "")), GOOD)
shows("HA156", ours((NETWORK, f"{NETWORK}      hostPID: true\n")), GOOD)
shows("HA157", ours((LIVENESS, LIVENESS.replace("healthy", "ready"))), GOOD)
shows("HA157", ours((LIVENESS, LIVENESS.replace("10112", "80"))), GOOD)
LISTEN = f"{FILE}            - --listen=[$(NODE_IP)]:9000\n"
shows("HA157", ours((FILE, LISTEN)), ours((FILE, LISTEN), (LIVENESS, LIVENESS.replace("10112", "9000"))))
shows("HA157", ours((FILE, LISTEN.replace("[$(NODE_IP)]:9000", "127.0.0.1:10112"))), GOOD)
NAMED = LIVENESS.replace("10112", "metrics") + "          ports: [{name: metrics, containerPort: 9000}]\n"
shows("HA157", ours((LIVENESS, NAMED)), ours((LIVENESS, NAMED), (FILE, LISTEN)))
shows("HA157", ours((LIVENESS, LIVENESS + LIVENESS.replace("liveness", "startup").replace("healthy", "ready"))), GOOD)
DRAIN = "    OPENSHIFT_HA_NETWORK_INTERFACE=br-ex\n"
DRAINED = f"{DRAIN}    OPENSHIFT_HA_DRAIN_FILE=/var/lib/hacheck/drain\n"
shows("HA158", ours((DRAIN, DRAINED)), ours((DRAIN, DRAINED), (READ_WRITE, "")))
RUN = "              mountPath: /run\n"
AT_DRAIN = f"{RUN}            - name: written\n              mountPath: /var/lib/hacheck\n"
shows("HA158", ours((DRAIN, DRAINED)), ours((DRAIN, DRAINED), (RUN, AT_DRAIN)))
shows("HA156", ours((NETWORK, f"{NETWORK}      shareProcessNamespace: true\n")), GOOD)

shows("HA102", ours(("[NET_ADMIN, NET_RAW, SETGID]", "[NET_ADMIN, SETGID]")), GOOD)
shows("HA109", ours((", SETGID]", "]")), GOOD)
shows("HA104", ours(("            runAsUser: 0\n", "")), GOOD)
shows("HA105", ours(("      serviceAccountName: router\n", "")), GOOD)
shows("HA002", ours(("10.0.0.100-103", "10.0.0.100/24")), GOOD)
shows("HA005", ours(("  variables.env: |", "  others.env: |")), GOOD)
shows("HA006", ours((FILE, "            - /etc/hachecks/variables/objects.yaml\n")), GOOD)
shows("HA004", ours(("    OPENSHIFT_HA_VIRTUAL_IPS=10.0.0.100-103\n", "")), GOOD)
shows(
    "HA004",
    ours(("    OPENSHIFT_HA_VIRTUAL_IPS=10.0.0.100-103\n", "")),
    ours(("    OPENSHIFT_HA_VIRTUAL_IPS=10.0.0.100-103\n", ""), (FILE, f"{FILE}            - --follow-services\n")),
)

SECOND = (
    ("name: router", "name: geo"), ("NAME=router", "NAME=geo"), ("10.0.0.100-103", "10.0.0.110-113"),
    ("OPENSHIFT_HA_NODES", "OPENSHIFT_HA_VRRP_ID_OFFSET=20\n    OPENSHIFT_HA_NODES"),
)  # fmt: skip


def two(*changes: tuple[str, str]) -> Given:
    """The good one, and another configuration for the same nodes with changes."""
    return Given((OURS, changed(OURS, *SECOND, *changes)))


PORT = (LIVENESS, f"          env: [{{name: HACHECK_AGENT_LISTEN, value: ':10113'}}]\n{LIVENESS}")
OTHER_NODES = (NETWORK, f"{NETWORK}      nodeSelector: {{geo: 'true'}}\n")
shows("HA311", two(), two(PORT))
ON = """\
      affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms:
              - matchFields:
                  - {key: metadata.name, operator: In, values: [node-a]}
"""
FIRST, OTHER = (NETWORK, NETWORK + ON), (NETWORK, NETWORK + ON.replace("node-a", "node-c"))
BOTH = Given((changed(OURS, FIRST), changed(OURS, *SECOND, FIRST)))
shows("HA311", BOTH, Given((changed(OURS, FIRST), changed(OURS, *SECOND, OTHER))))
HOST_PORT = (LIVENESS, f"          ports: [{{hostPort: 10112, containerPort: 10112}}]\n{LIVENESS}")
shows(
    "HA303",
    Given((changed(OURS, FIRST, HOST_PORT), changed(OURS, *SECOND, FIRST, HOST_PORT))),
    Given((changed(OURS, FIRST, HOST_PORT), changed(OURS, *SECOND, OTHER, HOST_PORT))),
)
shows("HA311", two((FILE, f"{FILE}            - --agent\n            - --listen=:10112\n")), two(PORT))
AGENT = OURS.replace("name: router\nspec", "name: other\nspec").replace(
    "            - ipfailover\n            - run\n", ""
)
shows(
    "HA311",
    Given((OURS, AGENT.replace(FILE, "            - agent\n"))),
    Given((OURS, AGENT.replace(FILE, "            - agent\n            - --listen\n            - :10113\n"))),
)
