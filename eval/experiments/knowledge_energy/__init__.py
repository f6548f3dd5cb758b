"""What compressed knowledge costs and saves in energy."""
