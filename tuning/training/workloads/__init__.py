"""The shipped workloads, one problem a file, all on real data that scikit-learn carries with it."""
