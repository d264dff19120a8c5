"""What full-size drills and benchmarks found, kept in docs/proof/ with the commit that they ran on, and the page and
the figures of the README that are made from it. Nothing of it is written by hand."""
