"""The trusted half of grading: rebuild a submission, test it from outside its box, say why it scored what it did."""
