"""Records of a data set, read from files as people have them."""
