"""What a report is made of: rows and files of a results folder, and what is computed again."""
