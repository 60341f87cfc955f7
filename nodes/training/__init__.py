"""Training: data sets, objectives and the loop. Pure torch; the nodes over it are in `nodes/train.py`."""
