"""Experience: whether lessons of earlier games help in later ones."""
