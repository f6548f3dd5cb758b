"""The hardness of presets: how far simpler schemes fall short of the best known decisions."""
