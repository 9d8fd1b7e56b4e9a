"""Speed and memory figures, as ratios or differences measured side by side in one run: `make bench`."""
