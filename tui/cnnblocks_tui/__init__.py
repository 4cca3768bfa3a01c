"""cnnblocks-tui."""
