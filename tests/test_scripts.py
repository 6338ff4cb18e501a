"""The five scripts as real processes: a whole chain, signals, kill and resume, GPEN's old command lines."""
