"""The portal: the signed-in pages of trainee, instructor, funder and administrator, one Flask app under one prefix."""
