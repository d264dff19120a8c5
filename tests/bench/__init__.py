"""The benchmarks: the product beside what one would pick instead, in interleaved rounds. `bin/bench` runs them."""
