"""The maker of the executable, `dist/hacheck`: one file with the modules in it, small enough for a ConfigMap."""
