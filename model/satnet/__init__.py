"""SATNet and MUNIT (Huang et al. 2018): translation between photos and caricatures."""
