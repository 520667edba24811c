"""The stock image of OpenShift's ipfailover: what its generator makes of the variables, version by version.

A simulation, written from what the generator does (openshift/images, ipfailover/keepalived/lib) and tried against it:
no shell runs here, and no value is ever given to one.
"""
