"""Which target is tried, in which order. Pure: no clock and no sockets."""
