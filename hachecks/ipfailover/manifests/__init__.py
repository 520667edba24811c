"""The objects that put ipfailover on nodes, in place of `oc adm ipfailover`: workloads, rights and monitoring."""
