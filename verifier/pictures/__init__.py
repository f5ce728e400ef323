"""Pictures of what methods say, drawn by Matplotlib into files."""
