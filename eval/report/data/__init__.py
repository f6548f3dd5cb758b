"""The data of a report: rows and files of a results folder, and solutions that are computed again."""
