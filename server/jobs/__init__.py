"""Jobs: what is asked of graphs, kept until it is done, and after."""
