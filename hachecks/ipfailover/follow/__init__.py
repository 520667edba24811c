"""VIPs of the cluster's Services: which there are, with which ids, how each is checked, and who is told where it is.

`services` understands a Service, `allocation` gives addresses and ids, and both are pure. `api` and `watch` speak with
the cluster, `shared` keeps what all nodes agree on in a ConfigMap, `owner` tells the cluster which node has a VIP, and
`files` is what `hacheck ipfailover run` reads of all this.
"""
