"""OpenShift's ipfailover: what its variables mean."""
