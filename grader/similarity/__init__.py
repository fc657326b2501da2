"""Finds answers of a cohort that are one text in two dresses: variables renamed, cells moved. All of it local."""
