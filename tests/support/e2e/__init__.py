"""Real runtimes on hosts of their own: namespaces, daemons, probes and snapshots for the end-to-end tests."""
