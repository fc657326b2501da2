"""What an instructor's pages about grading show and do: class-wide regrades, hand grading, similarity."""
