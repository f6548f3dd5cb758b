"""How waves travel, apart from any network: path loss (a file per model), antenna arrays and scatter."""
