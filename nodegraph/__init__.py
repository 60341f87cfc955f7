"""nodegraph: a YAML graph of typed nodes, checked before anything is loaded, run where only what changed runs."""
