"""Abstract runs: tensor code on shapes alone, what it costs, and the rules that say what operations give."""
